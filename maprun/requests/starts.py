"""What may start an execution, from the topic and the API alike, and what is written of a record that may not."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from maprun.language.depth import json_depth_ok
from maprun.requests.callbacks import TOKEN_CHARS_MAX, CallbackRecord
from maprun.requests.checks import (
    INPUT_BYTES_MAX,
    INPUT_DEPTH_MAX,
    Refusal,
    check_input,
    check_length,
    constraint_failed,
    machine_of_arn,
    nested_too_deeply,
    validate_name,
)
from maprun.requests.registry import MachineRegistry
from maprun.requests.versions import Chosen, chosen, exists
from schemas.arns import Names, unqualified
from schemas.execution_logs import logging_of
from schemas.home import ExecutionRequested, Origin
from schemas.machines import MachineWritten
from schemas.requests import RequestRejected

ARN_CHARS_MAX = 256
TRACE_HEADER_CHARS_MAX = 256
RECORD_BYTES_MAX = 1 << 20
RECORD_SHOWN_CHARS_MAX = 262_144
"""Of a rejected record shown in its rejection: a broken record may be of any size."""


Traced = Callable[[str, bytes, str], str]
"""The trace header that an execution carries: of the header given, its machine's tracing configuration, its ARN."""


def as_given(given: str, _configuration: bytes, _arn: str) -> str:
    """The header as it was given."""
    return given


class Start(msgspec.Struct, frozen=True):
    """What StartExecution was asked for. `name` None = not given; `input` is JSON text, None = not given (`{}`)."""

    machine_arn: str
    name: str | None = None
    input: bytes | None = None
    trace_header: str = ""


class _Record(CallbackRecord):
    """A record of `execution-requests`; members are looked at one by one so that each gets its own error."""

    machine_arn: Any = msgspec.field(default=None, name="stateMachineArn")
    name: Any = None
    input: msgspec.Raw = msgspec.Raw(b"null")
    trace_header: Any = msgspec.field(default=None, name="traceHeader")


_record_decoder = msgspec.json.Decoder(_Record)


def parse_record(value: bytes | None) -> Start | CallbackRecord:
    """A record of `execution-requests`: {"stateMachineArn", "name"?, "input"?, "traceHeader"?}, or with a taskToken.

    `input` is a string that holds JSON, as in the API, or any other JSON value. Raises Refusal.
    """
    if not value:
        raise Refusal("SerializationException", "The record is empty; a JSON object is expected.")
    if len(value) > RECORD_BYTES_MAX:
        raise Refusal("ValidationException", f"The record has {len(value)} bytes; at most {RECORD_BYTES_MAX} are read.")
    if not json_depth_ok(value, INPUT_DEPTH_MAX + 1):
        raise Refusal("InvalidExecutionInput", nested_too_deeply())
    try:
        record = _record_decoder.decode(value)
        text = _input_text(bytes(record.input))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("SerializationException", f"The record is not the JSON object expected: {error}") from None
    if record.task_token is not None:
        if record.machine_arn is not None:
            raise Refusal("ValidationException", "A record has 'stateMachineArn' or 'taskToken', not both.")
        check_length("taskToken", _string("taskToken", record.task_token), 1, TOKEN_CHARS_MAX)
        return record
    return Start(
        _string("stateMachineArn", record.machine_arn, required=True),
        _string("name", record.name) if record.name is not None else None,
        text,
        _string("traceHeader", record.trace_header),
    )


def _input_text(raw: bytes) -> bytes | None:
    text = raw.strip()
    if text == b"null":
        return None
    return msgspec.json.decode(text, type=str).encode() if text[:1] == b'"' else text


def _string(member: str, value: object, *, required: bool = False) -> str:
    if value is None and not required:
        return ""
    if value is None:
        constraint_failed(member, "Member must not be null", "null")
    if not isinstance(value, str):
        raise Refusal("SerializationException", f"Member '{member}' must be a string.")
    return value


def check_start(start: Start, input_bytes_max: int = INPUT_BYTES_MAX) -> None:
    """All that can be said of a request without knowing any machine. Raises Refusal."""
    check_length("stateMachineArn", start.machine_arn, 1, ARN_CHARS_MAX)
    machine_of_arn(start.machine_arn)
    if start.name is not None:
        validate_name(start.name)
    check_length("traceHeader", start.trace_header, 0, TRACE_HEADER_CHARS_MAX)
    if start.input is not None:
        check_input(start.input, input_bytes_max)


def machine_to_start(start: Start, machines: MachineRegistry, input_bytes_max: int = INPUT_BYTES_MAX) -> MachineWritten:
    """The machine of a request, which is checked for all else, whatever version of it is named. Raises Refusal.

    `StateMachineDoesNotExist` is only as true as `machines`: read that topic to its end before you believe it.
    """
    check_start(start, input_bytes_max)
    machine = machines.get(unqualified(start.machine_arn)) if exists(machines, start.machine_arn) else None
    if machine is None:
        raise _missing(start)
    if machine.deleting:
        raise being_deleted(machine.arn)
    return machine


def chosen_to_start(start: Start, machines: MachineRegistry, execution: str) -> Chosen:
    """What runs the execution with this ARN. Raises Refusal (StateMachineDoesNotExist), as `machine_to_start`."""
    found = chosen(machines, start.machine_arn, execution)
    if found is None:
        raise _missing(start)
    return found


def being_deleted(arn: str) -> Refusal:
    """The state machine was deleted, and some of its executions are open yet."""
    return Refusal("StateMachineDeleting", f"State Machine is being deleted: '{arn}'")


def _missing(start: Start) -> Refusal:
    return Refusal("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{start.machine_arn}'")


def execution_requested(
    start: Start,
    machines: MachineRegistry,
    names: Names,
    request_id: str,
    derived_name: str,
    origin: Origin | None = None,
    traced: Traced = as_given,
) -> ExecutionRequested:
    """The command for the home of an execution of a STANDARD machine; `derived_name` is taken when none was given.

    Raises Refusal (StateMachineDoesNotExist).
    """
    name = derived_name if start.name is None else start.name
    arn = names.execution(machine_of_arn(start.machine_arn)[0], name)
    found = chosen_to_start(start, machines, arn)
    machine, revision = found.machine, found.revision
    return ExecutionRequested(
        request_id=request_id,
        arn=arn,
        name=name,
        machine_arn=machine.arn,
        machine_name=machine.name,
        machine_type=revision.spec.machine_type,
        revision_id=revision.revision_id,
        role_arn=revision.spec.role_arn,
        definition=revision.spec.definition,
        input=b"{}" if start.input is None else start.input,
        trace_header=traced(start.trace_header, revision.spec.tracing, arn),
        origin=origin,
        version=revision.version,
        alias=found.alias,
        logging=logging_of(revision.spec.logging),
    )


def encode_rejection(rejected: RequestRejected, bytes_max: int = RECORD_BYTES_MAX) -> bytes:
    """A rejection as it stands on its topic: JSON, for people and their programs; what is shown is cut to `bytes_max`.

    A character may take six bytes in JSON.
    """
    origin, chars = rejected.origin, RECORD_SHOWN_CHARS_MAX
    while True:
        value = msgspec.json.encode(
            {
                "origin": {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset},
                "error": rejected.error,
                "message": rejected.message[:chars],
                "record": rejected.record.decode(errors="replace")[:chars],
            }
        )
        if len(value) <= bytes_max or not chars:
            return value
        chars //= 2


def derived_id(*parts: object) -> str:
    """An id shaped like a UUID that is a function of `parts` alone, so that a repeat asks for the same thing."""
    text = "\n".join(str(part) for part in parts)
    d = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"
