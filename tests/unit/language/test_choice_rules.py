"""Choice rules: every comparison, and what does not compare."""

from typing import Any

import pytest

from maprun.language.choice import OPERATORS, compile_rule
from maprun.language.errors import StatesError
from maprun.language.scope import Scope

DATA = {
    "n": 5, "f": 5.0, "s": "b", "t": True, "null": None, "star": "a*c", "moment": "2024-01-01T00:00:00Z",
    "later": "2024-01-01T01:00:00+00:30", "five": 5, "text": "2024-01-01 00:00:00Z",
}  # fmt: skip


def matches(rule: dict[str, Any]) -> bool:
    """Whether a rule matches DATA."""
    return compile_rule(rule)(DATA, Scope(dict, {"v": 5}, str))


@pytest.mark.parametrize(
    ("variable", "operator", "operand", "matched"),
    [
        ("$.n", "NumericEquals", 5, True),
        ("$.f", "NumericEquals", 5, True),
        ("$.s", "NumericEquals", 5, False),
        ("$.t", "NumericEquals", 1, False),
        ("$.n", "NumericEqualsPath", "$.five", True),
        ("$v", "NumericEqualsPath", "$.n", True),
        ("$.n", "NumericLessThan", 6, True),
        ("$.n", "NumericLessThan", 5, False),
        ("$.n", "NumericGreaterThan", 4, True),
        ("$.n", "NumericLessThanEquals", 5, True),
        ("$.n", "NumericGreaterThanEquals", 5, True),
        ("$.n", "NumericGreaterThanEqualsPath", "$.s", False),
        ("$.s", "StringEquals", "b", True),
        ("$.n", "StringEquals", "5", False),
        ("$.s", "StringLessThan", "c", True),
        ("$.s", "StringGreaterThan", "B", True),
        ("$.s", "StringLessThanEquals", "b", True),
        ("$.s", "StringGreaterThanEquals", "c", False),
        ("$.t", "BooleanEquals", True, True),
        ("$.n", "BooleanEquals", True, False),
        ("$.moment", "TimestampEquals", "2024-01-01T00:00:00.000Z", True),
        ("$.moment", "TimestampLessThan", "2024-01-01T00:00:00.000000001Z", True),
        ("$.later", "TimestampGreaterThanPath", "$.moment", True),
        ("$.text", "TimestampEquals", "2024-01-01T00:00:00Z", False),
        ("$.star", "StringMatches", "a*c", True),
        ("$.star", "StringMatches", "a\\*c", True),
        ("$.s", "StringMatches", "\\*", False),
        ("$.star", "StringMatches", "*a*", True),
        ("$.star", "StringMatches", "a*b*c", False),
        ("$.n", "StringMatches", "*", False),
        ("$.null", "IsNull", True, True),
        ("$.n", "IsNull", False, True),
        ("$.missing", "IsPresent", False, True),
        ("$.null", "IsPresent", True, True),
        ("$.x[*]", "IsPresent", True, False),
        ("$.n", "IsNumeric", True, True),
        ("$.t", "IsNumeric", True, False),
        ("$.s", "IsString", True, True),
        ("$.t", "IsBoolean", True, True),
        ("$.moment", "IsTimestamp", True, True),
        ("$.text", "IsTimestamp", False, True),
    ],
)
def test_a_comparison(variable: str, operator: str, operand: Any, matched: bool) -> None:
    """Values of another kind than the operator's are simply not matched."""
    assert matches({"Variable": variable, operator: operand}) is matched


def test_there_are_39_operators() -> None:
    """Sixteen comparisons, each against a literal and a path, StringMatches, and six tests of kind and presence."""
    assert len(OPERATORS) == 39


def test_combinations() -> None:
    """And, Or and Not nest freely."""
    five, six = {"Variable": "$.n", "NumericEquals": 5}, {"Variable": "$.n", "NumericEquals": 6}
    assert matches({"And": [five, {"Not": six}]})
    assert not matches({"And": [five, six]})
    assert matches({"Or": [six, {"And": [five]}]})


def test_a_variable_that_is_not_there_is_an_error() -> None:
    """Only IsPresent may ask for what is missing."""
    with pytest.raises(StatesError) as caught:
        matches({"Variable": "$.missing", "StringEquals": "x"})
    assert caught.value.error == "States.Runtime"
    assert "'$.missing'" in caught.value.cause


def test_strings_order_by_utf_16_code_units() -> None:
    """As Java orders them: a supplementary character comes before U+FF61."""
    rule = {"Variable": "$.s", "StringLessThan": "\uff61"}
    assert compile_rule(rule)({"s": "\U0001f600"}, Scope(dict, {}, str))
