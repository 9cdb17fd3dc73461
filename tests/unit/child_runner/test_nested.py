"""Map Runs that a child asks for: journaled first, asked for again after a takeover, told of once, dropped in time."""

from typing import Any

from schemas.arns import auto_label, child_name, run_id
from schemas.effects import MapRunFailed, MapRunStarted, MapRunSucceeded
from schemas.history import EventType
from schemas.home import ABORTED, FAILED, SUCCEEDED, NestedRunDropped, NestedRunRequested
from schemas.lanes import Cause, LaneAdvanced, NestedRunEnded, RunClosed, RunClosing
from tests.unit.child_runner.driver import NAMES, RUN, TASK, Driver, opened
from tests.unit.child_runner.test_generations import redriven, types_of

INNER: dict[str, Any] = {
    "Type": "Map",
    "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "T",
        "States": {"T": TASK},
    },
    "End": True,
}
NESTED: dict[str, Any] = {"N": INNER}
TIMED: dict[str, Any] = {
    "P": {
        "Type": "Parallel",
        "Branches": [
            {"StartAt": "N", "States": {"N": INNER}},
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "Next": "F"}, "F": {"Type": "Fail"}}},
        ],
        "End": True,
    }
}


def asking(states: dict[str, Any] | None = None, start: str = "N") -> Driver:
    """A lane with one child that reached its Map state."""
    driver = Driver()
    driver.signal(opened(states or NESTED, start=start))
    driver.items(0, [b"[1,2]"])
    return driver


def ended(request: NestedRunRequested, outcome: MapRunSucceeded | MapRunFailed) -> NestedRunEnded:
    """Home's word that it is over."""
    return NestedRunEnded(Cause(0, 50, 0), request.run, request.generation, request.position, request.ref, outcome)


def test_home_is_asked_once_the_journal_holds_the_run() -> None:
    """The child hears that its Map Run exists, and home is asked for it, only after the journal was read back."""
    driver = asking()
    [request] = driver.asks
    assert isinstance(request, NestedRunRequested)
    assert (request.run, request.generation, request.position, request.index, request.lane) == (RUN, 0, 0, 0, 0)
    assert request.plan is not None
    assert request.plan.items == b"[1,2]"
    facts = [fact.happening for record in driver.log if isinstance(record, LaneAdvanced) for fact in record.advanced]
    assert [type(fact) for fact in facts] == [type(None), MapRunStarted]
    assert not driver.answers


def test_the_run_has_the_arn_that_the_fold_gives_it() -> None:
    """The lane derives the ARN by itself: it is the id that follows from the child and the effect."""
    driver = asking()
    [request] = driver.asks
    facts = [fact.happening for record in driver.log if isinstance(record, LaneAdvanced) for fact in record.advanced]
    child = NAMES.child_prefix("m", "M", express=False) + child_name(RUN, 0)
    nested = run_id(0, child, request.ref)
    assert facts[1] == MapRunStarted(request.ref, NAMES.map_run("m", auto_label("machine", "N"), nested))


def test_its_end_is_told_once() -> None:
    """NestedRunEnded goes through the journal to the child; a second one changes nothing."""
    driver = asking()
    [request] = driver.asks
    assert isinstance(request, NestedRunRequested)
    done = ended(request, MapRunSucceeded(request.ref, b"[3]"))
    driver.signal(done)
    driver.signal(done)
    answer = driver.answers[0, 0]
    assert answer.status == SUCCEEDED
    assert answer.history[-1].details[0] == b"[3]"
    assert types_of(answer.history).count(EventType.MAP_RUN_SUCCEEDED) == 1
    assert len(driver.asks) == 1


def test_a_new_owner_asks_again_and_is_told() -> None:
    """The end may have been read by nobody: whoever waits asks again, with the same plan, and hears of it then."""
    driver = asking()
    [request] = driver.asks
    assert isinstance(request, NestedRunRequested)
    driver.signals.append(
        ended(request, MapRunFailed(request.ref, "Bad", "it is"))
    )  # read before the child is restored
    driver.take_over()
    assert driver.asks == [request]
    assert not driver.answers
    driver.signal(driver.signals[-1])
    assert driver.answers[0, 0].status == FAILED
    driver.take_over()
    assert not driver.asks
    assert types_of(driver.answers[0, 0].history).count(EventType.MAP_RUN_STARTED) == 1


def test_who_no_longer_waits_says_so() -> None:
    """A branch that fails beside the Map Run cancels it: home is told to drop it."""
    driver = asking(TIMED, "P")
    [request] = driver.asks
    driver.turn(61.0)
    assert driver.answers[0, 0].status == FAILED
    dropped = driver.asks[1]
    assert isinstance(dropped, NestedRunDropped)
    assert (dropped.position, dropped.ref) == (0, request.ref)


def test_a_child_that_ends_while_it_is_brought_back_asks_for_its_run_and_drops_it() -> None:
    """Its history tells of a Map Run: home hears of it even if the owner that began it told nobody how the child ended.

    Else a redrive of the child asks for a Map Run of which nothing is known.
    """
    driver = asking(TIMED, "P")
    [request] = driver.asks
    driver.turn(61.0)
    dropped = driver.asks[1]
    known = [record for record in driver.log if not (isinstance(record, LaneAdvanced) and record.finished)]
    assert len(known) == len(driver.log) - 1
    driver.log = known
    driver.take_over()
    assert driver.asks == [request, dropped]
    assert driver.answers[0, 0].status == FAILED


def test_a_child_that_went_on_without_its_run_drops_it_again() -> None:
    """Brought back behind the state that gave the Map Run up: it may still go on, if an earlier owner told nobody."""
    caught = {**TIMED["P"], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "T"}]}
    driver = asking({"P": caught, "T": TASK}, "P")
    [request] = driver.asks
    driver.turn(61.0)
    dropped = driver.asks[1]
    driver.take_over()
    assert driver.asks == [request, dropped]
    assert [start.request.state for start in driver.starts] == ["T"]


def test_a_run_that_closes_stops_who_waits_for_a_run() -> None:
    """A STANDARD child that waits for its Map Run is aborted like any other."""
    driver = asking()
    driver.signal(RunClosing(Cause(0, 9, 0), RUN, 0))
    assert driver.answers[0, 0].status == ABORTED


def test_a_redriven_child_redrives_its_run() -> None:
    """The child is told MapRunRedriven with its own redrive count; home is asked under the same ref, without a plan."""
    driver = asking()
    [request] = driver.asks
    assert isinstance(request, NestedRunRequested)
    driver.signal(ended(request, MapRunFailed(request.ref, "States.ExceedToleratedFailureThreshold", "too many")))
    driver.signal(RunClosed(Cause(0, 60, 0), RUN, 0))
    driver.asks.clear()
    driver.signal(opened(NESTED, start="N", generation=1, n=61))
    driver.items(0, [redriven(driver, 0, 0)], generation=1, indexes=(0, 1), redriven=True)
    [again] = driver.asks
    assert isinstance(again, NestedRunRequested)
    assert (again.generation, again.ref, again.plan) == (1, request.ref, None)
    driver.take_over()
    assert driver.asks == [again]
    driver.signal(ended(again, MapRunSucceeded(again.ref, b"[4]")))
    answer = driver.answers[1, 0]
    assert answer.status == SUCCEEDED
    [event] = [event for event in answer.history if event.type == EventType.MAP_RUN_REDRIVEN]
    assert event.details[1] == 1
