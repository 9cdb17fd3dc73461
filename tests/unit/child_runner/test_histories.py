"""Histories that are too long for one record: in pages on home, whole, and never all of one in memory."""

from typing import Any

import msgspec
import pytest

from schemas.effects import TaskSucceeded
from schemas.history import EventType, encode_events
from schemas.history_pages import HistoryPage
from schemas.home import ABORTED, FAILED, SUCCEEDED, ChildrenEnded
from schemas.lanes import Cause, RunClosed, RunClosing
from schemas.wire import encode
from services.child_runner.lane_run import Child
from services.child_runner.limits import LaneLimits
from tests.unit.child_runner.driver import AT_ONCE, RUN, TASK, Driver, opened
from tests.unit.child_runner.pace import StatesPace
from tests.unit.child_runner.test_generations import redriven

PAGE_BYTES = 20_000
PAGED = msgspec.structs.replace(AT_ONCE, history_page_bytes_max=PAGE_BYTES, entry_bytes_max=60_000)
TASKS = 40


def chain(tasks: int, last: dict[str, Any] | None = None) -> dict[str, Any]:
    """Tasks one after the other, each with the answer of the one before as its input."""
    states = {f"T{n}": {**TASK, "OutputPath": "$.Payload", "Next": f"T{n + 1}"} for n in range(tasks)}
    for state in states.values():
        del state["End"]
    return {**states, f"T{tasks}": last or TASK}


def ran(limits: LaneLimits, states: dict[str, Any], *, tasks: int = TASKS, driver: Driver | None = None) -> Driver:
    """Three children whose Tasks answer some hundred bytes each."""
    driver = driver or Driver(limits)
    driver.signal(opened(states, start="T0"))
    driver.items(0, [b"0", b"1", b"2"])
    answer_all(driver, tasks)
    return driver


def answer_all(driver: Driver, rounds: int) -> None:
    """All Tasks under way answer, so often."""
    for number in range(rounds):
        for start in list(driver.starts):
            text = b'{"Payload":"%d %s"}' % (number, b"x" * 400)
            driver.outcome(start, TaskSucceeded(start.request.ref, text))


def histories(driver: Driver, generation: int = 0) -> list[bytes]:
    """The whole histories of the children, in the order of their positions."""
    answers = sorted((key, answer) for key, answer in driver.answers.items() if key[0] == generation)
    return [encode_events(answer.history) for _, answer in answers]


def running(driver: Driver, position: int = 0) -> Child:
    """A child that runs."""
    return driver.lane.runs[RUN].running[position]


def test_a_history_in_pages_is_the_history() -> None:
    """However small the pages: the events are those of a child whose history fits one record, and so are its ids."""
    paged, whole = ran(PAGED, chain(TASKS)), ran(AT_ONCE, chain(TASKS))
    answer_all(paged, 1)
    answer_all(whole, 1)
    assert all(len(answer.pages) > 6 for answer in paged.answers.values())
    assert not any(answer.pages for answer in whole.answers.values())
    assert histories(paged) == histories(whole)
    assert {answer.status for answer in paged.answers.values()} == {SUCCEEDED}


def test_pages_come_before_the_frame_that_names_them() -> None:
    """Who reads the frame finds every page behind it; each is about as large as it may be."""
    driver = ran(PAGED, chain(TASKS))
    answer_all(driver, 1)
    for offset, frame in enumerate(driver.home):
        named = [page for paged in frame.paged for page in paged.pages[::2]] if isinstance(frame, ChildrenEnded) else []
        assert all(isinstance(driver.home[page], HistoryPage) and page < offset for page in named)
    for page in [fact for fact in driver.home if isinstance(fact, HistoryPage)]:
        size = sum(len(encode(event)) for event in driver.pages.unpack_history(page))
        assert size <= PAGE_BYTES


def test_what_is_in_pages_leaves_memory() -> None:
    """A child that runs long keeps no more events than make a page, and a few that nobody weighed yet."""
    driver = Driver(PAGED)
    driver.signal(opened(chain(200), start="T0"))
    driver.items(0, [b"0"])
    kept = 0
    for _ in range(200):
        answer_all(driver, 1)
        kept = max(kept, len(encode_events(running(driver).events)))
    assert len(running(driver).events) < 200
    assert kept < 3 * PAGE_BYTES


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_a_step_without_end_leaves_memory_too(kind: str) -> None:
    """Between two slices of a long step its events go into pages, and the history is what it would have been."""
    states: dict[str, Any] = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(600)}
    states["S600"] = TASK
    whole = Driver(AT_ONCE)
    paged = Driver(PAGED, pace=StatesPace(50))
    for driver in (whole, paged):
        driver.signal(opened(states, start="S0", kind=kind))
    whole.items(0, [b'"%s"' % (b"x" * 90)])
    paged.items(0, [b'"%s"' % (b"x" * 90)])
    assert len(running(paged).events) < 400 < len(running(whole).events)
    whole.answer_tasks()
    paged.answer_tasks()
    assert paged.answers[0, 0].pages
    assert histories(paged) == histories(whole)


def test_a_new_owner_writes_pages_of_its_own() -> None:
    """What an earlier owner wrote is named by nobody; the history is the same."""
    driver = ran(PAGED, chain(TASKS))
    before = len(driver.home)
    assert any(isinstance(fact, HistoryPage) for fact in driver.home)
    driver.take_over()
    answer_all(driver, 1)
    for answer in driver.answers.values():
        assert min(answer.pages[::2]) >= before
    undisturbed = ran(PAGED, chain(TASKS))
    answer_all(undisturbed, 1)
    assert histories(driver) == histories(undisturbed)


def test_a_redriven_child_goes_on_behind_its_pages() -> None:
    """They stay where they are, the new events come into new ones; nothing of the old ones travels along."""
    driver = ran(PAGED, chain(TASKS))
    driver.answer_tasks(fail=True)
    old = driver.answers[0, 1]
    assert old.status == FAILED
    item = redriven(driver, 0, 1)
    assert len(item) < PAGE_BYTES
    driver.signal(RunClosed(Cause(0, 5, 0), RUN, 0))
    driver.signal(opened(chain(TASKS), start="T0", generation=1, n=6))
    driver.items(0, [item], generation=1, indexes=(1, 1), redriven=True)
    driver.answer_tasks(fail=True)
    again = driver.answers[1, 0]
    assert again.pages[: len(old.pages)] == old.pages
    assert again.history[: len(old.history)] == old.history
    assert [event.type for event in again.history].count(EventType.EXECUTION_REDRIVEN) == 1
    driver.signal(RunClosed(Cause(0, 7, 0), RUN, 1))
    driver.signal(opened(chain(TASKS), start="T0", generation=2, n=8))
    driver.items(0, [redriven(driver, 1, 0)], generation=2, indexes=(1, 1), redriven=True)
    driver.answer_tasks()
    last = driver.answers[2, 0]
    assert last.status == SUCCEEDED
    assert [event.type for event in last.history].count(EventType.EXECUTION_REDRIVEN) == 2
    assert [event.at_ms for event in last.history] == sorted(event.at_ms for event in last.history)


def test_a_child_that_is_not_redriven_after_all_stays_what_it_was() -> None:
    """Its run closes before it starts: it is answered with the pages it had."""
    driver = ran(PAGED, chain(TASKS))
    driver.answer_tasks(fail=True)
    items = [redriven(driver, 0, position) for position in range(3)]
    driver.signal(RunClosed(Cause(0, 5, 0), RUN, 0))
    driver.signal(opened(chain(TASKS), start="T0", generation=1, n=6, quota=1))
    driver.items(0, items, generation=1, indexes=(0, 3), redriven=True)
    driver.signal(RunClosing(Cause(0, 7, 0), RUN, 1))
    assert driver.answers[1, 0].status == ABORTED
    for position in (1, 2):
        was, now = driver.answers[0, position], driver.answers[1, position]
        assert (now.status, now.pages, now.raw) == (was.status, was.pages, was.raw)
        assert now.afterlife is not None
        assert was.afterlife is not None
        assert now.afterlife.remains == was.afterlife.remains


def test_an_event_that_fits_no_record_fails_its_child() -> None:
    """A page holds one event at least; one that is larger than a record may be ends the child in words."""
    driver = Driver(PAGED)
    driver.signal(opened({"A": TASK}))
    driver.items(0, [b"1"])
    [start] = driver.starts
    driver.outcome(start, TaskSucceeded(start.request.ref, b'"%s"' % (b"x" * 70_000)))
    answer = driver.answers[0, 0]
    assert (answer.status, len(answer.history)) == (FAILED, 2)
    assert answer.history[-1].details[0] == "States.DataLimitExceeded"
    assert "An event of the execution history has a size of" in answer.history[-1].details[1]


def test_a_large_event_has_a_page_of_its_own() -> None:
    """Between a page's size and a record's: nothing of it is lost."""
    made = []
    for limits in (PAGED, AT_ONCE):
        driver = Driver(limits)
        driver.signal(opened({"A": {**TASK, "ResultSelector": {"n": 1}}}))
        driver.items(0, [b"1"])
        [start] = driver.starts
        driver.outcome(start, TaskSucceeded(start.request.ref, b'"%s"' % (b"x" * 50_000)))
        made.append(driver)
    paged, whole = made
    assert [bool(driver.answers[0, 0].pages) for driver in made] == [True, False]
    assert histories(paged) == histories(whole)


def test_past_the_lease_no_page_is_said() -> None:
    """Pages go to home like everything else: only while the lease holds. Then the end follows."""
    driver = Driver(PAGED)
    driver.signal(opened(chain(TASKS), start="T0"))
    driver.items(0, [b"0"])
    driver.lane.reports.lease_lost = True
    answer_all(driver, TASKS + 1)
    assert not driver.home
    driver.lane.reports.lease_lost = False
    driver.turn()
    assert driver.answers[0, 0].status == SUCCEEDED
    assert isinstance(driver.home[0], HistoryPage)


def test_pages_of_a_closed_run_are_not_said() -> None:
    """Nobody would name them; those that are under way are forgotten when they arrive."""
    driver = Driver(PAGED)
    driver.signal(opened(chain(TASKS), start="T0"))
    driver.items(0, [b"0"])
    driver.lane.reports.lease_lost = True
    answer_all(driver, TASKS)
    assert driver.lane.pages.waiting
    driver.signal(RunClosed(Cause(0, 5, 0), RUN, 0))
    driver.lane.reports.lease_lost = False
    driver.turn()
    assert not driver.home
    assert not driver.lane.pages.waiting
