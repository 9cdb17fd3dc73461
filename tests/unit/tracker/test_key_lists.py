"""What a key may do: operations by name, machines and activities by name, everything else refused in AWS's words."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from maprun.requests.checks import Refusal
from maprun.runtime.keys import Allow
from schemas.arns import Names
from schemas.tokens import TaskToken
from services.maprun_tracker.access.allowed import Caller, check_allowed, targets_of
from services.maprun_tracker.access.gate import changes
from services.maprun_tracker.api import inputs, start_inputs
from services.maprun_tracker.api.operations import LIST_EXECUTIONS, OPERATIONS, OWN_ACTS, OWN_PATHS
from tests.unit.tracker.processes import SECRET

NAMES = Names()
WHO = NAMES.user("ci")
RUN = "0a0b0c0d-1111-4000-8333-444455556666"
TOKEN = SECRET.make(TaskToken(NAMES.execution("nightly", "one"), "0" * 32))
NIGHTLY = NAMES.machine("nightly")


def allowed(allow: Sequence[dict[str, Any]], operation: str, members: dict[str, Any]) -> bool:
    """Whether a key with this list may ask for an operation with these members."""
    kind = inputs.ListExecutions if operation == LIST_EXECUTIONS else OPERATIONS[operation].asked
    asked = msgspec.json.decode(json.dumps(members), type=kind)
    caller = Caller("ci", WHO, msgspec.convert(allow, tuple[Allow, ...]))
    try:
        check_allowed(caller, operation, asked, NAMES, SECRET)
    except Refusal:
        return False
    return True


OF_NIGHTLY = [{"operations": ["*"], "machines": ["nightly", "hourly-*"]}]


@pytest.mark.parametrize(
    ("allow", "operation", "members", "may"),
    [
        ([], "ListStateMachines", {}, False),
        ([{"operations": ["*"]}], "ListStateMachines", {}, True),
        ([{"operations": ["List*"]}], "ListStateMachines", {}, True),
        ([{"operations": ["List*"]}], "StopExecution", {"executionArn": NAMES.execution("m", "e")}, False),
        ([{"operations": ["list*"]}], "ListStateMachines", {}, False),
        ([{"operations": ["StartExecution"]}], "StartSyncExecution", {"stateMachineArn": NIGHTLY}, False),
        (OF_NIGHTLY, "ListStateMachines", {}, False),
        (OF_NIGHTLY, "TestState", {"definition": "{}"}, False),
        (OF_NIGHTLY, "StartExecution", {"stateMachineArn": NIGHTLY}, True),
        (OF_NIGHTLY, "StartExecution", {"stateMachineArn": NIGHTLY + ":live"}, True),
        (OF_NIGHTLY, "StartExecution", {"stateMachineArn": NAMES.machine("hourly-3")}, True),
        (OF_NIGHTLY, "StartExecution", {"stateMachineArn": NAMES.machine("nightly2")}, False),
        (OF_NIGHTLY, "StartExecution", {"stateMachineArn": "nightly"}, False),
        (OF_NIGHTLY, "StartExecution", {}, False),
        (OF_NIGHTLY, "DescribeExecution", {"executionArn": NAMES.execution("nightly", "e")}, True),
        (OF_NIGHTLY, "DescribeExecution", {"executionArn": NAMES.execution("nightly/Each", "e")}, True),
        (OF_NIGHTLY, "DescribeExecution", {"executionArn": NAMES.express("nightly", "e", "i")}, True),
        (OF_NIGHTLY, "DescribeExecution", {"executionArn": NAMES.execution("secret", "nightly")}, False),
        (OF_NIGHTLY, "DescribeMapRun", {"mapRunArn": NAMES.map_run("nightly", "Each", RUN)}, True),
        (OF_NIGHTLY, "DescribeMapRun", {"mapRunArn": NAMES.map_run("secret", "Each", RUN)}, False),
        (OF_NIGHTLY, "ListExecutions", {"mapRunArn": NAMES.map_run("nightly", "Each", RUN)}, True),
        (OF_NIGHTLY, "ListExecutions", {"stateMachineArn": NAMES.machine("secret")}, False),
        (OF_NIGHTLY, "CreateStateMachine", {"name": "hourly-4"}, True),
        (OF_NIGHTLY, "CreateStateMachine", {"name": "secret"}, False),
        (OF_NIGHTLY, "TagResource", {"resourceArn": NIGHTLY}, True),
        (OF_NIGHTLY, "TagResource", {"resourceArn": NAMES.activity("nightly")}, False),
        (OF_NIGHTLY, "GetActivityTask", {"activityArn": NAMES.activity("nightly")}, False),
        (OF_NIGHTLY, "SendTaskSuccess", {"taskToken": TOKEN, "output": "{}"}, True),
        (OF_NIGHTLY, "SendTaskSuccess", {"taskToken": TOKEN[:-4] + "AAA=", "output": "{}"}, False),
        (
            [{"operations": ["*"], "machines": ["secret"]}],
            "SendTaskSuccess",
            {"taskToken": TOKEN, "output": "1"},
            False,
        ),
        (
            OF_NIGHTLY,
            "CreateStateMachineAlias",
            {"name": "live", "routingConfiguration": [{"stateMachineVersionArn": NIGHTLY + ":1", "weight": 100}]},
            True,
        ),
        (
            OF_NIGHTLY,
            "UpdateStateMachineAlias",
            {
                "stateMachineAliasArn": NIGHTLY + ":live",
                "routingConfiguration": [{"stateMachineVersionArn": NAMES.machine("secret") + ":1", "weight": 100}],
            },
            False,
        ),
        (
            [{"operations": ["GetActivityTask"], "activities": ["approve"]}],
            "GetActivityTask",
            {"activityArn": NAMES.activity("approve")},
            True,
        ),
        (
            [{"operations": ["*"], "activities": ["*"]}],
            "DescribeStateMachine",
            {"stateMachineArn": NAMES.machine("approve")},
            False,
        ),
        (
            [{"operations": ["Describe*"]}, *OF_NIGHTLY],
            "StopExecution",
            {"executionArn": NAMES.execution("a", "e")},
            False,
        ),
        ([{"operations": ["Describe*"]}, *OF_NIGHTLY], "DescribeExecution", {"executionArn": "any:thing"}, True),
    ],
)
def test_lists(allow: list[dict[str, Any]], operation: str, members: dict[str, Any], may: bool) -> None:
    """One statement must allow all of it; what names nothing takes one that names nothing either."""
    assert allowed(allow, operation, members) is may


def test_the_refusal_has_awss_words() -> None:
    """Who, what and of what: enough to mend the list."""
    caller = Caller("ci", WHO, ())
    asked = start_inputs.StartExecution(state_machine_arn=NIGHTLY)
    with pytest.raises(Refusal) as refused:
        check_allowed(caller, "StartExecution", asked, NAMES, SECRET)
    assert refused.value.message == (
        "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: states:StartExecution on resource:"
        " arn:aws:states:us-east-1:123456789012:stateMachine:nightly because no identity-based policy allows the"
        " states:StartExecution action"
    )


UNNAMED = {
    "ListStateMachines",
    "ListActivities",
    "TestState",
    "ValidateStateMachineDefinition",
    "DescribeHealth",
    "ListOpenMapRuns",
}


def test_every_operation_says_what_it_is_asked_of() -> None:
    """No operation is open to a key of one machine because nobody thought of its members."""
    kinds = {name: operation.asked for name, operation in OPERATIONS.items()}
    kinds[LIST_EXECUTIONS] = inputs.ListExecutions
    kinds |= {own.like: own.asked for own in (*OWN_PATHS.values(), *OWN_ACTS.values())}
    for operation, kind in kinds.items():
        members: dict[str, Any] = dict.fromkeys(kind.__struct_fields__)
        for member in members:
            if member.endswith("_arn") and member != "role_arn":
                members[member] = NIGHTLY
            elif member in {"name", "task_token"}:
                members[member] = TOKEN
            elif member == "routing_configuration":
                members[member] = [inputs.Route(state_machine_version_arn=NIGHTLY)]
        (target, *_) = targets_of(operation, kind(**members), NAMES, SECRET)
        assert (target.kind == "") is (operation in UNNAMED), operation


def test_what_only_reads() -> None:
    """Everything else changes something, GetActivityTask and what is not known too."""
    reads = {name for name in (*OPERATIONS, LIST_EXECUTIONS) if not changes(name)}
    assert reads == {
        name
        for name in (*OPERATIONS, LIST_EXECUTIONS)
        if name.startswith(("Describe", "List")) or name in {"GetExecutionHistory", "ValidateStateMachineDefinition"}
    }
    assert changes("")
