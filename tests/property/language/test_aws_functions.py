"""What AWS adds to JSONata and takes from it, and where an expression must give a value of one type."""

import re
from typing import Any

import msgspec
import pytest

from maprun.interpreter import ExecutionHead, begin
from maprun.language import compile_machine
from schemas.history import EventType
from tests.property.language.second_engine import Outcome, ours

FAILED: Outcome = ("error", "")
TABLE: list[tuple[str, Outcome]] = [
    ("$partition([1..5], 2)", ("value", [[1, 2], [3, 4], [5]])),
    ("$partition([], 2)", ("value", [])),
    ("$partition([1], 0)", FAILED),
    ("$partition('a', 1)", FAILED),
    ("$range(0, 10, 5)", ("value", [0, 5, 10])),
    ("$range(5, 1, -2)", ("value", [5, 3, 1])),
    ("$range(1, 0, 2)", ("value", [])),
    ("$range(0, 1, 0.25)", ("value", [0, 0.25, 0.5, 0.75, 1])),
    ("$range(0, 1, 0)", FAILED),
    ("$range(0, 131072, 1)[0]", FAILED),
    ("$hash('a', 'MD5')", ("value", "0cc175b9c0f1b6a831c399e269772661")),
    ("$hash('a', 'SHA-1')", ("value", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8")),
    ("$hash('a', 'CRC')", FAILED),
    ("$parse('{\"a\": [1, null]}')", ("value", {"a": [1, None]})),
    ("$parse('{')", FAILED),
    ("$eval('1 + 1')", ("error", "T1006")),
    ("$random() < 1 and $random() >= 0", ("value", True)),
    ("$random(7) = $random(7)", ("value", True)),
    ("$random() = $random()", ("value", False)),
    ("$uuid() = $uuid()", ("value", False)),
    ("$now()", ("value", "2023-11-14T22:13:20.000Z")),
    ("$now('[Y0001]/[M01]/[D01]')", ("value", "2023/11/14")),
    ("$now('[H01]:[m01]', '+0200')", ("value", "00:13")),
    ("$millis()", ("value", 1_700_000_000_000)),
    ("function($x){$x}", ("unsupported", None)),
    ("$sum", ("unsupported", None)),
    ("/a/", ("unsupported", None)),
    ("$nothing", ("undefined", None)),
    ("null", ("value", None)),
]


@pytest.mark.parametrize(("source", "outcome"), TABLE, ids=[source for source, _ in TABLE])
def test_a_function_of_aws_gives(source: str, outcome: Outcome) -> None:
    """Each function of AWS's, its limits, and the results that are no JSON."""
    assert ours(source, {}) == outcome


def test_a_uuid_is_of_version_4() -> None:
    """`$uuid()` has the form of RFC 4122, version 4."""
    kind, value = ours("$uuid()", {})
    assert kind == "value"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", value)


def _ended(state: dict[str, Any]) -> tuple[str | None, str | None, list[int]]:
    document = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}}
    machine = compile_machine(msgspec.json.encode(document))
    step = begin(machine, ExecutionHead("arn:e", "e", "arn:m", "m", "arn:role", 0, b"{}"), 0)
    assert step.ended is not None
    return step.ended.error, step.ended.cause, [event.type for event in step.events]


@pytest.mark.parametrize("field", ["Error", "Cause"])
def test_the_texts_of_a_fail_must_be_strings(field: str) -> None:
    """An Error or Cause that is a number is States.QueryEvaluationError, told by EvaluationFailed first."""
    error, cause, events = _ended({"Type": "Fail", field: "{% 5 %}"})
    assert error == "States.QueryEvaluationError"
    assert cause is not None
    words = f"The JSONata expression '5' specified for the field '{field}' returned an unexpected result type."
    assert f"{words} Expected 'string', but was 'number' for value: 5" in cause
    assert events[-2:] == [EventType.EVALUATION_FAILED, EventType.EXECUTION_FAILED]


def test_an_output_that_nests_too_deep_is_an_evaluation_error() -> None:
    """What can't be a payload is refused by the expression, so that Catch may see it."""
    nested = "$reduce([1..600], function($a, $b){{'a': $a}}, {})"
    assert ours(nested, {}) == ("unsupported", None)
