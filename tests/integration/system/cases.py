"""The table of bad inputs: what is sent through which door, and the error it must get.

Three kinds: a start that is refused at the door; a definition that is refused; a good start of a machine that then
fails, as its source or its items are bad. Where AWS has an error name for it, it is AWS's.
"""

import json
from typing import Any

import msgspec

ARN = "arn:aws:states:us-east-1:123456789012"
MACHINE = f"{ARN}:stateMachine:good"
BUCKET = "bad-inputs"
Json = dict[str, Any]


class BadStart(msgspec.Struct, frozen=True):
    """A start that is refused. `members` are StartExecution's; all doors but those in `not_by` can say it."""

    title: str
    members: Json
    error: str
    not_by: tuple[str, ...] = ()


def _start(title: str, error: str, *, not_by: tuple[str, ...] = (), **members: Any) -> BadStart:
    return BadStart(title, {"stateMachineArn": MACHINE, **members}, error, not_by)


BAD_STARTS = (
    _start("unknown machine", "StateMachineDoesNotExist", stateMachineArn=f"{ARN}:stateMachine:nobody"),
    _start("machine of another account", "StateMachineDoesNotExist", stateMachineArn=MACHINE.replace("1234", "9999")),
    _start(
        "machine of another Region", "StateMachineDoesNotExist", stateMachineArn=MACHINE.replace("east-1", "east-2")
    ),
    _start("ARN that is none", "InvalidArn", stateMachineArn="arn:nonsense"),
    _start("ARN of an execution", "InvalidArn", stateMachineArn=f"{ARN}:execution:good:x"),
    _start("ARN of an activity", "InvalidArn", stateMachineArn=f"{ARN}:activity:good"),
    _start("ARN of another service", "InvalidArn", stateMachineArn="arn:aws:s3:::bucket"),
    _start("empty ARN", "ValidationException", not_by=("cli",), stateMachineArn=""),
    _start("ARN of 300 characters", "ValidationException", stateMachineArn=f"{ARN}:stateMachine:{'x' * 260}"),
    _start("labelled ARN", "ValidationException", stateMachineArn=f"{MACHINE}/Label"),
    _start("name with a space", "InvalidName", name="a b"),
    _start("name with a colon", "InvalidName", name="a:b"),
    _start("name with a slash", "InvalidName", name="a/b"),
    _start("name with <>", "InvalidName", name="<script>"),
    _start("name with a newline", "InvalidName", name="a\nb"),
    _start("name with a control character", "InvalidName", name="a\x07b"),
    _start("name with a quote", "InvalidName", name='a"b'),
    _start("name with a wildcard", "InvalidName", name="a*b"),
    _start("empty name", "ValidationException", name=""),
    _start("name of 81 characters", "ValidationException", name="x" * 81),
    _start("input with single quotes", "InvalidExecutionInput", input="{'a': 1}"),
    _start("input of bare words", "InvalidExecutionInput", input="not json"),
    _start("input cut off", "InvalidExecutionInput", input='{"a": [1, 2'),
    _start("empty input", "InvalidExecutionInput", input=""),
    _start("input with two values", "InvalidExecutionInput", input="{} {}"),
    _start("input with NaN", "InvalidExecutionInput", input='{"a": NaN}'),
    _start("input with a trailing comma", "InvalidExecutionInput", input="[1,]"),
    _start("input of 300 KiB", "ValidationException", input=json.dumps("x" * 300 * 1024)),
    _start("input 5,000 levels deep", "InvalidExecutionInput", input="[" * 5_000 + "]" * 5_000),
    _start("input 100,000 levels deep", "InvalidExecutionInput", input="[" * 100_000 + "]" * 100_000),
    _start("trace header of 300 characters", "ValidationException", not_by=("cli",), traceHeader="x" * 300),
    _start("a name in use with another input", "ExecutionAlreadyExists", name="taken", input='{"other": 1}'),
)


class BadRecord(msgspec.Struct, frozen=True):
    """A record of the topic, or the body of an HTTP request, that is not even a request."""

    title: str
    value: bytes | None
    error: str


BAD_RECORDS = (
    BadRecord("no value", None, "SerializationException"),
    BadRecord("empty value", b"", "SerializationException"),
    BadRecord("text", b"hello", "SerializationException"),
    BadRecord("JSON cut off", b'{"stateMachineArn": "arn', "SerializationException"),
    BadRecord("an array", b"[]", "SerializationException"),
    BadRecord("a number", b"17", "SerializationException"),
    BadRecord("bytes that are no UTF-8", b'{"stateMachineArn": "\xff\xfe"}', "SerializationException"),
    BadRecord("an empty object", b"{}", "ValidationException"),
    BadRecord("ARN that is a number", b'{"stateMachineArn": 17}', "SerializationException"),
    BadRecord(
        "name that is an object", b'{"stateMachineArn": "%s", "name": {}}' % MACHINE.encode(), "SerializationException"
    ),
    BadRecord("2,000,000 bytes", b'{"stateMachineArn": "%s"}' % (b"x" * 2_000_000), "ValidationException"),
    BadRecord("50,000 levels deep", b"[" * 50_000, "InvalidExecutionInput"),
)

BAD_BODIES = (
    BadRecord("text", b"hello", "SerializationException"),
    BadRecord("nothing", b"", "ValidationException"),
    BadRecord("JSON cut off", b'{"stateMachineArn": "arn', "SerializationException"),
    BadRecord("an array", b"[]", "SerializationException"),
    BadRecord("bytes that are no UTF-8", b'{"stateMachineArn": "\xff\xfe"}', "SerializationException"),
    BadRecord("an empty object", b"{}", "ValidationException"),
    BadRecord("ARN that is a number", b'{"stateMachineArn": 17}', "SerializationException"),
    BadRecord(
        "input that is an object",
        b'{"stateMachineArn": "%s", "input": {}}' % MACHINE.encode(),
        "SerializationException",
    ),
    BadRecord("50,000 levels deep", b'{"input": ' + b"[" * 50_000, "SerializationException"),
    BadRecord("3 MiB", b'{"input": "' + b"x" * (3 << 20) + b'"}', "RequestEntityTooLargeException"),
)


class BadDefinition(msgspec.Struct, frozen=True):
    """A definition that CreateStateMachine refuses. `cli`: what the command line says of it, if not the same."""

    title: str
    definition: str
    error: str = "InvalidDefinition"
    cli: str = ""


def _states(start: str = "A", **states: Json) -> str:
    return json.dumps({"StartAt": start, "States": states})


def _map(**members: Any) -> str:
    state: Json = {
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P",
            "States": {"P": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    return _states(A={**state, **members})


_DEEP = '{"StartAt":"A","States":' + '{"a":' * 3_000 + "1" + "}" * 3_000 + "}"
BAD_DEFINITIONS = (
    BadDefinition("text", "hello", cli="usage"),
    BadDefinition("an array", "[]", cli="usage"),
    BadDefinition("an empty object", "{}", cli="usage"),
    BadDefinition("no States", '{"StartAt": "A"}'),
    BadDefinition("no StartAt", '{"States": {"A": {"Type": "Succeed"}}}'),
    BadDefinition("StartAt leads nowhere", _states("B", A={"Type": "Succeed"})),
    BadDefinition("Next leads nowhere", _states(A={"Type": "Pass", "Next": "B"})),
    BadDefinition("neither Next nor End", _states(A={"Type": "Pass"})),
    BadDefinition("unknown type", _states(A={"Type": "Jump", "End": True})),
    BadDefinition("state without type", _states(A={"End": True})),
    BadDefinition("state name of 81 characters", _states("x" * 81, **{"x" * 81: {"Type": "Succeed"}})),
    BadDefinition("Choice without rules", _states(A={"Type": "Choice", "Choices": []})),
    BadDefinition("Wait without a time", _states(A={"Type": "Wait", "End": True})),
    BadDefinition("Wait until no timestamp", _states(A={"Type": "Wait", "Timestamp": "yesterday", "End": True})),
    BadDefinition("Task without resource", _states(A={"Type": "Task", "End": True})),
    BadDefinition("Task on nonsense", _states(A={"Type": "Task", "Resource": "nonsense", "End": True})),
    BadDefinition("bad path", _states(A={"Type": "Pass", "InputPath": "no path", "End": True})),
    BadDefinition("bad intrinsic", _states(A={"Type": "Pass", "Parameters": {"a.$": "States.Nope("}, "End": True})),
    BadDefinition("Parallel without branches", _states(A={"Type": "Parallel", "Branches": [], "End": True})),
    BadDefinition("Map without processor", _states(A={"Type": "Map", "End": True})),
    BadDefinition("negative MaxConcurrency", _map(MaxConcurrency=-1)),
    BadDefinition("tolerance of 101 per cent", _map(ToleratedFailurePercentage=101)),
    BadDefinition("label with a space", _map(Label="a b")),
    BadDefinition("batcher without limit", _map(ItemBatcher={"BatchInput": {}})),
    BadDefinition("reader on nonsense", _map(ItemReader={"Resource": "arn:aws:states:::s3:eat", "Parameters": {}})),
    BadDefinition("3,000 levels deep", _DEEP, cli="usage"),
    BadDefinition(
        "more than 1 MB", _states(A={"Type": "Pass", "Comment": "x" * 1_100_000, "End": True}), "ValidationException"
    ),
)


class BadRun(msgspec.Struct, frozen=True):
    """A good start of a good machine whose execution fails. `definition` is made a machine before."""

    title: str
    definition: str
    error: str
    input: str = "{}"


def _reader(key: str, kind: str, *, bucket: str = BUCKET, **config: Any) -> Json:
    return {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": kind, **config},
        "Parameters": {"Bucket": bucket, "Key": key},
    }


_CSV = {"CSVHeaderLocation": "FIRST_ROW"}
_ITEM_READER = "States.ItemReaderFailed"
_TOLERANCE = "States.ExceedToleratedFailureThreshold"
OBJECTS = {
    "twice.csv": b"a,b,a\n1,2,3\n",
    "good.csv": b"a,b\n1,2\n3,4\n",
    "broken.json": b'[{"a": 1}, {"a":',
    "number.json": b"17",
    "broken.jsonl": b'{"a": 1}\n{"a": \n{"a": 3}\n',
    "huge.jsonl": b'{"a": "' + b"x" * 400_000 + b'"}\n',
    "noise.csv.gz": b"this is not gzip",
    "deep.json": b"[" * 20_000 + b"]" * 20_000,
    "binary.csv": b"a,b\n\xff\xfe\x00,2\n",
}


def _processor(**states: Json) -> Json:
    first = next(iter(states))
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    return {"ItemProcessor": {"ProcessorConfig": config, "StartAt": first, "States": states}}


def _task(function: str) -> Json:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "End": True,
    }


_WRITER = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "no-such-bucket", "Prefix": "p"}}
BAD_RUNS = (
    BadRun("missing bucket", _map(ItemReader=_reader("x.csv", "CSV", bucket="no-such-bucket", **_CSV)), _ITEM_READER),
    BadRun("missing key", _map(ItemReader=_reader("no-such.csv", "CSV", **_CSV)), _ITEM_READER),
    BadRun("CSV with a header twice", _map(ItemReader=_reader("twice.csv", "CSV", **_CSV)), _ITEM_READER),
    BadRun("JSON that breaks off", _map(ItemReader=_reader("broken.json", "JSON")), _ITEM_READER),
    BadRun("JSON that is a number", _map(ItemReader=_reader("number.json", "JSON")), _ITEM_READER),
    BadRun("JSONL with a broken line", _map(ItemReader=_reader("broken.jsonl", "JSONL")), _ITEM_READER),
    BadRun("gzip that is none", _map(ItemReader=_reader("noise.csv.gz", "CSV", **_CSV)), _ITEM_READER),
    BadRun("an item of 400 KB", _map(ItemReader=_reader("huge.jsonl", "JSONL")), "States.DataLimitExceeded"),
    BadRun("an item 20,000 levels deep", _map(ItemReader=_reader("deep.json", "JSON")), _ITEM_READER),
    BadRun(
        "MaxItems of -1",
        _map(ItemReader={**_reader("good.csv", "CSV", **_CSV, MaxItemsPath="$.n")}),
        _ITEM_READER,
        '{"n": -1}',
    ),
    BadRun(
        "listing of a missing bucket",
        _map(ItemReader={"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "no-such-bucket"}}),
        _ITEM_READER,
    ),
    BadRun("items that are no array", _map(ItemsPath="$.n"), "States.Runtime", '{"n": 17}'),
    BadRun("items that are not there", _map(ItemsPath="$.n"), "States.Runtime"),
    BadRun("selector that leads nowhere", _map(ItemSelector={"a.$": "$.nowhere"}), "States.Runtime", "[1, 2]"),
    BadRun("children that fail", _map(**_processor(F={"Type": "Fail", "Error": "Mine"})), _TOLERANCE, "[1, 2]"),
    BadRun("a function that is not there", _map(**_processor(T=_task("nobody"))), _TOLERANCE, "[1]"),
    BadRun(
        "results of 400 KB",
        _map(**_processor(P={"Type": "Pass", "Result": "x" * 1000, "End": True})),
        "States.DataLimitExceeded",
        json.dumps(list(range(400))),
    ),
    BadRun("results into a missing bucket", _map(ResultWriter=_WRITER), "States.ResultWriterFailed", "[1]"),
    BadRun(
        "a path that leads nowhere",
        _states(A={"Type": "Pass", "InputPath": "$.nowhere", "End": True}),
        "States.Runtime",
    ),
    BadRun(
        "no choice matches",
        _states(
            A={"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "B"}]},
            B={"Type": "Succeed"},
        ),
        "States.Runtime",
    ),
    BadRun(
        "a wait for text",
        _states(A={"Type": "Wait", "SecondsPath": "$.s", "End": True}),
        "States.Runtime",
        '{"s": "soon"}',
    ),
    BadRun("a task on a missing function", _states(A=_task("nobody")), "Lambda.ResourceNotFoundException"),
)

CHANGING = _map(
    ItemReader=_reader("changing.jsonl", "JSONL"),
    MaxConcurrency=400,
    **_processor(W={"Type": "Wait", "Seconds": 1, "End": True}),
)
"""Reads slowly enough that its source can be replaced in the middle."""
