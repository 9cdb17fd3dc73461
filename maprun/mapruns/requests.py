"""What may start an execution and what is refused, with AWS's error names and messages, for topic and API alike."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec

from maprun.language.depth import json_depth_ok
from maprun.mapruns.registry import MachineRegistry
from schemas.arns import Names
from schemas.home import ExecutionRequested, Origin
from schemas.requests import RequestRejected

NAME_CHARS_MAX = 80
ARN_CHARS_MAX = 256
TRACE_HEADER_CHARS_MAX = 256
INPUT_BYTES_MAX = 262_144
RECORD_BYTES_MAX = 1 << 20
RECORD_SHOWN_CHARS_MAX = 262_144
"""Of a rejected record shown in its rejection: a broken record may be of any size."""
INPUT_DEPTH_MAX = 500
"""Levels of nesting in an input. A JSON decoder recurses once a level; Python's own bound is 1,000 frames."""

# AWS: whitespace, brackets, wildcards, special and control characters (API reference, StartExecution, `name`)
_NAME_REFUSED = re.compile('[\\s<>{}\\[\\]?*"#%\\\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]')
_ARN_PARTS = 6
_TOKEN = re.compile(r"[A-Za-z0-9_$]+")
_LITERALS = frozenset({"true", "false", "null"})
_EXPECTED = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


class Refusal(Exception):  # noqa: N818 - an answer to the user, not a fault of the system
    """A request that is refused: AWS's error name and message. The same request again is refused again.

    `reason` is the member of that name that some of AWS's ValidationExceptions have; "" = none.
    """

    retriable = False

    def __init__(self, code: str, message: str, reason: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.reason = reason


class Start(msgspec.Struct, frozen=True):
    """What StartExecution was asked for. `name` None = not given; `input` is JSON text, None = not given (`{}`)."""

    machine_arn: str
    name: str | None = None
    input: bytes | None = None
    trace_header: str = ""


class _Record(msgspec.Struct):
    """A record of `execution-requests`; members are looked at one by one so that each gets its own error."""

    machine_arn: Any = msgspec.field(default=None, name="stateMachineArn")
    name: Any = None
    input: msgspec.Raw = msgspec.Raw(b"null")
    trace_header: Any = msgspec.field(default=None, name="traceHeader")


_record_decoder = msgspec.json.Decoder(_Record)


def parse_record(value: bytes | None) -> Start:
    """A record of `execution-requests`: {"stateMachineArn", "name"?, "input"?, "traceHeader"?}.

    `input` is a string that holds JSON, as in the API, or any other JSON value. Raises Refusal.
    """
    if not value:
        raise Refusal("SerializationException", "The record is empty; a JSON object is expected.")
    if len(value) > RECORD_BYTES_MAX:
        raise Refusal("ValidationException", f"The record has {len(value)} bytes; at most {RECORD_BYTES_MAX} are read.")
    if not json_depth_ok(value, INPUT_DEPTH_MAX + 1):
        raise Refusal("InvalidExecutionInput", _too_deep())
    try:
        record = _record_decoder.decode(value)
        text = _input_text(bytes(record.input))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("SerializationException", f"The record is not the JSON object expected: {error}") from None
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


def validate_start(
    start: Start,
    machines: MachineRegistry,
    names: Names,
    request_id: str,
    derived_name: str,
    origin: Origin | None = None,
    input_bytes_max: int = INPUT_BYTES_MAX,
) -> ExecutionRequested:
    """The command for the home of the execution; `derived_name` is taken when none was given. Raises Refusal.

    `StateMachineDoesNotExist` is only as true as `machines`: read that topic to its end before you believe it.
    """
    check_start(start, input_bytes_max)
    machine = machines.get(start.machine_arn)
    if machine is None:
        raise Refusal("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{start.machine_arn}'")
    if machine.spec.machine_type != "STANDARD":
        raise Refusal("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
    name = derived_name if start.name is None else start.name
    return ExecutionRequested(
        request_id=request_id,
        arn=names.execution(machine.name, name),
        name=name,
        machine_arn=machine.arn,
        machine_name=machine.name,
        machine_type=machine.spec.machine_type,
        revision_id=machine.revision_id,
        role_arn=machine.spec.role_arn,
        definition=machine.spec.definition,
        input=b"{}" if start.input is None else start.input,
        trace_header=start.trace_header,
        origin=origin,
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


def validate_name(name: str, member: str = "name") -> None:
    """A name of an execution or a state machine. Raises Refusal (ValidationException, InvalidName)."""
    check_length(member, name, 1, NAME_CHARS_MAX)
    if _NAME_REFUSED.search(name):
        raise Refusal("InvalidName", f"Invalid Name: '{name}'")


def check_length(member: str, value: str, least: int, most: int) -> None:
    """AWS's framework-level bound on a member's length in characters. Raises Refusal (ValidationException)."""
    if len(value) > most:
        constraint_failed(member, f"Member must have length less than or equal to {most}", f"'{value}'")
    if len(value) < least:
        constraint_failed(member, f"Member must have length greater than or equal to {least}", f"'{value}'")


def constraint_failed(member: str, constraint: str, shown: str = "") -> NoReturn:
    """Raises AWS's ValidationException for one member; `shown` is its value as printed, empty for secret ones."""
    value = f"Value {shown}" if shown else "Value"
    raise Refusal(
        "ValidationException",
        f"1 validation error detected: {value} at '{member}' failed to satisfy constraint: {constraint}",
    )


def parse_arn(arn: str, kinds: Sequence[str]) -> tuple[str, list[str]]:
    """The resource type of a Step Functions ARN and its parts behind it. Raises Refusal (InvalidArn)."""
    parts = arn.split(":")
    if parts[0] != "arn" or len(parts) <= _ARN_PARTS or not all(parts[1:4]):
        raise Refusal("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {arn}'")
    kind, rest = parts[5], parts[6:]
    if parts[2] != "states" or kind not in kinds:
        raise Refusal("InvalidArn", f"Invalid Arn: 'Resource type not valid in this context: {kind}'")
    return kind, rest


def machine_of_arn(arn: str) -> str:
    """The name in a state machine's ARN. Raises Refusal; the ARN of a Map Run's children is not one to start."""
    _, rest = parse_arn(arn, ("stateMachine",))
    if "/" in rest[0]:
        message = f"This operation does not support labeled state machine ARNs: '{arn}'"
        raise Refusal("ValidationException", message, "API_DOES_NOT_SUPPORT_LABELED_ARNS")
    return rest[0]


def check_input(text: bytes, input_bytes_max: int = INPUT_BYTES_MAX) -> None:
    """An execution's input: one JSON value within the payload limit. Raises Refusal."""
    if len(text) > input_bytes_max:
        constraint_failed("input", f"Member must have length less than or equal to {input_bytes_max}")
    if not json_depth_ok(text, INPUT_DEPTH_MAX):
        raise Refusal("InvalidExecutionInput", _too_deep())
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = f"Invalid State Machine Execution Input: '{_what_is_wrong(text)}'"
        raise Refusal("InvalidExecutionInput", message) from None


def _too_deep() -> str:
    return f"Invalid State Machine Execution Input: 'Document nesting depth exceeds the maximum of {INPUT_DEPTH_MAX}'"


def _what_is_wrong(text: bytes) -> str:
    """Jackson's words where AWS was seen to pass them on, else AWS's general ones."""
    shown = text.decode(errors="replace").lstrip()
    token = _TOKEN.match(shown)
    if token is not None and token[0][0].isalpha() and token[0] not in _LITERALS:
        return f"Unrecognized token '{token[0]}': was expecting {_EXPECTED}"
    if shown[:1] == "{":
        inside = shown[1:].lstrip()[:1]
        if inside and inside not in '"}':
            character = f"Unexpected character ('{inside}' (code {ord(inside)}))"
            return f"{character}: was expecting double-quote to start field name"
    return "Invalid execution input."
