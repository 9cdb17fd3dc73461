"""How many root executions may be open at once, in the fold of home."""

from typing import Any

import msgspec

from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.open_executions import MORE_STARTS, STARTS_A_RECORD_MAX
from maprun.mapruns.fold.outputs import SetTimer
from maprun.mapruns.fold.state import HomeState, decode_state, encode_state
from maprun.mapruns.limits import MapRunLimits, limits_taken
from schemas.home import LimitsTaken, Origin, RedriveRequested, StopRequested, TimerDue
from schemas.requests import RequestRejected
from tests.unit.mapruns.folding import Folding, answers, sent, statuses
from tests.unit.mapruns.programs import HOMES, LANES, NAMES, Programs, request

WAITS = ["wait", 600]


def folding(open_executions_max: int = 2 * HOMES, state: HomeState | None = None) -> Folding:
    """A home that so many executions of the cluster may be open beside; two of them here unless told otherwise."""
    made = Folding(state)
    limits = MapRunLimits(open_executions_max=open_executions_max)
    made.state.limits = limits_taken(limits)
    made.home = Home(made.state, Programs(), NAMES, HOMES, LANES, limits)
    return made


def asked_by_topic(home: Folding, *steps: Any, name: str) -> list[Any]:
    """A start that came as a record of `execution-requests`."""
    return home.started(*steps, name=name, request_id=f"r-{name}", origin=Origin("execution-requests", 0, 7))[1]


def arn_of(name: str) -> str:
    """The execution that this program runs as."""
    return request(name, []).arn


def open_names(home: Folding) -> list[str]:
    """The executions that are open."""
    return [root.request.name.rpartition("-")[0] for root in home.state.roots.values()]


def stop(home: Folding, name: str) -> list[Any]:
    """Ends one."""
    return home.put(StopRequested(f"stop-{name}", arn_of(name)))


def test_a_start_by_the_api_is_refused_while_there_is_no_room() -> None:
    """ExecutionLimitExceeded; a repeat of a start that was accepted is still answered, and room is room again."""
    home = folding()
    home.started(WAITS, name="a")
    home.started(WAITS, name="b")
    _, outputs = home.started(WAITS, name="c")
    assert [answer.error for answer in answers(outputs)] == ["ExecutionLimitExceeded"]
    _, outputs = home.started(WAITS, name="a")
    assert [answer.error for answer in answers(outputs)] == [""]
    stop(home, "a")
    _, outputs = home.started(WAITS, name="c")
    assert [answer.error for answer in answers(outputs)] == [""]
    assert open_names(home) == ["b", "c"]


def test_a_start_by_the_topic_waits_for_room() -> None:
    """In the order they came; one that came twice starts once, and a snapshot keeps those that wait."""
    home = folding()
    for name in ("a", "b"):
        home.started(WAITS, name=name)
    for name in ("c", "d", "c"):
        assert statuses(asked_by_topic(home, WAITS, name=name)) == []
    again = folding(state=decode_state(encode_state(home.state, Programs()), Programs()))
    for each in (home, again):
        assert statuses(stop(each, "b")) == ["ABORTED", "RUNNING"]
        assert open_names(each) == ["a", "c"]
        stop(each, "a")
        assert open_names(each) == ["c", "d"]
        assert each.state.starts_waiting == {}


def test_a_name_that_was_used_meanwhile_is_rejected_in_its_turn() -> None:
    """What waits takes no name: it is judged as if it came when there is room."""
    home = folding(HOMES)
    home.started(WAITS, name="a")
    for number in range(2):
        origin = Origin("execution-requests", 0, number)
        home.started(WAITS, name="b", request_id=f"r-{number}", origin=origin)
    stop(home, "a")
    assert open_names(home) == ["b"]
    [rejected] = sent(stop(home, "b"), RequestRejected)
    assert (rejected.error, rejected.origin.offset) == ("ExecutionAlreadyExists", 1)
    assert home.state.starts_waiting == {}


def test_many_that_end_at_once_begin_record_by_record() -> None:
    """A hundred a record; a timer brings the next ones, so that no record of home has to bring them all."""
    home = folding(HOMES)
    home.started(WAITS, name="a")
    count = 2 * STARTS_A_RECORD_MAX + 1
    for number in range(count):
        asked_by_topic(home, name=f"w{number}")
    outputs = stop(home, "a")
    begun = 0
    while home.state.starts_waiting:
        begun += STARTS_A_RECORD_MAX
        assert len(home.state.starts_waiting) == count - begun
        assert [(o.arn, o.ref) for o in outputs if isinstance(o, SetTimer)] == [MORE_STARTS]
        outputs = home.put(TimerDue(*MORE_STARTS))
    assert [output for output in outputs if isinstance(output, SetTimer)] == []


def test_a_redrive_needs_room_too() -> None:
    """ExecutionLimitExceeded; asked again once there is room it goes on, under the same request id."""
    home = folding(HOMES)
    home.started(["fail"], name="a")
    home.started(WAITS, name="b")
    redrive = RedriveRequested("again", arn_of("a"))
    assert [answer.error for answer in answers(home.put(redrive))] == ["ExecutionLimitExceeded"]
    stop(home, "b")
    assert [answer.error for answer in answers(home.put(redrive))] == [""]


def test_no_bound_unless_one_is_set() -> None:
    """As many as there are, by every door."""
    home = Folding()
    for number in range(50):
        home.started(WAITS, name=f"n{number}")
    assert len(home.state.roots) == 50


def test_what_was_judged_is_judged_alike_by_who_has_other_limits() -> None:
    """Folded again by a process that another limit was set for, a log gives the same states and outputs."""
    for first, then in ((HOMES, 0), (0, HOMES), (2 * HOMES, HOMES)):
        log: list[Any] = [LimitsTaken(open_executions_max=first)]
        log += [request(name, [WAITS]) for name in "abc"]
        log += [request("d", [WAITS], request_id="d", origin=Origin("execution-requests", 0, 1))]
        log += [LimitsTaken(open_executions_max=then), StopRequested("stop", arn_of("a")), request("e", [WAITS])]
        homes = [
            Home(HomeState(home=0), Programs(), NAMES, HOMES, LANES, MapRunLimits(open_executions_max=bound, rules=0))
            for bound in (first, then)
        ]
        for offset, record in enumerate(log):
            came = [home.apply(offset, 1_000 + offset, record) for home in homes]
            assert msgspec.msgpack.encode(came[0]) == msgspec.msgpack.encode(came[1])
            assert encode_state(homes[0].state, Programs()) == encode_state(homes[1].state, Programs())
        assert [home.limits_due() is None for home in homes] == [False, True]


def test_a_limit_that_is_raised_lets_those_begin_that_wait() -> None:
    """At its record; those that were refused before stay refused."""
    home = folding(HOMES)
    home.started(WAITS, name="a")
    home.started(WAITS, name="b")
    asked_by_topic(home, WAITS, name="c")
    assert statuses(home.put(LimitsTaken(open_executions_max=3 * HOMES))) == ["RUNNING"]
    assert open_names(home) == ["a", "c"]


def test_a_state_of_an_earlier_version_is_judged_by_the_process_until_home_says_more() -> None:
    """Snapshots up to version 12 name no limits: the process's count, whose owner then says them on home."""
    state = HomeState(home=0, limits=None)
    home = Home(state, Programs(), NAMES, HOMES, LANES, MapRunLimits(open_executions_max=HOMES))
    assert home.limits.open_executions_max == HOMES
    due = home.limits_due()
    assert due is not None
    home.apply(0, 1_000, due)
    assert home.limits_due() is None
    again = decode_state(encode_state(state, Programs()), Programs())
    assert Home(again, Programs(), NAMES, HOMES, LANES).limits.open_executions_max == HOMES


def test_what_is_forgotten_stays_forgotten_under_a_longer_retention() -> None:
    """A name is free once its retention is over, also where another one was set before it was used again."""
    home = Folding(HomeState(home=0, limits=LimitsTaken(retention_ms=1_000)))
    home.started(name="a")
    home.now += 2_000
    home.put(LimitsTaken(retention_ms=1_000_000))
    assert home.home.ended(arn_of("a")) is None
    assert home.home.retention_ms == 1_000_000
    home.started(name="b")
    home.put(LimitsTaken(retention_ms=1_000_000))
    home.now += 2_000
    home.put(LimitsTaken(retention_ms=1_000))
    assert home.home.ended(arn_of("b")) is None
    assert home.home.retention_ms == 1_000_000
