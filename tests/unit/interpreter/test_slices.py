"""Long steps in slices, and histories that take too much."""

import json
from typing import Any

import pytest

from maprun.interpreter import ExecutionHead, Limits, Step, begin, decode_execution, encode_execution, go_on
from maprun.interpreter.history_bytes import event_bytes
from maprun.language import compile_machine
from schemas.history import HistoryEvent, encode_events

LOOP = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.never", "IsPresent": True, "Next": "C"}], "Default": "A"},
        "C": {"Type": "Succeed"},
    },
}


class Slices:
    """A slice is so many states."""

    def __init__(self, states: int) -> None:
        self.states = states
        self.left = states

    def spent(self) -> bool:
        """Counts a state."""
        self.left -= 1
        return self.left <= 0

    def begin(self) -> None:
        """A new slice."""
        self.left = self.states


def started(definition: dict[str, Any], given: bytes, limits: Limits, slices: Slices) -> Step:
    """The first slice of an execution."""
    head = ExecutionHead("arn:aws:states:us-east-1:1:execution:m:e", "e", "arn:m", "m", "arn:role", 1_000, given)
    return begin(compile_machine(json.dumps(definition).encode()), head, 1_000, limits, slices.spent)


def test_an_endless_loop_is_left_every_so_many_states_and_ends_at_its_limit() -> None:
    """A loop of 25,000 events is done in slices of 50 states: 250 pauses, and the end in AWS's words."""
    slices = Slices(50)
    step = started(LOOP, b"{}", Limits(), slices)
    pauses = 0
    while step.more:
        assert step.ended is None
        pauses += 1
        slices.begin()
        go_on(step, slices.spent)
    assert pauses == 249
    assert step.ended is not None
    assert (step.ended.error, step.ended.cause) == (
        "States.Runtime",
        "The execution reached the maximum number of history events (25000).",
    )
    assert len(step.events) == 25_000


@pytest.mark.parametrize("bytes_max", [1_000_000, 20_000_000])
def test_a_history_that_takes_too_much_ends_its_execution(bytes_max: int) -> None:
    """Payloads copied from state to state end the execution in words, soon after the limit, and for good."""
    given = json.dumps({"text": "x" * 250_000}).encode()
    step = started(LOOP, given, Limits(history_bytes_max=bytes_max), Slices(10**9))
    assert step.ended is not None
    assert step.ended.error == "States.DataLimitExceeded"
    assert step.ended.cause is not None
    assert step.ended.cause.startswith("The execution history has a size of ")
    assert len(encode_events(step.events)) < bytes_max + 64 * 260_000
    assert step.remains is None


@pytest.mark.parametrize(
    "details",
    [
        (),
        ("A", b"{}"),
        (None, "caus\u00e9"),
        ("A", b"x" * 300, {"a": "1", "\u00e9": "\u20ac" * 99}),
        ("n", 2**62, None, "r"),
    ],
)
def test_an_event_is_never_larger_than_it_is_counted(details: tuple[Any, ...]) -> None:
    """What an event counts for covers its bytes on the wire, whatever texts it holds."""
    assert len(encode_events([HistoryEvent(63, 25_000, 2**45, details)])) <= event_bytes(details)


def test_what_was_weighed_is_stored() -> None:
    """The bytes of a history go on to count after a restart: two readers of one execution must end it alike."""
    waiting = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 5, "End": True}}}
    step = started(waiting, b'{"a": 1}', Limits(), Slices(10**9))
    assert step.execution is not None
    again = decode_execution(encode_execution(step.execution))
    assert again.events_bytes == sum(event_bytes(event.details) for event in step.events) > 0
