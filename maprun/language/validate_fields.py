"""Which fields a state may have, and what their values must be (facts, section 3.2)."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from maprun.language.diagnostics import Diagnostic, schema_error, warning
from maprun.language.expression import Expression
from maprun.language.path import Path, PathSyntaxError
from maprun.language.template import BadTemplateError, parse_template
from maprun.language.timestamps import parse_timestamp
from maprun.language.validate_rules import check_catch, check_choices, check_retry

KINDS = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
SECONDS_MAX = 99_999_999
CSV_HEADERS_BYTES_MAX = 10 * 1024
_VARIABLE_NAME = re.compile(r"[^\W\d]\w{0,79}", re.UNICODE)
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
_RESOURCE = re.compile(r"arn:aws[a-z-]*:(?:lambda:[^:]*:[^:]*:function:[^:]+(?::[^:]+)?|states:[^:]*:[^:]*:.+)")


def is_object(value: Any) -> bool:
    """True for a JSON object."""
    return isinstance(value, dict)


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
        yield from _assign(state["Assign"], f"{pointer}/Assign", jsonata=jsonata)
    if kind == "Task":
        yield from _task(state, pointer, machine_type)
    elif kind == "Wait":
        yield from _wait(state, pointer, jsonata=jsonata)
    elif kind == "Choice":
        yield from check_choices(state.get("Choices"), f"{pointer}/Choices", jsonata=jsonata)
    elif kind == "Map":
        yield from _map(state, pointer, jsonata=jsonata)
    if kind in ("Task", "Parallel", "Map"):
        yield from check_retry(state.get("Retry"), f"{pointer}/Retry")
        yield from check_catch(state.get("Catch"), f"{pointer}/Catch", jsonata=jsonata)


def _names(state: dict[str, Any], kind: str, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    for field in state:
        if field not in FIELDS[kind]:
            yield schema_error(f"Field '{field}' is not supported", pointer)
        elif jsonata and field in JSONPATH_ONLY:
            yield schema_error(_wrong_language(field, "JSONata", "JSONPath"), pointer)
        elif not jsonata and field in JSONATA_ONLY:
            yield schema_error(_wrong_language(field, "JSONPath", "JSONata"), pointer)
    missing = [field for field in _REQUIRED.get(kind, ()) if field not in state]
    if missing:
        yield schema_error(f"These fields are required: [{', '.join(missing)}]", pointer)
    for pair in _EXCLUSIVE:
        if all(field in state for field in pair) and pair[0] in FIELDS[kind]:
            yield schema_error(f"There should only be one of the following fields: [{', '.join(pair)}]", pointer)
    if "Next" in FIELDS[kind] and "Next" not in state and state.get("End") is not True:
        yield schema_error("These fields are required: [Next]", pointer)


def _wrong_language(field: str, set_to: str, needed: str) -> str:
    return (
        f"The QueryLanguage is set to '{set_to}', but field '{field}' is only supported for the '{needed}' "
        "QueryLanguage"
    )


Expected = Callable[[Any, str, bool], Iterator[Diagnostic]]


def _typed(name: str, kinds: type | tuple[type, ...]) -> Expected:
    def check(value: Any, pointer: str, _jsonata: bool) -> Iterator[Diagnostic]:
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            yield schema_error(f"Expected value of type {name}", pointer)

    return check


def _number(least: float, most: float | None = None, *, whole: bool = True) -> Expected:
    kinds: tuple[type, ...] = (int,) if whole else (int, float)

    def check(value: Any, pointer: str, jsonata: bool) -> Iterator[Diagnostic]:
        if jsonata and isinstance(value, str):
            return
        if not isinstance(value, int | float) or not isinstance(value, kinds) or isinstance(value, bool):
            yield schema_error(f"Expected value of type {'Integer' if whole else 'Number'}", pointer)
        elif value < least:
            yield schema_error(f"Minimum value is {least}", pointer)
        elif most is not None and value > most:
            yield schema_error(f"Maximum value is {most}", pointer)

    return check


def _filled_list(value: Any, pointer: str, _jsonata: bool) -> Iterator[Diagnostic]:
    if not isinstance(value, list):
        yield schema_error("Expected value of type Array", pointer)
    elif not value:
        yield schema_error("Value cannot be empty", pointer)


_TEXT = _typed("String", str)
_TYPES: dict[str, Expected] = {
    "Comment": _TEXT,
    "Next": _TEXT,
    "Default": _TEXT,
    "End": _typed("Boolean", bool),
    "Resource": _TEXT,
    "Error": _TEXT,
    "Cause": _TEXT,
    "Label": _TEXT,
    "Branches": _filled_list,
    "Choices": _filled_list,
    "TimeoutSeconds": _number(1, SECONDS_MAX),
    "HeartbeatSeconds": _number(1, SECONDS_MAX),
    "MaxConcurrency": _number(0),
    "ToleratedFailureCount": _number(0),
    "ToleratedFailurePercentage": _number(0.0, 100.0, whole=False),
    "ItemReader": _typed("Object", dict),
    "ItemBatcher": _typed("Object", dict),
    "ResultWriter": _typed("Object", dict),
    "Credentials": _typed("Object", dict),
}


def _paths(state: dict[str, Any], kind: str, pointer: str) -> Iterator[Diagnostic]:
    """Paths and templates of a JSONPath state."""
    for field in ("InputPath", "OutputPath", "ItemsPath", "ErrorPath", "CausePath"):
        if field in state and field in FIELDS[kind]:
            if state[field] is None and field in _FLOW:
                continue
            calls = field in ("ErrorPath", "CausePath")
            if not _is_expression(state[field], calls=calls):
                yield schema_error("Value is not a valid JSONPath", f"{pointer}/{field}")
    if state.get("ResultPath") is not None and not _is_reference(state["ResultPath"]):
        yield schema_error("Value is not a Reference Path", f"{pointer}/ResultPath")
    for field, value in state.items():
        if field in _PLACES and field in FIELDS[kind] and not _is_place(value):
            yield schema_error("Value is not a Reference Path", f"{pointer}/{field}")
    for field in ("Parameters", "ResultSelector", "ItemSelector", "Credentials"):
        if field in state and field in FIELDS[kind]:
            yield from check_template(state[field], f"{pointer}/{field}")
    if kind == "Pass" and "Result" in state and _holds_path(state["Result"]):
        yield warning("PASS_RESULT_IS_STATIC", "Result of a Pass state is static: paths are not evaluated", pointer)


def check_template(value: Any, pointer: str) -> Iterator[Diagnostic]:
    """A payload template of a JSONPath state."""
    try:
        parse_template(value)
    except BadTemplateError as bad:
        text = f"The value for the field '{bad.key}' must be a valid JSONPath or a valid intrinsic function call"
        yield schema_error(text, f"{pointer}{bad.pointer}")


def _holds_path(value: Any) -> bool:
    return is_object(value) and any(key.endswith(".$") for key in value)


def _is_expression(text: Any, *, calls: bool) -> bool:
    if not isinstance(text, str) or not text.startswith(("$", "States.") if calls else "$"):
        return False
    try:
        Expression(text)
    except PathSyntaxError:
        return False
    return True


def _is_reference(text: Any) -> bool:
    if not isinstance(text, str) or not text.startswith("$"):
        return False
    try:
        return Path(text).reference
    except PathSyntaxError:
        return False


def _is_place(text: Any) -> bool:
    """A reference path, of the input or of a variable; the context object is refused (measured)."""
    if not isinstance(text, str) or not text.startswith("$") or text.startswith("$$"):
        return False
    try:
        return Expression(text).reference
    except PathSyntaxError:
        return False


def _assign(assign: Any, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    if not is_object(assign):
        yield schema_error("Expected value of type Object", pointer)
        return
    for key in assign:
        name = key[:-2] if key.endswith(".$") and not jsonata else key
        if not _VARIABLE_NAME.fullmatch(name) or name == "states":
            yield schema_error(f"Invalid variable name '{name}'", f"{pointer}/{key}")
    if not jsonata:
        yield from check_template(assign, pointer)


def _task(state: dict[str, Any], pointer: str, machine_type: str) -> Iterator[Diagnostic]:
    resource = state.get("Resource")
    if not isinstance(resource, str):
        return
    place = f"{pointer}/Resource"
    if not _RESOURCE.fullmatch(resource):
        text = (
            f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
            "resource is not available in this region."
        )
        yield schema_error(text, place)
    elif machine_type == "EXPRESS":
        if resource.endswith((".sync", ".sync:2")):
            yield schema_error("Express state machine does not support '.sync' service integration", place)
        elif resource.endswith(".waitForTaskToken"):
            yield schema_error("Express state machine does not support '.waitForTaskToken' service integration ", place)
        elif ":activity:" in resource:
            yield schema_error("Express state machine does not support Activity ARN", place)
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
        yield from _number(0, SECONDS_MAX)(state["Seconds"], f"{pointer}/Seconds", jsonata)
    moment = state.get("Timestamp")
    computed = jsonata and isinstance(moment, str) and moment.startswith("{%")
    if "Timestamp" in state and not computed and parse_timestamp(moment) is None:
        yield schema_error("String does not match RFC3339 timestamp", f"{pointer}/Timestamp")


def _map(state: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    reader, batcher = state.get("ItemReader"), state.get("ItemBatcher")
    if is_object(reader) and reader:
        yield from _reader(reader, f"{pointer}/ItemReader", jsonata=jsonata)
    if is_object(batcher) and batcher:
        numbers = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
        yield from _numbers(batcher, numbers, f"{pointer}/ItemBatcher", jsonata=jsonata)
        if not any(field in batcher or f"{field}Path" in batcher for field in numbers):
            text = f"At least one of the following fields is required: [{', '.join(numbers)}]"
            yield schema_error(text, f"{pointer}/ItemBatcher")
        if "BatchInput" in batcher and not jsonata:
            yield from check_template(batcher["BatchInput"], f"{pointer}/ItemBatcher/BatchInput")
    writer = state.get("ResultWriter")
    if is_object(writer) and writer:
        yield from _writer(writer, f"{pointer}/ResultWriter", jsonata=jsonata)


def _numbers(holder: dict[str, Any], fields: tuple[str, ...], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    for field in fields:
        if field in holder and f"{field}Path" in holder:
            text = f"There should only be one of the following fields: [{field}, {field}Path]"
            yield schema_error(text, pointer)
        if field in holder:
            most = 100_000_000 if field == "MaxItems" else None
            yield from _number(0, most)(holder[field], f"{pointer}/{field}", jsonata)
        if f"{field}Path" in holder:
            if jsonata:
                yield schema_error(_wrong_language(f"{field}Path", "JSONata", "JSONPath"), pointer)
            elif not _is_place(holder[f"{field}Path"]):
                yield schema_error("Value is not a Reference Path", f"{pointer}/{field}Path")


def _reader(reader: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    resource = reader.get("Resource")
    if not isinstance(resource, str):
        yield schema_error("These fields are required: [Resource]", pointer)
    elif not resource.endswith((":s3:getObject", ":s3:listObjectsV2")):
        yield schema_error(f"The resource provided {resource} is not recognized.", f"{pointer}/Resource")
    config = reader.get("ReaderConfig", {})
    if not is_object(config):
        yield schema_error("Expected value of type Object", f"{pointer}/ReaderConfig")
        return
    yield from _parameters(reader, pointer, jsonata=jsonata)
    yield from _numbers(config, ("MaxItems",), f"{pointer}/ReaderConfig", jsonata=jsonata)
    for field, values in _READER_VALUES.items():
        if field in config and config[field] not in values:
            text = f"The field '{field}' should have one of these values: [{', '.join(values)}]"
            yield schema_error(text, f"{pointer}/ReaderConfig/{field}")
    headers = config.get("CSVHeaders", [])
    if not isinstance(headers, list) or not all(isinstance(header, str) for header in headers):
        yield schema_error("Expected value of type Array", f"{pointer}/ReaderConfig/CSVHeaders")
    elif sum(len(header.encode("utf-8", "replace")) for header in headers) > CSV_HEADERS_BYTES_MAX:
        yield schema_error("CSVHeaders exceed 10 KiB", f"{pointer}/ReaderConfig/CSVHeaders")
    if not isinstance(config.get("ItemsPointer", ""), str):
        yield schema_error("Expected value of type String", f"{pointer}/ReaderConfig/ItemsPointer")


_READER_VALUES = {
    "InputType": ("CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"),
    "Transformation": ("NONE", "LOAD_AND_FLATTEN"),
    "ManifestType": ("ATHENA_DATA", "S3_INVENTORY"),
    "CSVHeaderLocation": ("FIRST_ROW", "GIVEN"),
    "CSVDelimiter": ("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
}
_WRITER_VALUES = {"Transformation": ("NONE", "COMPACT", "FLATTEN"), "OutputType": ("JSON", "JSONL")}


def _parameters(holder: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    if jsonata and "Parameters" in holder:
        yield schema_error(_wrong_language("Parameters", "JSONata", "JSONPath"), pointer)
    elif not jsonata and "Arguments" in holder:
        yield schema_error(_wrong_language("Arguments", "JSONPath", "JSONata"), pointer)
    elif not jsonata and "Parameters" in holder:
        yield from check_template(holder["Parameters"], f"{pointer}/Parameters")


def _writer(writer: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    config = writer.get("WriterConfig", {})
    if not is_object(config):
        yield schema_error("Expected value of type Object", f"{pointer}/WriterConfig")
        return
    yield from _parameters(writer, pointer, jsonata=jsonata)
    if "Resource" in writer and not str(writer["Resource"]).endswith(":s3:putObject"):
        yield schema_error(f"The resource provided {writer['Resource']} is not recognized.", f"{pointer}/Resource")
    for field, values in _WRITER_VALUES.items():
        if field in config and config[field] not in values:
            text = f"The field '{field}' should have one of these values: [{', '.join(values)}]"
            yield schema_error(text, f"{pointer}/WriterConfig/{field}")
