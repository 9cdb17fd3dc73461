"""What functions print for the children of a Map Run, and for a root execution, as the API tells it."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from maprun.cli.client import Api
from tests.integration.system.running import map_definition, map_run_of, run, states
from tests.integration.system.stack import Stack

pytestmark = pytest.mark.integration
CODE = """
def handler(event, context):
    print("looking at", event)
    if event == 2:
        raise ValueError("two")
    return event
"""
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:talker"


def printed(stack: Stack, arn: str) -> list[list[str]]:
    """The lines between START and END of each call that an execution made, without their ids."""
    with closing(Api(stack.api)) as api:
        found = api.ask("/maprun/function-logs", arn)
    assert not found.get("error")
    calls = found["calls"]
    assert all(call["log"].splitlines()[0].endswith(f"\tExecution: {arn}") for call in calls)
    return [[line.rpartition("\t")[2] for line in call["log"].splitlines()[1:-2]] for call in calls]


def test_each_execution_has_what_was_printed_for_it(stack: Stack, sfn: Any) -> None:
    """Of each child its own call and of its retrier's attempts each; of a root whatever it calls a function by."""
    (Path(stack.environ["MAPRUN_FUNCTIONS_DIR"]) / "talker.py").write_text(CODE)
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1}]
    call = {"Call": {"Type": "Task", "Resource": LAMBDA, "Retry": retry, "End": True}}
    definition = map_definition(call, child_type="EXPRESS", ToleratedFailureCount=1)
    mapped = run(sfn, definition, [1, 2, 3])
    children = sfn.list_executions(mapRunArn=map_run_of(sfn, mapped["executionArn"])["mapRunArn"])["executions"]
    told = [printed(stack, child["executionArn"]) for child in children]
    assert sorted(told) == [[["looking at 1"]], [["looking at 2"], ["looking at 2"]], [["looking at 3"]]]
    invoke = {"FunctionName": "talker", "Payload": 7}
    root = run(
        sfn,
        states(Call={"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": invoke, "End": True}),
    )
    assert printed(stack, root["executionArn"]) == [["looking at 7"]]
