"""Validation of the lists within states: Choices, Retry and Catch."""

from collections.abc import Iterator
from typing import Any

from maprun.language.choice import COMPARISONS, OPERATORS
from maprun.language.diagnostics import Diagnostic, schema_error
from maprun.language.jsonata import source_of
from maprun.language.timestamps import parse_timestamp
from maprun.language.validate_jsonata import ERROR_OUTPUT, INPUT, check_jsonata
from maprun.language.validate_values import (
    EMPTY,
    NO_PATH,
    NO_REFERENCE,
    check_assign,
    enumerated,
    is_expression,
    is_reference,
    looks_computed,
    number,
    other_language,
    required,
    typed,
    unknown,
    wrong_type,
)
from schemas.quotas import SECONDS_MAX

ATTEMPTS_MAX = 99_999_999
DELAY_SECONDS_MAX = 31_622_400
RULE_DEPTH_MAX = 30
_COMBINERS = ("And", "Or", "Not")
_RETRY_FIELDS = {
    "ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment",
}  # fmt: skip
_CATCH_FIELDS = {"ErrorEquals", "Next", "ResultPath", "Output", "Assign", "Comment"}


_RETRY_NUMBERS = {
    "IntervalSeconds": number(1, SECONDS_MAX),
    "MaxAttempts": number(0, ATTEMPTS_MAX),
    "MaxDelaySeconds": number(1, DELAY_SECONDS_MAX),
    "BackoffRate": number(1.0, whole=False),
}


def check_choices(choices: Any, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    """The rules of a Choice."""
    for at, rule in enumerate(choices if isinstance(choices, list) else ()):
        place = f"{pointer}[{at}]"
        if not isinstance(rule, dict):
            yield wrong_type(dict, place)
            continue
        yield from required(rule, ("Next",), place)
        if "Next" in rule:
            yield from typed(str)(rule["Next"], f"{place}/Next", jsonata)
        if "Assign" in rule:
            yield from check_assign(rule["Assign"], f"{place}/Assign", jsonata=jsonata)
        if jsonata:
            yield from _condition(rule, place)
        else:
            for field in ("Condition", "Output"):
                if field in rule:
                    yield schema_error(other_language(field, jsonata=False), place)
            if "Condition" not in rule:
                yield from _rule(rule, place, 1)


def _condition(rule: dict[str, Any], pointer: str) -> Iterator[Diagnostic]:
    yield from required(rule, ("Condition",), pointer)
    condition = rule.get("Condition", True)
    if not isinstance(condition, bool) and source_of(condition) is None:
        yield schema_error("Value must be a boolean or a valid JSONata expression", f"{pointer}/Condition")
    yield from check_jsonata(condition, f"{pointer}/Condition", INPUT)
    if "Output" in rule:
        yield from check_jsonata(rule["Output"], f"{pointer}/Output", INPUT)


def _rule(rule: dict[str, Any], pointer: str, depth: int) -> Iterator[Diagnostic]:
    if depth > RULE_DEPTH_MAX:
        yield schema_error(f"Rules are nested deeper than {RULE_DEPTH_MAX} levels", pointer)
        return
    if depth > 1 and "Next" in rule:
        yield schema_error("Field 'Next' is not supported", pointer)
    combiners = [field for field in _COMBINERS if field in rule]
    operators = [field for field in rule if field in OPERATORS]
    if len(combiners) + len(operators) != 1:
        yield schema_error("A rule must have exactly one comparison operator", pointer)
    for combiner in combiners:
        yield from _combined(rule[combiner], combiner, pointer, depth)
    if not combiners:
        yield from _variable(rule, pointer)
    for operator in operators:
        yield from _operand(rule[operator], operator, f"{pointer}/{operator}")


def _combined(inner: Any, combiner: str, pointer: str, depth: int) -> Iterator[Diagnostic]:
    place = f"{pointer}/{combiner}"
    if combiner == "Not":
        rules = [(inner, place)]
    elif not isinstance(inner, list):
        yield wrong_type(list, place)
        return
    elif not inner:
        yield schema_error(EMPTY, place)
        return
    else:
        rules = [(rule, f"{place}[{at}]") for at, rule in enumerate(inner)]
    for rule, where in rules:
        if isinstance(rule, dict):
            yield from _rule(rule, where, depth + 1)
        else:
            yield wrong_type(dict, where)


def _variable(rule: dict[str, Any], pointer: str) -> Iterator[Diagnostic]:
    yield from required(rule, ("Variable",), pointer)
    if "Variable" not in rule:
        return
    if not isinstance(rule["Variable"], str):
        yield wrong_type(str, f"{pointer}/Variable")
    elif not is_expression(rule["Variable"], calls=False):
        yield schema_error(NO_PATH, f"{pointer}/Variable")


def _operand(value: Any, operator: str, place: str) -> Iterator[Diagnostic]:
    """What a rule compares with."""
    if operator.startswith("Is") or operator == "BooleanEquals":
        yield from typed(bool)(value, place, False)
    elif operator in COMPARISONS or operator == "StringMatches":
        if operator.startswith("String") and not isinstance(value, str):
            yield wrong_type(str, place)
        elif operator.startswith("Numeric") and (not isinstance(value, int | float) or isinstance(value, bool)):
            yield wrong_type(float, place)
        elif operator.startswith("Timestamp") and parse_timestamp(value) is None:
            yield schema_error("String does not match RFC3339 timestamp", place)
        yield from looks_computed(value, place)
    elif not is_expression(value, calls=False):
        yield schema_error(NO_PATH, place)


def _entries(entries: Any, pointer: str, fields: set[str]) -> Iterator[tuple[dict[str, Any], str, list[Diagnostic]]]:
    """(retrier or catcher, where it stands, what is wrong with what both have); ({}, …) of what is none at all."""
    if entries is None:
        return
    if not isinstance(entries, list):
        yield {}, pointer, [wrong_type(list, pointer)]
        return
    for at, entry in enumerate(entries):
        place = f"{pointer}[{at}]"
        if isinstance(entry, dict):
            found = [*unknown(entry, fields, place), *_errors(entry, place, last=at == len(entries) - 1)]
            yield entry, place, found
        else:
            yield {}, place, [wrong_type(dict, place)]


def _errors(entry: dict[str, Any], pointer: str, *, last: bool) -> Iterator[Diagnostic]:
    """Which errors a retrier or catcher is for."""
    names, place = entry.get("ErrorEquals"), f"{pointer}/ErrorEquals"
    if names is None:
        yield from required({}, ("ErrorEquals",), pointer)
    elif not isinstance(names, list):
        yield wrong_type(list, place)
    elif not names:
        yield schema_error(EMPTY, place)
    else:
        for at, name in enumerate(names):
            yield from typed(str)(name, f"{place}[{at}]", False)
        if "States.ALL" in names and (len(names) > 1 or not last):
            yield schema_error("States.ALL must appear alone and at the end of the list", place)


def check_retry(retry: Any, pointer: str) -> Iterator[Diagnostic]:
    """The retriers of a state."""
    for entry, place, found in _entries(retry, pointer, _RETRY_FIELDS):
        yield from found
        for field, expected in _RETRY_NUMBERS.items():
            if field in entry:
                yield from expected(entry[field], f"{place}/{field}", False)
        yield from enumerated(entry, "JitterStrategy", ("FULL", "NONE"), place)
        longest, interval = entry.get("MaxDelaySeconds"), entry.get("IntervalSeconds", 1)
        if isinstance(longest, int) and isinstance(interval, int) and 1 <= longest <= interval:
            text = "MaxDelaySeconds must be greater than IntervalSeconds"
            yield schema_error(text, f"{place}/MaxDelaySeconds")


def check_catch(catch: Any, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    """The catchers of a state."""
    for entry, place, found in _entries(catch, pointer, _CATCH_FIELDS):
        yield from found
        if entry:
            yield from _catcher(entry, place, jsonata=jsonata)


def _catcher(entry: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    yield from required(entry, ("Next",), pointer)
    if "Next" in entry:
        yield from typed(str)(entry["Next"], f"{pointer}/Next", jsonata)
    wrong = "ResultPath" if jsonata else "Output"
    if wrong in entry:
        yield schema_error(other_language(wrong, jsonata=jsonata), pointer)
    if jsonata and "Output" in entry:
        yield from check_jsonata(entry["Output"], f"{pointer}/Output", ERROR_OUTPUT)
    if not jsonata and entry.get("ResultPath") is not None and not is_reference(entry["ResultPath"]):
        yield schema_error(NO_REFERENCE, f"{pointer}/ResultPath")
    if "Assign" in entry:
        yield from check_assign(entry["Assign"], f"{pointer}/Assign", jsonata=jsonata, offered=ERROR_OUTPUT)
