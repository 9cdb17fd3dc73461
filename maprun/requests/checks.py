"""What every request is held to: names, ARNs, lengths and inputs, refused with AWS's error names and messages."""

import re
from collections.abc import Sequence
from typing import NoReturn

import msgspec

from maprun.language.depth import json_depth_ok

NAME_CHARS_MAX = 80
INPUT_BYTES_MAX = 262_144
INPUT_DEPTH_MAX = 500
"""Levels of nesting in an input. A JSON decoder recurses once a level; Python's own bound is 1,000 frames."""

# AWS: whitespace, brackets, wildcards, special and control characters (API reference, StartExecution, `name`)
_NAME_REFUSED = re.compile('[\\s<>{}\\[\\]?*"#%\\\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]')
_ARN_PARTS = 6
_TOO_DEEP = f"Document nesting depth exceeds the maximum of {INPUT_DEPTH_MAX}"
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


def machine_of_arn(arn: str) -> tuple[str, str]:
    """The name in a state machine's ARN, and behind it the number of a version, the name of an alias, or nothing.

    Raises Refusal; the ARN of a Map Run's children is not one to start.
    """
    _, rest = parse_arn(arn, ("stateMachine",))
    if "/" in rest[0]:
        message = f"This operation does not support labeled state machine ARNs: '{arn}'"
        raise Refusal("ValidationException", message, "API_DOES_NOT_SUPPORT_LABELED_ARNS")
    return rest[0], ":".join(rest[1:])


def check_input(text: bytes, input_bytes_max: int = INPUT_BYTES_MAX) -> None:
    """An execution's input: one JSON value within the payload limit. Raises Refusal."""
    if len(text) > input_bytes_max:
        constraint_failed("input", f"Member must have length less than or equal to {input_bytes_max}")
    if fault := _json_fault(text):
        raise Refusal("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{fault}'")


def check_output(text: bytes, output_bytes_max: int) -> None:
    """What SendTaskSuccess is given: one JSON value within the payload limit. Raises Refusal."""
    if len(text) > output_bytes_max:
        constraint_failed("output", f"Member must have length less than or equal to {output_bytes_max}")
    if fault := _json_fault(text):
        raise Refusal("InvalidOutput", f"Invalid Output: '{fault}'")


def nested_too_deeply() -> str:
    """AWS's words for an input that nests past INPUT_DEPTH_MAX levels."""
    return f"Invalid State Machine Execution Input: '{_TOO_DEEP}'"


def _json_fault(text: bytes) -> str:
    """Why a text is no JSON value, or none that may come in; empty if it may."""
    if not json_depth_ok(text, INPUT_DEPTH_MAX):
        return _TOO_DEEP
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _what_is_wrong(text)
    return ""


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
