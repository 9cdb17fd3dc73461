"""Which fields a state may have, and what their values must be (facts, section 3.2)."""

from collections.abc import Iterator
from typing import Any

from maprun.integrations import exists
from maprun.integrations.resources import ActivityResource, Integration, Pattern, parse_resource
from maprun.language.diagnostics import Diagnostic, schema_error, warning
from maprun.language.jsonata import source_of
from maprun.language.timestamps import parse_timestamp
from maprun.language.validate_jsonata import INPUT, RESULT, check_jsonata
from maprun.language.validate_map import check_map
from maprun.language.validate_rules import check_catch, check_choices, check_retry
from maprun.language.validate_values import (
    NO_PATH,
    NO_REFERENCE,
    Expected,
    check_assign,
    check_template,
    enumerated,
    filled_list,
    holds_computed,
    is_expression,
    is_place,
    is_reference,
    looks_computed,
    not_recognized,
    number,
    only_one,
    other_language,
    required,
    typed,
    unknown,
    wrong_type,
)
from schemas.quotas import SECONDS_MAX

KINDS = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
_ALL = {"Type", "Comment", "QueryLanguage"}
_FLOW = {"InputPath", "OutputPath"}
_RESULT = {"ResultPath", "ResultSelector"}
_RETRY = {"Retry", "Catch"}
_NEXT = {"Next", "End"}
_MAP_NUMBERS = ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage")
_PLACES = {"TimeoutSecondsPath", "HeartbeatSecondsPath", "SecondsPath", "TimestampPath"} | {
    f"{field}Path" for field in _MAP_NUMBERS
}
FIELDS: dict[str, set[str]] = {
    "Task": _ALL | _FLOW | _RESULT | _RETRY | _NEXT | {
        "Parameters", "Arguments", "Output", "Assign", "Resource", "Credentials",
        "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath",
    },
    "Pass": _ALL | _FLOW | _NEXT | {"ResultPath", "Parameters", "Result", "Output", "Assign"},
    "Choice": _ALL | _FLOW | {"Choices", "Default", "Output", "Assign"},
    "Wait": _ALL | _FLOW | _NEXT | {"Seconds", "Timestamp", "SecondsPath", "TimestampPath", "Output", "Assign"},
    "Succeed": _ALL | _FLOW | {"Output"},
    "Fail": _ALL | {"Error", "Cause", "ErrorPath", "CausePath"},
    "Parallel": _ALL | _FLOW | _RESULT | _RETRY | _NEXT | {"Parameters", "Arguments", "Output", "Assign", "Branches"},
    "Map": _ALL | _FLOW | _RESULT | _RETRY | _NEXT | {
        "Parameters", "ItemSelector", "ItemsPath", "Items", "ItemProcessor", "Iterator", "ItemReader", "ItemBatcher",
        "ResultWriter", "Label", "Output", "Assign", *_MAP_NUMBERS, *(f"{field}Path" for field in _MAP_NUMBERS),
    },
}  # fmt: skip
JSONPATH_ONLY = _FLOW | _RESULT | {
    "Parameters", "Result", "ItemsPath", "TimeoutSecondsPath", "HeartbeatSecondsPath", "SecondsPath", "TimestampPath",
    "ErrorPath", "CausePath", *(f"{field}Path" for field in _MAP_NUMBERS),
}  # fmt: skip
JSONATA_ONLY = {"Arguments", "Output", "Items"}
_REQUIRED = {"Task": ("Resource",), "Choice": ("Choices",), "Parallel": ("Branches",)}
_EXCLUSIVE = (
    ("Next", "End"),
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("ItemSelector", "Parameters"),
    *((field, f"{field}Path") for field in _MAP_NUMBERS),
)
_NOT_EXPRESS = {
    Pattern.RUN_A_JOB: "'.sync' service integration",
    Pattern.RUN_A_JOB_2: "'.sync' service integration",
    Pattern.CALLBACK: "'.waitForTaskToken' service integration ",
}
_WITH_RESULT = ("Task", "Parallel", "Map")


def check_state(
    state: dict[str, Any], pointer: str, *, jsonata: bool, mixed: bool, machine_type: str
) -> Iterator[Diagnostic]:
    """Everything about one state, apart from what is nested in it.

    `mixed` says that the state is in a language it may not have: then nothing is said of fields of the other one.
    """
    kind = state["Type"]
    if not mixed:
        yield from _languages(state, kind, pointer, jsonata=jsonata)
    yield from enumerated(state, "QueryLanguage", ("JSONPath", "JSONata"), pointer)
    yield from unknown(state, FIELDS[kind], pointer)
    yield from _combinations(state, kind, pointer)
    for field, expected in _TYPES.items():
        if field in state and field in FIELDS[kind]:
            yield from expected(state[field], f"{pointer}/{field}", jsonata)
    if jsonata:
        yield from _expressions(state, kind, pointer)
    else:
        yield from _paths(state, kind, pointer)
    offered = RESULT if kind in _WITH_RESULT else INPUT
    if "Assign" in state and "Assign" in FIELDS[kind]:
        yield from check_assign(state["Assign"], f"{pointer}/Assign", jsonata=jsonata, offered=offered)
    if kind == "Task":
        yield from _task(state, pointer, machine_type)
    elif kind == "Wait":
        yield from _wait(state, pointer, jsonata=jsonata)
    elif kind == "Choice":
        yield from check_choices(state.get("Choices"), f"{pointer}/Choices", jsonata=jsonata)
    elif kind == "Map":
        yield from check_map(state, pointer, jsonata=jsonata)
    if kind in _WITH_RESULT:
        yield from check_retry(state.get("Retry"), f"{pointer}/Retry")
        yield from check_catch(state.get("Catch"), f"{pointer}/Catch", jsonata=jsonata)


def _languages(state: dict[str, Any], kind: str, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    others = JSONPATH_ONLY if jsonata else JSONATA_ONLY
    for field in state:
        if field in others and field in FIELDS[kind]:
            yield schema_error(other_language(field, jsonata=jsonata), pointer)


def _combinations(state: dict[str, Any], kind: str, pointer: str) -> Iterator[Diagnostic]:
    """What must be there, and what must not be there together."""
    yield from required(state, _REQUIRED.get(kind, ()), pointer)
    for pair in _EXCLUSIVE:
        if all(field in state for field in pair) and pair[0] in FIELDS[kind]:
            yield schema_error(only_one(pair), pointer)
    if "Next" in FIELDS[kind] and "Next" not in state and state.get("End", False) is False:
        yield from required(state, ("Next",), pointer)


_TYPES: dict[str, Expected] = {
    "Comment": typed(str),
    "Next": typed(str),
    "Default": typed(str),
    "End": typed(bool),
    "Resource": typed(str),
    "Label": typed(str),
    "Branches": filled_list,
    "Choices": filled_list,
    "TimeoutSeconds": number(1, SECONDS_MAX),
    "HeartbeatSeconds": number(1, SECONDS_MAX),
    "MaxConcurrency": number(0),
    "ToleratedFailureCount": number(0),
    "ToleratedFailurePercentage": number(0.0, 100.0, whole=False),
    "ItemReader": typed(dict),
    "ItemBatcher": typed(dict),
    "ResultWriter": typed(dict),
    "Credentials": typed(dict),
}
_VALUES = ("Arguments", "Items", "ItemSelector", "Credentials", "Error", "Cause")


def _expressions(state: dict[str, Any], kind: str, pointer: str) -> Iterator[Diagnostic]:
    """Values of a JSONata state that may hold expressions."""
    for field in _VALUES:
        if field in state and field in FIELDS[kind]:
            yield from check_jsonata(state[field], f"{pointer}/{field}", INPUT)
    items = state.get("Items", [])
    if kind == "Map" and source_of(items) is None and not isinstance(items, list | dict):
        yield wrong_type(list, f"{pointer}/Items")
    if "Output" in state and "Output" in FIELDS[kind]:
        offered = RESULT if kind in _WITH_RESULT else INPUT
        yield from check_jsonata(state["Output"], f"{pointer}/Output", offered)
    if kind == "Fail":
        yield from _texts(state, pointer)


def _texts(state: dict[str, Any], pointer: str) -> Iterator[Diagnostic]:
    """What a Fail state says."""
    for field in ("Error", "Cause"):
        if field in state and not isinstance(state[field], str):
            yield wrong_type(str, f"{pointer}/{field}")


def _paths(state: dict[str, Any], kind: str, pointer: str) -> Iterator[Diagnostic]:
    """Paths and templates of a JSONPath state."""
    for field in ("InputPath", "OutputPath", "ItemsPath", "ErrorPath", "CausePath"):
        if field in state and field in FIELDS[kind]:
            if state[field] is None and field in _FLOW:
                continue
            calls = field in ("ErrorPath", "CausePath")
            if not is_expression(state[field], calls=calls):
                yield schema_error(NO_PATH, f"{pointer}/{field}")
    if "ResultPath" in FIELDS[kind] and state.get("ResultPath") is not None and not is_reference(state["ResultPath"]):
        yield schema_error(NO_REFERENCE, f"{pointer}/ResultPath")
    for field, value in state.items():
        if field in _PLACES and field in FIELDS[kind] and not is_place(value):
            yield schema_error(NO_REFERENCE, f"{pointer}/{field}")
    for field in ("Parameters", "ResultSelector", "ItemSelector", "Credentials"):
        if field in state and field in FIELDS[kind]:
            yield from check_template(state[field], f"{pointer}/{field}")
    if kind == "Pass" and "Result" in state and holds_computed(state["Result"]):
        text = "The Result of a Pass state is taken as it is written: paths in it are not evaluated"
        yield warning("PASS_RESULT_IS_STATIC", text, f"{pointer}/Result")
    if kind == "Fail":
        yield from _texts(state, pointer)
        for field in ("Error", "Cause"):
            yield from looks_computed(state.get(field), f"{pointer}/{field}")


def _resource(resource: str, place: str, machine_type: str) -> Iterator[Diagnostic]:
    named = parse_resource(resource)
    if named is None or not exists(named):
        yield schema_error(not_recognized(resource), place)
        return
    if machine_type == "EXPRESS" and isinstance(named, ActivityResource):
        yield schema_error("Express state machine does not support Activity ARN", place)
    elif machine_type == "EXPRESS" and isinstance(named, Integration) and named.pattern in _NOT_EXPRESS:
        yield schema_error(f"Express state machine does not support {_NOT_EXPRESS[named.pattern]}", place)


def _task(state: dict[str, Any], pointer: str, machine_type: str) -> Iterator[Diagnostic]:
    if isinstance(state.get("Resource"), str):
        yield from _resource(state["Resource"], f"{pointer}/Resource", machine_type)
    credentials = state.get("Credentials")
    if isinstance(credentials, dict) and not {"RoleArn", "RoleArn.$"} & credentials.keys():
        yield schema_error("The field 'RoleArn' is required but was missing", f"{pointer}/Credentials")
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        text = "HeartbeatSeconds must be smaller than TimeoutSeconds"
        yield schema_error(text, f"{pointer}/HeartbeatSeconds")


def _wait(state: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    fields = ("Seconds", "Timestamp", "SecondsPath", "TimestampPath")
    if sum(field in state for field in fields) != 1:
        yield schema_error(only_one(fields[:2] if jsonata else fields), pointer)
    if "Seconds" in state:
        yield from number(0, SECONDS_MAX)(state["Seconds"], f"{pointer}/Seconds", jsonata)
    if "Timestamp" not in state:
        return
    moment, place = state["Timestamp"], f"{pointer}/Timestamp"
    if jsonata and source_of(moment) is not None:
        yield from check_jsonata(moment, place, INPUT)
    elif parse_timestamp(moment) is None:
        yield schema_error("String does not match RFC3339 timestamp", place)
        yield from looks_computed(moment, place)
