"""Nested Map Runs in the fold: opened for children, answered as often as asked, aborted with what needs them."""

from typing import Any

import msgspec

from schemas.arns import child_arn
from schemas.effects import MapRunFailed, MapRunSucceeded
from schemas.home import (
    ABORTED,
    FAILED,
    SUCCEEDED,
    ItemsRead,
    NestedRunDropped,
    NestedRunRequested,
    RedriveRequested,
    SourceEnded,
    StopRequested,
)
from schemas.lanes import NestedRunEnded, RunClosing, RunOpened
from schemas.plan import MapRunPlan
from tests.unit.mapruns.folding import Folding, sent, statuses
from tests.unit.mapruns.programs import NAMES, frame, plan


def nested_plan() -> MapRunPlan:
    """The plan of a run inside a child."""
    return msgspec.json.decode(msgspec.json.encode(plan(state="Inner", label="I")), type=MapRunPlan)


class Story:
    """A run with two children; the first asked for a nested run."""

    def __init__(self) -> None:
        self.folding = Folding()
        asked, _ = self.folding.started(["map", plan(tolerated_failure_percentage=100.0)])
        self.root = asked.arn
        [self.run] = self.folding.state.runs
        self.folding.put(ItemsRead(self.run, 0, 0, 2, 2, 2, b""), SourceEnded(self.run, 0, 2))
        self.asked = NestedRunRequested(self.run, 0, 0, 0, 1, "Inner#1.0", nested_plan())
        self.opened = self.folding.put(self.asked)
        self.nested = next(reversed(self.folding.state.runs))

    def end_nested(self, *statuses_: int) -> list[Any]:
        """The nested run's children end so."""
        count = len(statuses_)
        self.folding.put(ItemsRead(self.nested, 0, 0, count, count, count, b""), SourceEnded(self.nested, 0, count))
        return self.folding.put(frame(self.nested, 2, list(range(count)), list(statuses_)))


def test_a_nested_run_belongs_to_the_child() -> None:
    """It is opened on home, under the child's ARN; its end is told to the child's lane."""
    story = Story()
    run = story.folding.state.runs[story.nested]
    prefix = NAMES.child_prefix("m", "L", express=False)
    assert run.execution_arn == child_arn(prefix, story.run, 0, express=False)
    assert run.root_arn == story.root
    assert sent(story.opened, RunOpened)
    [ended] = sent(story.end_nested(SUCCEEDED), NestedRunEnded)
    assert (ended.run, ended.position, ended.ref) == (story.run, 0, "Inner#1.0")
    assert isinstance(ended.outcome, MapRunSucceeded)


def test_asked_again_it_is_answered_again() -> None:
    """While it runs a repeat changes nothing; once over the outcome is sent again, until the child is answered."""
    story = Story()
    assert sent(story.folding.put(story.asked), RunOpened) == []
    story.end_nested(FAILED)
    [again] = sent(story.folding.put(story.asked), NestedRunEnded)
    assert isinstance(again.outcome, MapRunFailed)
    story.folding.put(frame(story.run, 1, [0], [FAILED]))
    assert sent(story.folding.put(story.asked), NestedRunEnded) == []
    assert story.folding.state.runs[story.run].outcomes == {}


def test_it_is_aborted_with_the_child_that_needs_it() -> None:
    """Answered, given up, or stopped with its root: the nested run closes, and the root is not over before it is."""
    for end in ("answered", "dropped", "stopped"):
        story = Story()
        story.folding.put(ItemsRead(story.nested, 0, 0, 1, 1, 1, b""))
        record = {
            "answered": frame(story.run, 1, [0], [FAILED]),
            "dropped": NestedRunDropped(story.run, 0, 0, 0, "Inner#1.0"),
            "stopped": StopRequested("s", story.root),
        }[end]
        outputs = story.folding.put(record)
        assert story.nested in {closing.run for closing in sent(outputs, RunClosing)}, end
        outputs = story.folding.put(SourceEnded(story.nested, 0, 1), frame(story.nested, 2, [0], [ABORTED]))
        assert sent(outputs, NestedRunEnded) == []
        assert story.nested not in story.folding.state.runs


def test_a_nested_run_is_redriven_with_its_child() -> None:
    """The child of the next generation asks for the run it had: its lost children run again."""
    folding = Folding()
    asked, _ = folding.started(["map", plan()])
    [run] = folding.state.runs
    folding.put(ItemsRead(run, 0, 0, 1, 1, 1, b""), SourceEnded(run, 0, 1))
    folding.put(NestedRunRequested(run, 0, 0, 0, 1, "Inner#1.0", nested_plan()))
    nested = next(reversed(folding.state.runs))
    folding.put(ItemsRead(nested, 0, 0, 2, 2, 2, b""), SourceEnded(nested, 0, 2))
    folding.put(frame(nested, 2, [0, 1], [SUCCEEDED, FAILED]))
    assert statuses(folding.put(frame(run, 1, [0], [FAILED]))) == ["FAILED"]
    folding.put(RedriveRequested("r", asked.arn), ItemsRead(run, 1, 0, 1, 1, 1, b"", redriven=(FAILED, 1, 1)))
    outputs = folding.put(NestedRunRequested(run, 1, 0, 0, 1, "Inner#1.0", None, 1))
    assert {opened.generation for opened in sent(outputs, RunOpened)} == {1}
    assert [stage.count for stage in folding.state.runs[nested].stages] == [1]
    folding.put(ItemsRead(nested, 1, 0, 1, 1, 1, b"", redriven=(FAILED, 1, 1)))
    [ended] = sent(folding.put(frame(nested, 2, [0], [SUCCEEDED], generation=1, indexes=(1, 1))), NestedRunEnded)
    assert (ended.generation, ended.outcome.ref) == (1, "Inner#1.0")
    assert isinstance(ended.outcome, MapRunSucceeded)


def test_what_a_child_was_told_of_is_there_for_its_redrive() -> None:
    """A child stopped after it was told of its Map Run, or before it heard of its success, redrives that run."""
    for case in ("asked while closing", "succeeded unheard"):
        story = Story()
        folding, run = story.folding, story.run
        position, ref = 0, "Inner#1.0"
        if case == "succeeded unheard":
            story.end_nested(SUCCEEDED)
            folding.put(StopRequested("s", story.root))
        else:
            folding.put(ItemsRead(story.nested, 0, 0, 0, 0, 0, b""), SourceEnded(story.nested, 0, 0))
            folding.put(StopRequested("s", story.root))
            position = 1
            assert sent(folding.put(NestedRunRequested(run, 0, 1, 1, 1, ref, nested_plan())), RunOpened) == []
        folding.put(frame(run, 1, [0, 1], [ABORTED, ABORTED]))
        folding.put(RedriveRequested("r", story.root))
        folding.put(ItemsRead(run, 1, 0, 2, 2, 2, b"", redriven=(ABORTED, 2, 2)))
        folding.put(NestedRunRequested(run, 1, position, position, 1, ref, None, 1))
        again = next(reversed(folding.state.runs.values()))
        if case == "succeeded unheard":
            assert again.run == run, case  # nothing was left to run
            [ended] = sent(folding.put(NestedRunRequested(run, 1, position, position, 1, ref, None, 1)), NestedRunEnded)
            assert isinstance(ended.outcome, MapRunSucceeded)
            assert msgspec.json.decode(ended.outcome.output) == [{"o": 0}]
        else:
            assert (again.ref, again.generation, again.phase) == (ref, 1, "open"), case


def test_a_redrive_that_comes_too_late_counts() -> None:
    """The child was told of it, so the Map Run has it, though nothing is done in it; a repeat changes nothing."""
    story = Story()
    folding, run = story.folding, story.run
    story.end_nested(FAILED)
    folding.put(StopRequested("s", story.root), frame(run, 1, [0, 1], [ABORTED, ABORTED]))
    folding.put(RedriveRequested("r", story.root))
    folding.put(ItemsRead(run, 1, 0, 2, 2, 2, b"", redriven=(ABORTED, 2, 2)), StopRequested("s2", story.root))
    again = NestedRunRequested(run, 1, 0, 0, 1, "Inner#1.0", None, 1)
    assert sent(folding.put(again), RunOpened) == []
    assert sent(folding.put(again), RunOpened) == []
    kept = folding.state.roots[story.root].kept[story.nested]
    assert (kept.generation, kept.phase, [stage.count for stage in kept.stages]) == (1, "closed", [1])


def test_a_redrive_that_nobody_waits_for_any_more_does_not_begin() -> None:
    """Redriven while it still closed, and its execution stopped again before it was over: nothing runs."""
    folding = Folding()
    asked, _ = folding.started(["map", plan()])
    [run] = folding.state.runs
    folding.put(ItemsRead(run, 0, 0, 2, 2, 2, b""), StopRequested("s", asked.arn), SourceEnded(run, 0, 2))
    folding.put(RedriveRequested("r", asked.arn), StopRequested("s2", asked.arn))
    outputs = folding.put(frame(run, 0, [0, 1], [ABORTED, ABORTED]))
    assert sent(outputs, RunOpened) == []
    ended = folding.state.ended[asked.arn].root
    assert ended is not None
    assert ended.kept[run].generation == 0


def test_a_child_that_succeeded_needs_its_run_no_more() -> None:
    """What is kept for a redrive goes with the child's success."""
    story = Story()
    story.end_nested(SUCCEEDED)
    assert story.nested in story.folding.state.roots[story.root].kept
    story.folding.put(frame(story.run, 1, [0], [SUCCEEDED]))
    assert story.nested not in story.folding.state.roots[story.root].kept


def test_a_nested_run_of_which_nothing_is_known_fails_in_words() -> None:
    """A redrive of a nested run that was forgotten fails for the child, with a reason."""
    story = Story()
    outputs = story.folding.put(NestedRunRequested(story.run, 0, 1, 1, 1, "Other#1.0", None, 1))
    [ended] = sent(outputs, NestedRunEnded)
    assert isinstance(ended.outcome, MapRunFailed)
    assert ended.outcome.error == "States.Runtime"
