"""Validation of the lists within states: Choices, Retry and Catch."""

from collections.abc import Iterator
from typing import Any

from maprun.language.choice import COMPARISONS, OPERATORS, compile_rule
from maprun.language.diagnostics import Diagnostic, schema_error
from maprun.language.path import PathSyntaxError
from maprun.language.timestamps import parse_timestamp
from maprun.language.validate_values import check_assign, is_reference, wrong_language

ATTEMPTS_MAX = 99_999_999
DELAY_SECONDS_MAX = 31_622_400
RULE_DEPTH_MAX = 30
_COMBINERS = ("And", "Or", "Not")
_RETRY_FIELDS = {
    "ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment",
}  # fmt: skip
_CATCH_FIELDS = {"ErrorEquals", "Next", "ResultPath", "Output", "Assign", "Comment"}


def check_choices(choices: Any, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    """The rules of a Choice."""
    if not isinstance(choices, list):
        return
    for at, rule in enumerate(choices):
        place = f"{pointer}[{at}]"
        if not isinstance(rule, dict):
            yield schema_error("Expected value of type Object", place)
            continue
        if not isinstance(rule.get("Next"), str):
            yield schema_error("These fields are required: [Next]", place)
        if "Assign" in rule:
            yield from check_assign(rule["Assign"], f"{place}/Assign", jsonata=jsonata)
        if jsonata:
            yield from _condition(rule, place)
        else:
            for field in ("Condition", "Output"):
                if field in rule:
                    yield schema_error(wrong_language(field, "JSONPath", "JSONata"), place)
            yield from _rule(rule, place, 1)


def _condition(rule: dict[str, Any], pointer: str) -> Iterator[Diagnostic]:
    if "Condition" not in rule:
        yield schema_error("These fields are required: [Condition]", pointer)
        return
    condition = rule["Condition"]
    if not isinstance(condition, bool) and not (isinstance(condition, str) and condition.startswith("{%")):
        yield schema_error("Value must be a boolean or a valid JSONata expression", f"{pointer}/Condition")


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
        return
    if combiners:
        yield from _combined(rule[combiners[0]], combiners[0], pointer, depth)
        return
    if not isinstance(rule.get("Variable"), str):
        yield schema_error("These fields are required: [Variable]", pointer)
        return
    yield from _operand(rule, operators[0], pointer)


def _combined(inner: Any, combiner: str, pointer: str, depth: int) -> Iterator[Diagnostic]:
    place = f"{pointer}/{combiner}"
    if combiner == "Not":
        rules = [(inner, place)]
    elif not isinstance(inner, list):
        yield schema_error("Expected value of type Array", place)
        return
    elif not inner:
        yield schema_error("Value cannot be empty", place)
        return
    else:
        rules = [(rule, f"{place}[{at}]") for at, rule in enumerate(inner)]
    for rule, where in rules:
        if isinstance(rule, dict):
            yield from _rule(rule, where, depth + 1)
        else:
            yield schema_error("Expected value of type Object", where)


def _operand(rule: dict[str, Any], operator: str, pointer: str) -> Iterator[Diagnostic]:
    value, place = rule[operator], f"{pointer}/{operator}"
    if operator in COMPARISONS or operator == "StringMatches":
        if operator.startswith("String") and not isinstance(value, str):
            yield schema_error("Expected value of type String", place)
        elif operator.startswith("Numeric") and (not isinstance(value, int | float) or isinstance(value, bool)):
            yield schema_error("Expected value of type Number", place)
        elif operator.startswith("Timestamp") and parse_timestamp(value) is None:
            yield schema_error("String does not match RFC3339 timestamp", place)
        elif operator == "BooleanEquals" and not isinstance(value, bool):
            yield schema_error("Expected value of type Boolean", place)
    elif operator.startswith("Is") and not isinstance(value, bool):
        yield schema_error("Expected value of type Boolean", place)
    elif operator.endswith("Path") and not (isinstance(value, str) and value.startswith("$")):
        yield schema_error("Value is not a valid JSONPath", place)
        return
    if not rule["Variable"].startswith("$"):
        yield schema_error("Value is not a valid JSONPath", f"{pointer}/Variable")
        return
    try:
        compile_rule(rule)
    except PathSyntaxError:
        yield schema_error("Value is not a valid JSONPath", f"{pointer}/Variable")


def _entries(entries: Any, pointer: str, fields: set[str]) -> Iterator[tuple[dict[str, Any] | Diagnostic, str]]:
    if entries is None:
        return
    if not isinstance(entries, list):
        yield schema_error("Expected value of type Array", pointer), pointer
        return
    for at, entry in enumerate(entries):
        place = f"{pointer}[{at}]"
        if not isinstance(entry, dict):
            yield schema_error("Expected value of type Object", place), place
            continue
        for field in entry:
            if field not in fields:
                yield schema_error(f"Field '{field}' is not supported", place), place
        names = entry.get("ErrorEquals")
        if names is None:
            yield schema_error("These fields are required: [ErrorEquals]", place), place
        elif not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            yield schema_error("Expected value of type Array", f"{place}/ErrorEquals"), place
        elif not names:
            yield schema_error("Value cannot be empty", f"{place}/ErrorEquals"), place
        elif "States.ALL" in names and (len(names) > 1 or at != len(entries) - 1):
            text = "States.ALL must appear alone and at the end of the list"
            yield schema_error(text, f"{place}/ErrorEquals"), place
        yield entry, place


def check_retry(retry: Any, pointer: str) -> Iterator[Diagnostic]:
    """The retriers of a state."""
    for entry, place in _entries(retry, pointer, _RETRY_FIELDS):
        if isinstance(entry, Diagnostic):
            yield entry
            continue
        yield from _whole(entry, "IntervalSeconds", 1, ATTEMPTS_MAX, place)
        yield from _whole(entry, "MaxAttempts", 0, ATTEMPTS_MAX, place)
        yield from _whole(entry, "MaxDelaySeconds", 1, DELAY_SECONDS_MAX, place)
        rate = entry.get("BackoffRate", 1)
        if not isinstance(rate, int | float) or isinstance(rate, bool):
            yield schema_error("Expected value of type Number", f"{place}/BackoffRate")
        elif rate < 1:
            yield schema_error("Minimum value is 1.0", f"{place}/BackoffRate")
        if entry.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
            text = "The field 'JitterStrategy' should have one of these values: [FULL, NONE]"
            yield schema_error(text, f"{place}/JitterStrategy")
        longest, interval = entry.get("MaxDelaySeconds"), entry.get("IntervalSeconds", 1)
        if isinstance(longest, int) and isinstance(interval, int) and longest <= interval:
            text = "MaxDelaySeconds must be greater than IntervalSeconds"
            yield schema_error(text, f"{place}/MaxDelaySeconds")


def _whole(entry: dict[str, Any], field: str, least: int, most: int, pointer: str) -> Iterator[Diagnostic]:
    if field not in entry:
        return
    value = entry[field]
    if not isinstance(value, int) or isinstance(value, bool):
        yield schema_error("Expected value of type Integer", f"{pointer}/{field}")
    elif value < least:
        yield schema_error(f"Minimum value is {least}", f"{pointer}/{field}")
    elif value > most:
        yield schema_error(f"Maximum value is {most}", f"{pointer}/{field}")


def check_catch(catch: Any, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    """The catchers of a state."""
    for entry, place in _entries(catch, pointer, _CATCH_FIELDS):
        if isinstance(entry, Diagnostic):
            yield entry
            continue
        if not isinstance(entry.get("Next"), str):
            yield schema_error("These fields are required: [Next]", place)
        path = entry.get("ResultPath")
        if path is not None and not is_reference(path):
            yield schema_error("Value is not a Reference Path", f"{place}/ResultPath")
        wrong, other = ("ResultPath", "JSONPath") if jsonata else ("Output", "JSONata")
        if wrong in entry:
            yield schema_error(wrong_language(wrong, "JSONata" if jsonata else "JSONPath", other), place)
        if "Assign" in entry:
            yield from check_assign(entry["Assign"], f"{place}/Assign", jsonata=jsonata)
