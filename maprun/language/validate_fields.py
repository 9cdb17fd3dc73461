"""Which fields a state may have, and what their values must be (facts, section 3.2)."""

from collections.abc import Iterator
from typing import Any

from maprun.language.diagnostics import Diagnostic, schema_error, warning
from maprun.language.resources import ActivityResource, Integration, Pattern, parse_resource
from maprun.language.timestamps import parse_timestamp
from maprun.language.validate_map import check_map
from maprun.language.validate_rules import check_catch, check_choices, check_retry
from maprun.language.validate_values import (
    Expected,
    check_assign,
    check_template,
    filled_list,
    is_expression,
    is_object,
    is_place,
    is_reference,
    number,
    typed,
    wrong_language,
)

KINDS = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
SECONDS_MAX = 99_999_999
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


def check_state(state: dict[str, Any], pointer: str, *, jsonata: bool, machine_type: str) -> Iterator[Diagnostic]:
    """Everything wrong with one state, apart from what is nested in it."""
    kind = state["Type"]
    yield from _names(state, kind, pointer, jsonata=jsonata)
    for field, expected in _TYPES.items():
        if field in state and field in FIELDS[kind]:
            yield from expected(state[field], f"{pointer}/{field}", jsonata)
    if not jsonata:
        yield from _paths(state, kind, pointer)
    if "Assign" in state:
        yield from check_assign(state["Assign"], f"{pointer}/Assign", jsonata=jsonata)
    if kind == "Task":
        yield from _task(state, pointer, machine_type)
    elif kind == "Wait":
        yield from _wait(state, pointer, jsonata=jsonata)
    elif kind == "Choice":
        yield from check_choices(state.get("Choices"), f"{pointer}/Choices", jsonata=jsonata)
    elif kind == "Map":
        yield from check_map(state, pointer, jsonata=jsonata)
    if kind in ("Task", "Parallel", "Map"):
        yield from check_retry(state.get("Retry"), f"{pointer}/Retry")
        yield from check_catch(state.get("Catch"), f"{pointer}/Catch", jsonata=jsonata)


def _names(state: dict[str, Any], kind: str, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    for field in state:
        if field not in FIELDS[kind]:
            yield schema_error(f"Field '{field}' is not supported", pointer)
        elif jsonata and field in JSONPATH_ONLY:
            yield schema_error(wrong_language(field, "JSONata", "JSONPath"), pointer)
        elif not jsonata and field in JSONATA_ONLY:
            yield schema_error(wrong_language(field, "JSONPath", "JSONata"), pointer)
    missing = [field for field in _REQUIRED.get(kind, ()) if field not in state]
    if missing:
        yield schema_error(f"These fields are required: [{', '.join(missing)}]", pointer)
    for pair in _EXCLUSIVE:
        if all(field in state for field in pair) and pair[0] in FIELDS[kind]:
            yield schema_error(f"There should only be one of the following fields: [{', '.join(pair)}]", pointer)
    if "Next" in FIELDS[kind] and "Next" not in state and state.get("End") is not True:
        yield schema_error("These fields are required: [Next]", pointer)


_TEXT = typed("String", str)
_TYPES: dict[str, Expected] = {
    "Comment": _TEXT,
    "Next": _TEXT,
    "Default": _TEXT,
    "End": typed("Boolean", bool),
    "Resource": _TEXT,
    "Error": _TEXT,
    "Cause": _TEXT,
    "Label": _TEXT,
    "Branches": filled_list,
    "Choices": filled_list,
    "TimeoutSeconds": number(1, SECONDS_MAX),
    "HeartbeatSeconds": number(1, SECONDS_MAX),
    "MaxConcurrency": number(0),
    "ToleratedFailureCount": number(0),
    "ToleratedFailurePercentage": number(0.0, 100.0, whole=False),
    "ItemReader": typed("Object", dict),
    "ItemBatcher": typed("Object", dict),
    "ResultWriter": typed("Object", dict),
    "Credentials": typed("Object", dict),
}


def _paths(state: dict[str, Any], kind: str, pointer: str) -> Iterator[Diagnostic]:
    """Paths and templates of a JSONPath state."""
    for field in ("InputPath", "OutputPath", "ItemsPath", "ErrorPath", "CausePath"):
        if field in state and field in FIELDS[kind]:
            if state[field] is None and field in _FLOW:
                continue
            calls = field in ("ErrorPath", "CausePath")
            if not is_expression(state[field], calls=calls):
                yield schema_error("Value is not a valid JSONPath", f"{pointer}/{field}")
    if state.get("ResultPath") is not None and not is_reference(state["ResultPath"]):
        yield schema_error("Value is not a Reference Path", f"{pointer}/ResultPath")
    for field, value in state.items():
        if field in _PLACES and field in FIELDS[kind] and not is_place(value):
            yield schema_error("Value is not a Reference Path", f"{pointer}/{field}")
    for field in ("Parameters", "ResultSelector", "ItemSelector", "Credentials"):
        if field in state and field in FIELDS[kind]:
            yield from check_template(state[field], f"{pointer}/{field}")
    if kind == "Pass" and "Result" in state and _holds_path(state["Result"]):
        yield warning("PASS_RESULT_IS_STATIC", "Result of a Pass state is static: paths are not evaluated", pointer)


def _holds_path(value: Any) -> bool:
    return is_object(value) and any(key.endswith(".$") for key in value)


def _task(state: dict[str, Any], pointer: str, machine_type: str) -> Iterator[Diagnostic]:
    resource = state.get("Resource")
    if not isinstance(resource, str):
        return
    place = f"{pointer}/Resource"
    named = parse_resource(resource)
    if named is None:
        text = (
            f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
            "resource is not available in this region."
        )
        yield schema_error(text, place)
    elif machine_type == "EXPRESS":
        if isinstance(named, ActivityResource):
            yield schema_error("Express state machine does not support Activity ARN", place)
        elif isinstance(named, Integration) and named.pattern in _NOT_EXPRESS:
            yield schema_error(f"Express state machine does not support {_NOT_EXPRESS[named.pattern]}", place)
    credentials = state.get("Credentials")
    if isinstance(credentials, dict) and not {"RoleArn", "RoleArn.$"} & credentials.keys():
        yield schema_error("The field 'RoleArn' is required but was missing", f"{pointer}/Credentials")
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        text = "HeartbeatSeconds must be smaller than TimeoutSeconds"
        yield schema_error(text, f"{pointer}/HeartbeatSeconds")


def _wait(state: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    fields = ("Seconds", "Timestamp") if jsonata else ("Seconds", "Timestamp", "SecondsPath", "TimestampPath")
    if sum(field in state for field in fields) != 1:
        yield schema_error(f"There should only be one of the following fields: [{', '.join(fields)}]", pointer)
    if "Seconds" in state:
        yield from number(0, SECONDS_MAX)(state["Seconds"], f"{pointer}/Seconds", jsonata)
    moment = state.get("Timestamp")
    computed = jsonata and isinstance(moment, str) and moment.startswith("{%")
    if "Timestamp" in state and not computed and parse_timestamp(moment) is None:
        yield schema_error("String does not match RFC3339 timestamp", f"{pointer}/Timestamp")
