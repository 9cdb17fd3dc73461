"""What starts an execution and what is refused, with AWS's names and messages."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.language.depth import json_depth_ok
from maprun.requests.checks import INPUT_BYTES_MAX, Refusal, check_input, validate_name
from maprun.requests.registry import MachineRegistry
from maprun.requests.starts import (
    Start,
    derived_id,
    encode_rejection,
    execution_requested,
    machine_to_start,
    parse_record,
)
from schemas.home import Origin
from schemas.lanes import Cause
from schemas.machines import MachineSpec, MachineWritten
from schemas.requests import RequestRejected
from tests.unit.mapruns.programs import NAMES

ARN = NAMES.machine("m")
TOO_LONG = "1 validation error detected: Value '{}' at 'name' failed to satisfy constraint: "


def machine(offset: int = 0, **over: Any) -> MachineWritten:
    """A machine as of one home record."""
    spec = MachineSpec(b'{"v":%d}' % offset, "role", over.pop("machine_type", "STANDARD"))
    return MachineWritten(Cause(1, offset, 0), over.pop("arn", ARN), "m", spec, "rev", 1, 1, **over)


def registry(*machines: MachineWritten) -> MachineRegistry:
    """A view that read these."""
    view = MachineRegistry()
    for each in machines or (machine(), machine(arn=NAMES.machine("x"), machine_type="EXPRESS")):
        view.apply(each)
    return view


def started(value: bytes) -> Start:
    """What a record of the topic starts."""
    parsed = parse_record(value)
    assert isinstance(parsed, Start)
    return parsed


def refusal(record: Any) -> tuple[str, str]:
    """How a record of the topic is refused."""
    value = record if isinstance(record, bytes) else json.dumps(record).encode()
    with pytest.raises(Refusal) as refused:
        machine_to_start(started(value), registry())
    return refused.value.code, refused.value.message


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        (b"", "SerializationException", "The record is empty"),
        (b"{", "SerializationException", "truncated"),
        (b"[]", "SerializationException", "Expected `object`"),
        (b"\xff\xfe", "SerializationException", "malformed"),
        (b"x" * (1 << 21), "ValidationException", "at most"),
        ({}, "ValidationException", "Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be"),
        ({"stateMachineArn": 7}, "SerializationException", "'stateMachineArn' must be a string"),
        ({"stateMachineArn": ARN, "name": {}}, "SerializationException", "'name' must be a string"),
        ({"stateMachineArn": ""}, "ValidationException", "greater than or equal to 1"),
        ({"stateMachineArn": "a" * 257}, "ValidationException", "less than or equal to 256"),
        ({"stateMachineArn": "text"}, "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: text'"),
        (
            {"stateMachineArn": NAMES.execution("m", "e")},
            "InvalidArn",
            "Invalid Arn: 'Resource type not valid in this context: execution'",
        ),
        ({"stateMachineArn": ARN + "/label"}, "ValidationException", "labeled state machine ARNs"),
        ({"stateMachineArn": ARN + "not"}, "StateMachineDoesNotExist", f"State Machine Does Not Exist: '{ARN}not'"),
        ({"stateMachineArn": ARN, "name": "a b"}, "InvalidName", "Invalid Name: 'a b'"),
        ({"stateMachineArn": ARN, "name": ""}, "ValidationException", TOO_LONG.format("")),
        ({"stateMachineArn": ARN, "name": "n" * 81}, "ValidationException", "length less than or equal to 80"),
        ({"stateMachineArn": ARN, "input": "not json"}, "InvalidExecutionInput", "Unrecognized token 'not': was expec"),
        (
            {"stateMachineArn": ARN, "input": "{'a': 1}"},
            "InvalidExecutionInput",
            "'Unexpected character (''' (code 39)): was expecting double-quote to start field name'",
        ),
        ({"stateMachineArn": ARN, "input": '{"a": }'}, "InvalidExecutionInput", "Invalid execution input."),
        ({"stateMachineArn": ARN, "input": ""}, "InvalidExecutionInput", "Invalid execution input."),
        ({"stateMachineArn": ARN, "input": "[" * 600 + "]" * 600}, "InvalidExecutionInput", "nesting depth"),
        (
            {"stateMachineArn": ARN, "input": "x" * 300_000},
            "ValidationException",
            "length less than or equal to 262144",
        ),
        ({"stateMachineArn": ARN, "traceHeader": "t" * 257}, "ValidationException", "'traceHeader'"),
    ],
)
def test_refusals(record: Any, code: str, message: str) -> None:
    """Each bad record gets AWS's error name and a message that says what is wrong with it."""
    got = refusal(record)
    assert got[0] == code
    assert message in got[1]


@pytest.mark.parametrize(
    ("given_input", "kept"),
    [
        ({}, b"{}"),
        ({"input": None}, b"{}"),
        ({"input": '{ "a" : 1 }'}, b'{ "a" : 1 }'),  # the caller's text, spaces and all
        ({"input": {"a": [1, 2]}}, b'{"a": [1, 2]}'),
        ({"input": [1]}, b"[1]"),
        ({"input": 7}, b"7"),
        ({"input": '"text"'}, b'"text"'),
        ({"input": "null"}, b"null"),
    ],
)
def test_input_is_json_in_a_string_or_any_json(given_input: dict[str, Any], kept: bytes) -> None:
    """As in the API a string holds JSON; any other value is the input itself; nothing is an empty object."""
    start = started(json.dumps({"stateMachineArn": ARN, **given_input}).encode())
    command = execution_requested(start, registry(), NAMES, "request", "derived", Origin("t", 1, 2))
    assert command.input == kept
    assert (command.name, command.arn) == ("derived", NAMES.execution("m", "derived"))
    assert (command.definition, command.role_arn, command.origin) == (b'{"v":0}', "role", Origin("t", 1, 2))


def test_an_input_of_exactly_the_limit_is_taken() -> None:
    """262,144 bytes pass, one more does not."""
    check_input(b'"' + b"x" * (INPUT_BYTES_MAX - 2) + b'"')
    with pytest.raises(Refusal):
        check_input(b'"' + b"x" * (INPUT_BYTES_MAX - 1) + b'"')


@pytest.mark.parametrize("bad", list(' <>{}[]?*"#%\\^|~`$&,;:/\x00\x1f\x7f\x9f\n'))
def test_characters_that_no_name_may_have(bad: str) -> None:
    """Whitespace, brackets, wildcards, special and control characters make a name invalid."""
    with pytest.raises(Refusal, match="InvalidName"):
        validate_name(f"a{bad}b")


def test_names_may_have_everything_else() -> None:
    """Letters of any script, digits, and the signs that are left."""
    validate_name("Käse-Überblick_1.2+3=@!()'é漢字")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_request_or_refused(record: bytes) -> None:
    """No record of the topic raises anything but a Refusal."""
    try:
        machine_to_start(started(record), registry())
    except Refusal as refused:
        assert refused.code  # noqa: PT017 - either way is right, only another exception is wrong


@given(st.binary(max_size=300))
def test_any_record_can_be_shown_in_its_rejection(record: bytes) -> None:
    """A rejection is JSON whatever the record was."""
    shown = msgspec.json.decode(encode_rejection(RequestRejected(Origin("t", 1, 2), "E", "m", record)))
    assert shown["origin"] == {"topic": "t", "partition": 1, "offset": 2}
    assert (shown["error"], shown["message"]) == ("E", "m")
    assert isinstance(shown["record"], str)


def test_derived_ids_are_functions_of_their_parts() -> None:
    """The same place gives the same id, another place another, all shaped like UUIDs."""
    ids = {derived_id("name", "t", p, o) for p in range(20) for o in range(20)}
    assert len(ids) == 400
    assert derived_id("name", "t", 1, 2) == derived_id("name", "t", 1, 2)
    assert all(len(i) == 36 and i[14] == "4" for i in ids)


@given(st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_depth_is_that_of_the_value(value: Any) -> None:
    """The scan agrees with the nesting of the decoded value, whatever its strings hold."""

    def depth(v: Any) -> int:
        if isinstance(v, dict | list):
            return 1 + max((depth(x) for x in (v.values() if isinstance(v, dict) else v)), default=0)
        return 0

    text = json.dumps(value).encode()
    assert json_depth_ok(text, depth(value))
    assert depth(value) == 0 or not json_depth_ok(text, depth(value) - 1)
