"""Redrive in the fold: what runs again, what is counted, which executions can't be redriven."""

from typing import Any

import msgspec
import pytest

from maprun.mapruns.fold.outputs import RootChanged
from maprun.mapruns.fold.state import Root, decode_state, encode_state
from maprun.mapruns.limits import DAY_MS
from maprun.mapruns.verdicts import item_counts
from schemas.asks import ItemsRequested, RedriveStage
from schemas.effects import TaskFailed, TaskSucceeded
from schemas.home import (
    ABORTED,
    FAILED,
    REJECTED,
    RETURNED,
    SUCCEEDED,
    TIMED_OUT,
    ItemsRead,
    ParentTaskEnded,
    RedriveRequested,
    ResultsFailed,
    ResultsWritten,
    SourceEnded,
    SourceFailed,
    StopRequested,
)
from schemas.lanes import RunOpened
from schemas.plan import ItemReaderPlan, ResultWriterPlan
from tests.unit.mapruns.folding import Folding, answers, sent, statuses
from tests.unit.mapruns.programs import Programs, frame, plan

WRITER = ResultWriterPlan(bucket="b", prefix="p")


def failed_run(folding: Folding, statuses_: list[int], name: str = "x", **over: Any) -> tuple[str, str]:
    """A run whose children, on lane 0, ended so; its source is over. Gives (root ARN, run)."""
    asked, _ = folding.started(["map", plan(**over)], name=name)
    run = next(reversed(folding.state.runs))
    count = len(statuses_)
    folding.put(ItemsRead(run, 0, 0, count, count, count, b"end"), SourceEnded(run, 0, count))
    folding.put(frame(run, 0, list(range(count)), statuses_))
    return asked.arn, run


def redrivable(folding: Folding, arn: str) -> Root:
    """What an ended execution can be redriven from."""
    root = folding.state.ended[arn].root
    assert root is not None
    return root


def test_only_what_did_not_succeed_runs_again() -> None:
    """The next generation begins with the lost children, then those never started; the source is over."""
    folding = Folding()
    arn, run = failed_run(folding, [SUCCEEDED, FAILED, RETURNED, TIMED_OUT, ABORTED, RETURNED, SUCCEEDED])
    assert not folding.state.runs
    first = redrivable(folding, arn).kept[run].generation_offset + 1
    outputs = folding.put(RedriveRequested("r", arn))
    [answer] = answers(outputs)
    assert (answer.error, msgspec.json.decode(answer.body)) == ("", {"redriveDate": folding.now / 1000})
    [ask] = sent(outputs, ItemsRequested)
    stages = [
        RedriveStage(0, first, ask.stages[0].end_offset, ask.stages[0].asked, lost, 0, n)
        for lost, n in [(True, 3), (False, 2)]
    ]
    assert list(ask.stages) == stages
    assert sum(ask.windows[1::3]) == 5
    assert {opened.generation for opened in sent(outputs, RunOpened)} == {1}
    items, children = item_counts(folding.state.runs[run], 0, 0)
    assert items == children
    assert {name: n for name, n in items.items() if n} == {
        "total": 7,
        "succeeded": 2,
        "pendingRedrive": 3,
        "pending": 2,
    }


def test_counts_add_up_through_a_redrive() -> None:
    """PendingRedrive goes down as lost children run and end; at the end all are counted once."""
    folding = Folding()
    arn, run = failed_run(folding, [SUCCEEDED, FAILED, FAILED, RETURNED])
    folding.put(RedriveRequested("r", arn))
    folding.put(ItemsRead(run, 1, 0, 2, 2, 2, b"", redriven=(FAILED, 2, 2)))
    running = item_counts(folding.state.runs[run], 1, 1)[1]
    assert (running["running"], running["pendingRedrive"], running["pending"], running["failed"]) == (1, 1, 1, 0)
    folding.put(frame(run, 0, [0], [SUCCEEDED], generation=1, indexes=(1, 1)))
    folding.put(ItemsRead(run, 1, 2, 1, 1, 1, b""))
    outputs = folding.put(frame(run, 0, [1, 2], [SUCCEEDED, SUCCEEDED], generation=1, indexes=(2, 2)))
    assert statuses(outputs) == ["SUCCEEDED"]
    assert folding.state.ended[arn].root is None


def test_answers_may_be_heard_before_what_was_read() -> None:
    """A redrive knows its total at once: it is over when all was read as well, and its counts add up before."""
    folding = Folding()
    arn, run = failed_run(folding, [SUCCEEDED, FAILED, FAILED])
    folding.put(RedriveRequested("r", arn))
    folding.put(frame(run, 0, [0], [SUCCEEDED], generation=1, indexes=(1, 1)))
    ahead = item_counts(folding.state.runs[run], 0, 0)[1]
    assert {name: n for name, n in ahead.items() if n} == {"total": 3, "succeeded": 2, "pendingRedrive": 1}
    assert statuses(folding.put(frame(run, 0, [1], [SUCCEEDED], generation=1, indexes=(2, 1)))) == []
    assert statuses(folding.put(ItemsRead(run, 1, 0, 2, 2, 2, b"", redriven=(FAILED, 2, 2)))) == ["SUCCEEDED"]


def test_a_redrive_that_closes_early_leaves_the_rest_to_the_next() -> None:
    """Lost children that a generation didn't reach stay what they were, and come after the newly lost ones."""
    folding = Folding()
    arn, run = failed_run(folding, [*[FAILED] * 30, RETURNED])
    redrivable(folding, arn).kept[run].concurrency = 1  # so that not all are asked for at once
    folding.put(RedriveRequested("r", arn))
    asked = folding.state.runs[run].asked
    assert asked < 30
    folding.put(ItemsRead(run, 1, 0, asked, asked, asked, b"", redriven=(FAILED, asked, asked)))
    folding.put(frame(run, 0, list(range(asked)), [FAILED] * asked, generation=1, indexes=(0, asked)))
    kept = redrivable(folding, arn).kept[run]
    assert {name: n for name, n in item_counts(kept, 0, 0)[1].items() if n} == {
        "failed": 30,
        "pending": 1,
        "total": 31,
        "resultsWritten": 31,
    }
    folding.put(RedriveRequested("r2", arn))
    stages = [(s.generation, s.lost, s.skip, s.count) for s in folding.state.runs[run].stages]
    assert stages == [(1, True, 0, asked), (0, True, asked, 30 - asked), (0, False, 0, 1)]


def test_what_the_source_still_holds_comes_after_the_stages() -> None:
    """A source that was not read to its end goes on where it was read to, with the index that follows."""
    reader = ItemReaderPlan("arn:aws:states:::s3:listObjectsV2", "b", prefix="p")
    folding = Folding()
    asked, _ = folding.started(["map", plan(reader=msgspec.to_builtins(reader))])
    [run] = folding.state.runs
    folding.put(ItemsRead(run, 0, 0, 3, 3, 3, b"c3"), frame(run, 0, [0], [FAILED]))
    folding.put(frame(run, 0, [1, 2], [RETURNED, SUCCEEDED]))
    [ask] = sent(folding.put(RedriveRequested("r", asked.arn)), ItemsRequested)
    assert (ask.checkpoint, ask.item_index, ask.index_first) == (b"c3", 3, 3)
    assert sum(ask.windows[1::3]) > 2
    folding.put(ItemsRead(run, 1, 0, 1, 1, 1, b"c3", redriven=(FAILED, 1, 1)), ItemsRead(run, 1, 1, 1, 1, 1, b"c3"))
    folding.put(ItemsRead(run, 1, 2, 2, 2, 2, b"c5"), SourceEnded(run, 1, 4))
    assert (folding.state.runs[run].source_items, folding.state.runs[run].checkpoint) == (5, b"c5")


def test_a_source_of_which_nothing_was_read_is_opened_anew() -> None:
    """S3 is read again only if nothing ever started: then its version is pinned anew."""
    reader = ItemReaderPlan("arn:aws:states:::s3:getObject", "b", "k", input_type="JSONL")
    folding = Folding()
    asked, _ = folding.started(["map", plan(reader=msgspec.to_builtins(reader))])
    [run] = folding.state.runs
    folding.put(SourceFailed(run, 0, "States.ItemReaderFailed", "missing"))
    [ask] = sent(folding.put(RedriveRequested("r", asked.arn)), ItemsRequested)
    assert (ask.pin, ask.windows, ask.stages) == (b"", (), ())


def test_a_redrive_waits_for_a_run_that_still_closes() -> None:
    """Stopped and redriven at once: the run first closes, then its next generation begins."""
    folding = Folding()
    asked, _ = folding.started(["map", plan()])
    [run] = folding.state.runs
    folding.put(ItemsRead(run, 0, 0, 2, 2, 2, b""), StopRequested("s", asked.arn), SourceEnded(run, 0, 2))
    outputs = folding.put(RedriveRequested("r", asked.arn))
    assert sent(outputs, RunOpened) == []
    assert folding.state.runs[run].generation == 0
    outputs = folding.put(frame(run, 0, [0, 1], [ABORTED, RETURNED]))
    assert {opened.generation for opened in sent(outputs, RunOpened)} == {1}
    assert folding.state.roots[asked.arn].status == "RUNNING"


def test_failures_count_from_zero_again() -> None:
    """The tolerance of a redrive judges its own failures, against all items of the run."""
    folding = Folding()
    arn, run = failed_run(folding, [FAILED, FAILED, SUCCEEDED, SUCCEEDED], tolerated_failure_count=1)
    folding.put(RedriveRequested("r", arn), ItemsRead(run, 1, 0, 2, 2, 2, b"", redriven=(FAILED, 2, 2)))
    outputs = folding.put(frame(run, 0, [0, 1], [FAILED, SUCCEEDED], generation=1, indexes=(0, 2)))
    assert statuses(outputs) == ["SUCCEEDED"]


def test_outputs_of_all_generations_make_the_result_in_item_order() -> None:
    """Without a writer the result array holds what succeeded, whenever it did, in the order of the items."""
    folding = Folding()
    arn, run = failed_run(folding, [FAILED, SUCCEEDED, FAILED])
    folding.put(RedriveRequested("r", arn), ItemsRead(run, 1, 0, 2, 2, 2, b"", redriven=(FAILED, 2, 2)))
    outputs = folding.put(frame(run, 0, [0, 1], [SUCCEEDED] * 2, generation=1, indexes=(0, 1, 2, 1)))
    root = next(o.root for o in outputs if isinstance(o, RootChanged))
    assert msgspec.json.decode(root.output) == [{"o": 0}, {"o": 1}, {"o": 1}]
    assert root.redrive_count == 1


def test_written_files_of_earlier_generations_are_remembered() -> None:
    """The fold keeps the SUCCEEDED files that were written, and the generations whose results never were."""
    folding = Folding()
    arn, run = failed_run(folding, [SUCCEEDED, FAILED], writer=msgspec.to_builtins(WRITER))
    folding.put(ResultsWritten(run, 0, "b", "p/manifest.json", ("p/SUCCEEDED_0.json", 10)))
    folding.put(RedriveRequested("r", arn))
    assert folding.state.runs[run].succeeded_files == [("p/SUCCEEDED_0.json", 10)]
    folding.put(ItemsRead(run, 1, 0, 1, 1, 1, b"", redriven=(FAILED, 1, 1)))
    folding.put(frame(run, 0, [0], [SUCCEEDED], generation=1, indexes=(1, 1)))
    folding.put(ResultsFailed(run, 1, "States.ResultWriterFailed", "no bucket"), RedriveRequested("r2", arn))
    kept = folding.state.runs[run]
    assert [stage.generation for stage in kept.unwritten] == [1]
    assert kept.phase == "writing"  # nothing is left to run: its results are


def test_a_task_of_the_execution_is_done_again() -> None:
    """A failed Task is asked for again; the execution goes on from there. A snapshot between changes nothing."""
    folding = Folding()
    asked, _ = folding.started(["task"])
    folding.put(ParentTaskEnded(asked.arn, TaskFailed("step-0", "E", "c")))
    state = decode_state(encode_state(folding.state, Programs()), Programs())
    again = Folding(state)
    again.now = folding.now
    for one in (folding, again):
        one.put(RedriveRequested("r", asked.arn))
        assert one.state.roots[asked.arn].status == "RUNNING"
        assert statuses(one.put(ParentTaskEnded(asked.arn, TaskSucceeded("step-0", b"{}")))) == ["SUCCEEDED"]


@pytest.mark.parametrize(
    ("case", "error", "message"),
    [
        ("none", "ExecutionDoesNotExist", "Execution Does Not Exist: 'arn'"),
        ("running", "ExecutionNotRedrivable", "Execution is RUNNING and cannot be redriven"),
        ("succeeded", "ExecutionNotRedrivable", "Execution is SUCCEEDED and cannot be redriven"),
        ("old", "ExecutionNotRedrivable", "Execution redrivable period exceeded"),
        ("very old", "ExecutionDoesNotExist", "Execution Does Not Exist: '{}'"),
        ("full", "ExecutionNotRedrivable", "Execution history event limit exceeded"),
    ],
)
def test_what_cannot_be_redriven_is_refused(case: str, error: str, message: str) -> None:
    """Each reason has AWS's words."""
    folding = Folding()
    steps = {"running": [["task"]], "succeeded": [], "none": []}.get(case, [["fail"]])
    asked, _ = folding.started(*steps)
    folding.now += {"old": 15 * DAY_MS, "very old": 91 * DAY_MS}.get(case, 0)
    if case == "old":
        folding.started(["task"], name="other")
    if case == "full":
        redrivable(folding, asked.arn).events = 24_999
    arn = "arn" if case == "none" else asked.arn
    [answer] = answers(folding.put(RedriveRequested("r", arn)))
    assert (answer.error, answer.message) == (error, message.format(arn))


def test_the_same_request_is_answered_the_same() -> None:
    """A redrive request that is delivered twice redrives once."""
    folding = Folding()
    arn, _ = failed_run(folding, [FAILED])
    first = answers(folding.put(RedriveRequested("r", arn)))[0]
    second = answers(folding.put(RedriveRequested("r", arn)))[0]
    assert first.body == second.body
    assert folding.state.roots[arn].redrive_count == 1


def test_an_older_request_that_comes_again_redrives_nothing() -> None:
    """Requests are known for 15 minutes, not the last one alone."""
    folding = Folding()
    arn, run = failed_run(folding, [FAILED])
    bodies = []
    for generation, request_id in enumerate(["a", "b"], 1):
        bodies.append(answers(folding.put(RedriveRequested(request_id, arn)))[0].body)
        folding.put(ItemsRead(run, generation, 0, 1, 1, 1, b"", redriven=(FAILED, 1, 1)))
        folding.put(frame(run, 0, [0], [FAILED], generation=generation, indexes=(0, 1)))
    assert answers(folding.put(RedriveRequested("a", arn)))[0].body == bodies[0]
    assert redrivable(folding, arn).redrive_count == 2
    folding.now += 16 * 60_000
    assert answers(folding.put(RedriveRequested("a", arn)))[0].body not in bodies
    assert folding.state.roots[arn].redrive_count == 3


def test_a_name_is_free_again_after_its_retention() -> None:
    """Names of ended executions are kept for 90 days of log time, then forgotten."""
    folding = Folding()
    asked, _ = folding.started()
    folding.now += 91 * DAY_MS
    folding.started(name="other")
    assert folding.home.ended(asked.arn) is None
    [answer] = answers(folding.put(msgspec.structs.replace(asked, request_id="new")))
    assert answer.error == ""


def test_a_refused_input_is_built_again() -> None:
    """A child whose input could not be built never started: it comes again with those."""
    folding = Folding()
    arn, run = failed_run(folding, [SUCCEEDED, REJECTED])
    folding.put(RedriveRequested("r", arn))
    assert [(s.lost, s.count) for s in folding.state.runs[run].stages] == [(False, 1)]


def test_a_redrive_that_is_stopped_before_its_run_was_closed_begins_nothing() -> None:
    """Stopped, redriven while its run still closes, stopped again: the run ends; the next redrive has it go on."""
    folding = Folding()
    asked, _ = folding.started(["map", plan()])
    [run] = folding.state.runs
    folding.put(ItemsRead(run, 0, 0, 2, 2, 2, b"end"), SourceEnded(run, 0, 2))
    folding.put(StopRequested("s", asked.arn), RedriveRequested("r", asked.arn), StopRequested("s2", asked.arn))
    folding.put(frame(run, 0, [0, 1], [ABORTED, ABORTED]))
    assert (folding.state.runs, folding.state.ended[asked.arn].root is not None) == ({}, True)
    folding.put(RedriveRequested("r2", asked.arn))
    assert folding.state.runs[run].generation == 1
