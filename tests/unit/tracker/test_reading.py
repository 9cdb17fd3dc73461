"""What readers are shown: running children, pages of histories, tokens, constraints, slots of frames."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.mapruns.intervals import Intervals
from maprun.requests.checks import Refusal
from schemas.history import EventType, HistoryEvent
from schemas.home import ChildrenEnded, LaneProgress
from schemas.wire import encode
from services.maprun_tracker.api import inputs, start_inputs
from services.maprun_tracker.api.executions import processor_of
from services.maprun_tracker.api.frames import slots_of
from services.maprun_tracker.api.operations import LIST_EXECUTIONS, OPERATIONS, decode
from services.maprun_tracker.api.rules import camel
from services.maprun_tracker.api.tokens import make_token, read_token
from services.maprun_tracker.history_pages import RootHistory, page_of, pages_before
from services.maprun_tracker.running import RunningChildren, spans_of

RANGES = st.sets(st.integers(0, 60), max_size=40)


def flat(positions: set[int]) -> tuple[int, ...]:
    """Positions as a lane tells them."""
    return Intervals(n for p in positions for n in (p, 1)).flat()


@settings(deadline=None)
@given(told=st.lists(RANGES, min_size=1, max_size=6))
def test_a_child_runs_since_it_was_first_told(told: list[set[int]]) -> None:
    """Each running child has the time of the first of the tellings in a row that named it."""
    spans: list[tuple[int, int, int]] = []
    since: dict[int, int] = {}
    for now, positions in enumerate(told):
        spans = spans_of(spans, flat(positions), now)
        since = {p: since.get(p, now) for p in positions}
    shown = {p: at for first, count, at in spans for p in range(first, first + count)}
    assert shown == since
    assert sum(count for _, count, _ in spans) == len(since)


def test_running_children_are_stored_and_restored() -> None:
    """What a mark keeps of running children brings them back."""
    running = RunningChildren()
    running.lane_reported(LaneProgress("r", 0, 1, (0, 4)), 10)
    running.lane_reported(LaneProgress("r", 0, 2, (8, 2)), 11)
    running.lane_reported(LaneProgress("r", 0, 1, (2, 4)), 12)
    again = RunningChildren(running.stored())
    for each in (running, again):
        shown = {first + i: since for first, count, since in each.spans("r") for i in range(count)}
        assert shown == {9: 11, 8: 11, 5: 12, 4: 12, 3: 10, 2: 10}
        assert (each.since("r", 2), each.since("r", 7)) == (10, None)
    again.run_over("r")
    assert not again.stored()


def event(size: int) -> HistoryEvent:
    """An event of about this size."""
    return HistoryEvent(EventType.PASS_STATE_ENTERED, 0, 0, ("P", b"x" * size))


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(0, 90), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 40), max_size=4),
    steps=st.integers(1, 7),
)
def test_pages_of_a_history_depend_on_its_events_alone(sizes: list[int], cuts: list[int], steps: int) -> None:
    """Told again from any event on, by a process that knows only the stored pages, a history has the same pages."""
    events = [event(size) for size in sizes]
    whole = RootHistory((), (), 200)
    whole.append(1, events)
    pages = {number: list(page) for number, page in whole.dirty.items()}
    stored: dict[int, list[bytes]] = {}
    history = RootHistory((), (), 200)
    told = 1
    for cut in [*cuts, len(events) + 1]:
        while told < min(cut, len(events) + 1):
            history.append(told, events[told - 1 : told - 1 + steps])
            told += steps
        stored.update({number: list(page) for number, page in history.dirty.items()})
        back = min(cut, told, len(events) + 1)
        if cut <= len(events):  # a restart at a mark before event `back`
            firsts = pages_before(history.firsts, back)
            tail = stored[len(firsts) - 1] if firsts else []
            history, told = RootHistory(firsts, tail, 200), back
    assert history.firsts == whole.firsts
    assert stored == pages
    for number in range(1, len(events) + 1):
        page = page_of(whole.firsts, number)
        assert stored[page][number - whole.firsts[page]] == encode(events[number - 1])


@settings(deadline=None)
@given(ranges=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), min_size=1, max_size=8))
def test_slots_are_found_where_the_frame_has_them_first(ranges: list[tuple[int, int]]) -> None:
    """Of a position that stands in a frame twice the first slot is the one that counted."""
    frame = ChildrenEnded("r", 0, 0, tuple(n for pair in ranges for n in pair), b"", (), (), 0)
    expected: dict[int, int] = {}
    slot = 0
    for first, count in ranges:
        for position in range(first, first + count):
            expected.setdefault(position, slot)
            slot += 1
    assert slots_of(frame, list(expected)) == expected
    assert slots_of(frame, [99]) == {}
    redriven = ChildrenEnded("r", 1, 0, (0, slot), b"", (), (), 0, indexes=frame.ranges)
    assert slots_of(redriven, list(expected)) == expected


def test_a_token_belongs_to_its_query() -> None:
    """A token leads back to its place in its own query; in another, or damaged, it is InvalidToken."""
    token = make_token(("q", 1), (5, "x"))
    assert read_token(token, ("q", 1), tuple[int, str]) == (5, "x")
    assert read_token(None, ("q", 1), tuple[int, str]) is None
    for text, query, kind in [
        (token, ("q", 2), tuple[int, str]),
        (token[:-6], ("q", 1), tuple[int, str]),
        (token, ("q", 1), int),
        ("%%", ("q", 1), int),
        ("é", ("q",), int),
    ]:
        with pytest.raises(Refusal) as refused:
            read_token(text, query, kind)
        assert refused.value.code == "InvalidToken"


PATTERN = "pattern: [!-~]+"
CASES = [
    (
        start_inputs.StartExecution,
        b"{}",
        "Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null",
    ),
    (
        inputs.Page,
        b'{"maxResults":-1}',
        "Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0",
    ),
    (
        inputs.StopExecution,
        b'{"executionArn":"a","error":"%s"}' % (b"e" * 257),
        "Value at 'error' failed to satisfy constraint: Member must have length less than or equal to 256",
    ),
    (
        inputs.HistoryAsked,
        b'{"executionArn":"a","maxResults":-1}',
        "Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0",
    ),
    (
        inputs.RedriveExecution,
        b'{"executionArn":"a","clientToken":" "}',
        f"Value ' ' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression {PATTERN}",
    ),
    (
        inputs.Page,
        b'{"nextToken":""}',
        "Value '' at 'nextToken' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ),
]


@pytest.mark.parametrize(("kind", "body", "message"), CASES)
def test_constraints_speak_as_aws_does(kind: type[inputs.Input], body: bytes, message: str) -> None:
    """A member that breaks its rule is told in AWS's words; a secret one without its value."""
    with pytest.raises(Refusal) as refused:
        decode(kind, body)
    assert refused.value.code == "ValidationException"
    assert refused.value.message == f"1 validation error detected: {message}"


def test_every_rule_has_its_member() -> None:
    """Rules name members that exist, and together the tables name each operation of AWS's once."""
    for operation in OPERATIONS.values():
        assert set(operation.asked.rules) <= set(operation.asked.__struct_fields__)
    assert LIST_EXECUTIONS not in OPERATIONS
    assert len(OPERATIONS) + 1 == 37
    assert camel("state_machine_arn") == "stateMachineArn"


def test_the_processor_of_a_map_state_is_shown_as_aws_shows_it() -> None:
    """The machine of a child is StartAt and States, wherever the Map state stands, without its configuration."""
    inner = b'{"StartAt":"P","States":{"P":{"Type":"Succeed"}}'
    state = b'{"Type":"Map","ItemProcessor":' + inner + b',"ProcessorConfig":{"Mode":"DISTRIBUTED"}},"End":true}'
    branch = b'{"Type":"Parallel","Branches":[{"StartAt":"M","States":{"M":' + state + b"}}]}"
    assert processor_of(b'{"StartAt":"X","States":{"X":' + branch + b"}}", "M") == inner + b"}"
