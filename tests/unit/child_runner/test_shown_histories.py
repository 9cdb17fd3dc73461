"""What has happened so far to a child that runs, as its lane shows it to who asks."""

import msgspec

from schemas.history import EventType, HistoryEvent, decode_events
from schemas.history_pages import ChildHistoryShown
from schemas.lanes import Cause, ChildHistoryAsked
from schemas.ranges import pairs
from tests.unit.child_runner.driver import RUN, TASK, Driver, opened
from tests.unit.child_runner.test_histories import PAGED, TASKS, answer_all, chain, histories


def asked(index: int, request_id: str = "q") -> ChildHistoryAsked:
    """Somebody asks."""
    return ChildHistoryAsked(Cause(0, 9, 0), RUN, 0, index, request_id)


def shown(driver: Driver) -> list[ChildHistoryShown]:
    """What was answered on home."""
    return [fact for fact in driver.home if isinstance(fact, ChildHistoryShown)]


def events_of(driver: Driver, answer: ChildHistoryShown) -> list[HistoryEvent]:
    """All events of an answer: those in pages, and those behind them."""
    found: list[HistoryEvent] = []
    for offset, _ in pairs(answer.pages):
        found += driver.pages.unpack_history(driver.home[offset])  # type: ignore[arg-type]
    return found + decode_events(answer.events)


def test_a_child_that_waits_shows_what_it_did() -> None:
    """The events so far, its input first; asked again, those that came since."""
    driver = Driver()
    driver.signal(opened(chain(2), start="T0"))
    driver.items(0, [b'{"n":7}'])
    driver.signal(asked(0, "first"))
    answer_all(driver, 1)
    driver.signal(asked(0, "second"))
    first, second = shown(driver)
    assert (first.request_id, second.request_id, first.run) == ("first", "second", RUN)
    events = events_of(driver, first)
    assert (events[0].type, events[0].details[0]) == (EventType.EXECUTION_STARTED, b'{"n":7}')
    assert events_of(driver, second)[: len(events)] == events
    assert len(events_of(driver, second)) > len(events)


def test_a_child_that_does_not_run_here_is_answered_too() -> None:
    """One that ended, or never was: who asks needn't wait."""
    driver = Driver()
    driver.signal(opened({"A": TASK}))
    driver.items(0, [b"1"])
    driver.answer_tasks()
    driver.signal(asked(0))
    driver.signal(asked(5))
    assert shown(driver) == [ChildHistoryShown(RUN, "q"), ChildHistoryShown(RUN, "q")]


def test_a_long_history_is_shown_in_pages() -> None:
    """Events that fit no record go into a page first; the child's own history is none the worse for it."""
    limits = msgspec.structs.replace(PAGED, history_page_bytes_max=4_000)
    driver = Driver(limits)
    driver.signal(opened(chain(TASKS), start="T0"))
    driver.items(0, [b"0"])
    for _ in range(TASKS):
        answer_all(driver, 1)
        driver.signal(asked(0))
    answers = shown(driver)
    assert len(answers) == TASKS
    lengths = [len(events_of(driver, answer)) for answer in answers]
    assert lengths == sorted(set(lengths))
    assert all(len(answer.events) <= 4_000 for answer in answers)
    answer_all(driver, 1)
    unasked = Driver(limits)
    unasked.signal(opened(chain(TASKS), start="T0"))
    unasked.items(0, [b"0"])
    for _ in range(TASKS + 1):
        answer_all(unasked, 1)
    assert histories(driver) == histories(unasked)


def test_who_asked_an_earlier_owner_is_not_answered() -> None:
    """Nobody waits so long: a lane that is taken over reads old questions again, for as long as its run is open."""
    driver = Driver()
    driver.signal(opened({"A": TASK}))
    driver.items(0, [b"1"])
    driver.signal(asked(0))
    assert len(shown(driver)) == 1
    driver.take_over()
    assert len(shown(driver)) == 1
    driver.signal(asked(0, "again"))
    assert [answer.request_id for answer in shown(driver)] == ["q", "again"]


def test_past_the_lease_nothing_is_shown() -> None:
    """Another owner may run the child: it answers who asks then."""
    driver = Driver()
    driver.signal(opened({"A": TASK}))
    driver.items(0, [b"1"])
    driver.lane.reports.lease_lost = True
    driver.signal(asked(0))
    assert not shown(driver)
