"""ValidateStateMachineDefinition: which findings are told, how many, and what the result says of them."""

import json
from typing import Any

import msgspec
import pytest

from maprun.requests.checks import Refusal
from services.maprun_tracker.api import inputs, rules
from services.maprun_tracker.api.machines import faults_of, findings_of, validation

END: dict[str, Any] = {"Type": "Pass", "End": True}
HINTED = json.dumps({"StartAt": "A", "States": {"A": {**END, "Parameters": {"a": "$.b"}}}})
WRONG = json.dumps({"StartAt": "A", "States": {"A": {**END, "X": 1, "Y": 2, "Parameters": {"a": "$.b"}}}})


def told(definition: str, **members: Any) -> tuple[str, list[str], bool]:
    """(result, severity and code of each diagnostic, truncated)."""
    ask = inputs.ValidateDefinition(definition=definition, **members)
    answer = validation(ask, findings_of(definition.encode(), "STANDARD"))
    return answer.result, [f"{one.severity} {one.code}" for one in answer.diagnostics], answer.truncated


ERROR, HINT = "ERROR SCHEMA_VALIDATION_FAILED", "WARNING NO_DOLLAR"


@pytest.mark.parametrize(
    ("definition", "members", "answer"),
    [
        (HINTED, {}, ("OK", [], False)),
        (HINTED, {"severity": "ERROR"}, ("OK", [], False)),
        (HINTED, {"severity": "WARNING"}, ("OK", [HINT], False)),
        (WRONG, {}, ("FAIL", [ERROR, ERROR], False)),
        (WRONG, {"severity": "WARNING"}, ("FAIL", [ERROR, ERROR, HINT], False)),
        (WRONG, {"severity": "WARNING", "max_results": 2}, ("FAIL", [ERROR, ERROR], True)),
        (WRONG, {"max_results": 2}, ("FAIL", [ERROR, ERROR], False)),
        (WRONG, {"max_results": 1}, ("FAIL", [ERROR], True)),
        (WRONG, {"max_results": 0}, ("FAIL", [ERROR, ERROR], False)),
    ],
)
def test_what_is_told(definition: str, members: dict[str, Any], answer: tuple[str, list[str], bool]) -> None:
    """ERROR is the default, WARNING gives both; maxResults cuts the list, 0 is the default of 100."""
    assert told(definition, **members) == answer


def test_no_more_than_a_hundred_are_told() -> None:
    """Without maxResults the list ends at 100 and says that it was cut."""
    definition = json.dumps({"StartAt": "A", "States": {"A": {**END, **{f"X{at}": 1 for at in range(101)}}}})
    result, found, truncated = told(definition)
    assert (result, len(found), truncated) == ("FAIL", 100, True)


def test_a_warning_beyond_the_hundredth_hides_no_error() -> None:
    """Errors stand before warnings, however many of these the definition has before them."""
    many = {f"x{at}": "$.a" for at in range(300)}
    definition = json.dumps({"StartAt": "A", "States": {"A": {**END, "Parameters": {**many, "bad.$": "no"}}}})
    result, found, truncated = told(definition, severity="WARNING")
    assert (result, found[:2], len(found), truncated) == ("FAIL", [ERROR, HINT], 100, True)


def test_a_finding_without_a_place_has_no_location() -> None:
    """AWS leaves the member out."""
    loop = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}
    definition = json.dumps({"StartAt": "A", "States": loop})
    findings = findings_of(definition.encode(), "STANDARD")
    answer = validation(inputs.ValidateDefinition(definition=definition), findings)
    (told_one,) = msgspec.json.decode(msgspec.json.encode(answer))["diagnostics"]
    assert told_one == {
        "severity": "ERROR",
        "code": "MISSING_END_STATE",
        "message": "Workflow has no terminal state",
    }


@pytest.mark.parametrize("most", [-1, 101])
def test_max_results_has_bounds(most: int) -> None:
    """From 0 to 100."""
    ask = inputs.ValidateDefinition(definition=WRONG, max_results=most)
    with pytest.raises(Refusal, match="at 'maxResults' failed to satisfy constraint"):
        rules.check(ask, inputs.ValidateDefinition.rules)


def test_a_machine_is_refused_with_everything() -> None:
    """InvalidDefinition's message joins what was found by commas."""
    assert faults_of(WRONG.encode(), "STANDARD") == (
        "SCHEMA_VALIDATION_FAILED: Field 'X' is not supported at /States/A, "
        "SCHEMA_VALIDATION_FAILED: Field 'Y' is not supported at /States/A"
    )
    assert faults_of(HINTED.encode(), "STANDARD") == ""
