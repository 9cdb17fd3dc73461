"""What variables may take: one Assign, a whole execution, and a Map Run's plan."""

import json
from typing import Any

import pytest

from maprun.interpreter import ExecutionHead, Limits, Step, begin, decode_execution, encode_execution
from maprun.interpreter.store import bind
from maprun.language import compile_machine
from schemas.effects import MapRunRequested

LIMITS = Limits(variables_bytes_max=1_000, execution_variables_bytes_max=2_500, plan_bytes_max=2_000)


def started(definition: dict[str, Any], limits: Limits = LIMITS) -> Step:
    """An execution with an input of some text."""
    head = ExecutionHead(
        "arn:aws:states:us-east-1:1:execution:m:e", "e", "a", "m", "r", 1, b'{"t":"%b"}' % (b"x" * 900)
    )
    return begin(compile_machine(json.dumps(definition).encode()), head, 1, limits)


def assigning(names: list[str], then: dict[str, Any]) -> dict[str, Any]:
    """States that assign the input's text to one variable each."""
    states = {
        f"A{n}": {"Type": "Pass", "Assign": {name: "{% $states.input.t %}"}, "Next": f"A{n + 1}"}
        for n, name in enumerate(names)
    }
    return {"QueryLanguage": "JSONata", "StartAt": "A0", "States": {**states, f"A{len(names)}": then}}


@pytest.mark.parametrize(
    ("names", "status"), [(["a", "b"], "SUCCEEDED"), (["a", "b", "c"], "FAILED"), (["a"] * 5, "SUCCEEDED")]
)
def test_all_variables_of_an_execution_have_a_limit(names: list[str], status: str) -> None:
    """Variables count while they live, each with its newest value; past the limit the state fails in words."""
    step = started(assigning(names, {"Type": "Succeed"}))
    assert step.ended is not None
    assert step.ended.status == status
    if status == "FAILED":
        assert step.ended.error == "States.DataLimitExceeded"
        assert (step.ended.cause or "").startswith("With what the state 'A2' assigns the execution has variables")


def test_variables_of_all_branches_count_together() -> None:
    """Each branch alone is below the limit; together they are not."""
    branch = assigning(["a", "b"], {"Type": "Wait", "Seconds": 9, "End": True})
    del branch["QueryLanguage"]
    other = json.loads(
        json.dumps(branch).replace('"A', '"B').replace('"AType"', '"Type"').replace('"Bssign"', '"Assign"')
    )
    parallel = {"Type": "Parallel", "Branches": [branch, other], "End": True}
    step = started({"QueryLanguage": "JSONata", "StartAt": "P", "States": {"P": parallel}})
    assert step.ended is not None
    assert step.ended.error == "States.DataLimitExceeded"


def test_what_variables_take_is_known_again_after_a_restart() -> None:
    """A restored execution counts the same bytes."""
    step = started(assigning(["a", "b"], {"Type": "Wait", "Seconds": 9, "End": True}))
    assert step.execution is not None
    before = step.execution.variables_bytes()
    again = decode_execution(encode_execution(step.execution))
    bind(
        again, compile_machine(json.dumps(assigning(["a", "b"], {"Type": "Wait", "Seconds": 9, "End": True})).encode())
    )
    assert again.variables_bytes() == before > 1_800


def distributed(selector: Any) -> dict[str, Any]:
    """A distributed Map with this ItemSelector."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "C",
        "States": {"C": {"Type": "Succeed"}},
    }
    return {"Type": "Map", "Items": [1], "ItemSelector": selector, "ItemProcessor": processor, "End": True}


def test_only_variables_that_the_item_selector_names_travel() -> None:
    """Children see none of the parent's variables, so the plan holds those its ItemSelector reads, and no others."""
    step = started(assigning(["read", "kept"], distributed("{% $length($read) %}")), Limits())
    [asked] = step.effects
    assert isinstance(asked, MapRunRequested)
    assert set(json.loads(asked.plan.variables)) == {"read"}


def test_a_map_run_that_fits_no_record_is_not_asked_for() -> None:
    """What its ItemSelector reads is too large to travel: the Map state fails in words, alone."""
    step = started(assigning(["a", "b"], distributed("{% $a & $b %}")))
    assert step.ended is not None
    assert step.ended.error == "States.DataLimitExceeded"
    assert (step.ended.cause or "").startswith(
        "The Map Run of the state 'A2' is asked for with items, input and variables"
    )
