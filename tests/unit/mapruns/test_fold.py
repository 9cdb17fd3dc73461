"""The fold of home: the same records give the same state and outputs, whoever folds them, wherever they stopped."""

from typing import Any

import msgspec
import pytest

from maprun.mapruns.fold.outputs import (
    CancelEffect,
    EntriesAccepted,
    ExportDue,
    RunChanged,
    Send,
    SetTimer,
    StartTask,
)
from maprun.mapruns.fold.state import decode_state, encode_state
from schemas.arns import child_arn
from schemas.asks import ItemsConfirmed, ItemsRequested
from schemas.effects import TaskSucceeded
from schemas.home import (
    ABORTED,
    FAILED,
    REJECTED,
    RETURNED,
    ItemsRead,
    Origin,
    ParentTaskEnded,
    ResultFileOpened,
    ResultPartWritten,
    ResultsFailed,
    ResultsWritten,
    SourceEnded,
    SourceFailed,
    SourceOpened,
    StopRequested,
    TimerDue,
)
from schemas.lanes import ChildStopRequested, RunClosed, RunClosing, RunOpened
from schemas.plan import ItemReaderPlan, ResultWriterPlan
from schemas.requests import RequestRejected
from tests.unit.mapruns.folding import Folding, answers, sent, status_event, statuses
from tests.unit.mapruns.programs import LANES, NAMES, Programs, frame, pages_of, plan, request

WRITER = ResultWriterPlan(bucket="b", prefix="p")


# ---------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("again", "ended", "error"),
    [
        ({"request_id": "request-x"}, False, ""),  # redelivered
        ({"request_id": "request-x"}, True, ""),
        ({"request_id": "other"}, False, ""),  # open, same input: the first one's answer
        ({"request_id": "other"}, True, "ExecutionAlreadyExists"),
        ({"request_id": "other", "input": b"[]"}, False, "ExecutionAlreadyExists"),
        ({"request_id": "other", "input": b"[]"}, True, "ExecutionAlreadyExists"),
    ],
)
def test_a_name_is_taken_once(again: dict[str, Any], ended: bool, error: str) -> None:
    """Same name: the same open execution with the same input gets the first answer; everything else is refused."""
    folding = Folding()
    steps = [] if ended else [["wait", 100]]
    asked, first = folding.started(*steps)
    outputs = folding.put(msgspec.structs.replace(asked, **again))
    [answer] = answers(outputs)
    assert answer.error == error
    if not error:
        assert answer.body == answers(first)[0].body
    assert statuses(outputs) == []


def test_a_refusal_of_a_request_by_topic_goes_to_the_rejected_topic() -> None:
    """A request that came by the topic and takes a taken name is rejected there, with its origin."""
    folding = Folding()
    asked, _ = folding.started(["wait", 100])
    origin = Origin("execution-requests", 1, 7)
    outputs = folding.put(msgspec.structs.replace(asked, request_id="other", input=b"1", origin=origin))
    [rejected] = sent(outputs, RequestRejected)
    assert (rejected.origin, rejected.error) == (origin, "ExecutionAlreadyExists")


def test_a_name_is_remembered_by_a_snapshot() -> None:
    """The name of an ended execution stays taken after the state was stored and read back."""
    folding = Folding()
    asked, _ = folding.started()
    again = Folding(decode_state(encode_state(folding.state, Programs()), Programs()))
    [answer] = answers(again.put(msgspec.structs.replace(asked, request_id="other")))
    assert answer.error == "ExecutionAlreadyExists"


# ---------------------------------------------------------------------- steps


def test_outcomes_and_timers_count_while_they_are_waited_for() -> None:
    """A Task's outcome and a timer move the execution once; repeated, late or foreign ones change nothing."""
    folding = Folding()
    asked, outputs = folding.started(["task"], ["wait", 5])
    assert [type(o) for o in outputs if isinstance(o, StartTask)] == [StartTask]
    done = ParentTaskEnded(asked.arn, TaskSucceeded("step-0", b"1"))
    outputs = folding.put(done)
    [timer] = [o for o in outputs if isinstance(o, SetTimer)]
    assert timer.due_ms == folding.state.now_ms + 5_000
    assert folding.put(done) == []
    assert folding.put(TimerDue(asked.arn, "step-0")) == []
    assert folding.put(TimerDue("arn:of:nobody", "step-1")) == []
    assert statuses(folding.put(TimerDue(asked.arn, "step-1"))) == ["SUCCEEDED"]
    assert folding.put(TimerDue(asked.arn, "step-1")) == []
    assert folding.state.roots == {}


def test_stopping_cancels_what_is_pending_and_is_answered_each_time() -> None:
    """StopExecution ends the execution ABORTED, cancels its Task, and answers a repeat with the same date."""
    folding = Folding()
    asked, _ = folding.started(["task"])
    outputs = folding.put(StopRequested("s1", asked.arn))
    assert statuses(outputs) == ["ABORTED"]
    assert [o.ref for o in outputs if isinstance(o, CancelEffect)] == ["step-0"]
    [first] = answers(outputs)
    for request_id in ("s1", "s2"):
        [answer] = answers(folding.put(StopRequested(request_id, asked.arn)))
        assert (answer.error, answer.body) == ("", first.body)
    [answer] = answers(folding.put(StopRequested("s3", asked.arn + "-not")))
    assert answer.error == "ExecutionDoesNotExist"


def test_a_root_whose_name_looks_like_a_childs_is_stopped() -> None:
    """Only a label in the ARN makes a child: version-3 UUIDs, as Java draws from names, are names of roots too."""
    folding = Folding()
    asked, _ = folding.started(["task"], name="5df41881-3aed-3515-88a7-2f4a814cf09e")
    assert statuses(folding.put(StopRequested("s", asked.arn))) == ["ABORTED"]


def test_a_record_that_cannot_be_folded_ends_its_execution_alone() -> None:
    """A fold that raises closes that root with States.Runtime; the next record is folded as if nothing was."""
    folding = Folding()
    other, _ = folding.started(["task"], name="other")
    asked, _ = folding.started(["task"], ["bug"])
    outputs = folding.put(ParentTaskEnded(asked.arn, TaskSucceeded("step-0", b"1")))
    assert statuses(outputs) == ["FAILED"]
    event = status_event(outputs)["detail"]
    assert event["error"] == "States.Runtime"
    assert "ZeroDivisionError" in event["cause"]
    assert statuses(folding.put(ParentTaskEnded(other.arn, TaskSucceeded("step-0", b"1")))) == ["SUCCEEDED"]


def test_an_execution_that_cannot_hear_of_its_map_run_ends_and_is_let_go() -> None:
    """The bug may lie behind the run's end, when the run is known no more: the root fails, and nothing of it stays."""
    folding = Folding()
    folding.started(["map", plan()], ["bug"])
    [run] = folding.state.runs
    folding.put(ItemsRead(run, 0, 0, 1, 1, 1, b"end"), SourceEnded(run, 0, 1))
    outputs = folding.put(frame(run, 0, [0]))
    assert statuses(outputs) == ["FAILED"]
    assert "ZeroDivisionError" in status_event(outputs)["detail"]["cause"]
    assert (folding.state.runs, folding.state.roots) == ({}, {})


def test_time_in_the_fold_never_goes_back() -> None:
    """`now` is the broker's timestamp, but never less than the one before."""
    folding = Folding()
    folding.home.apply(0, 5_000, request("a", [["wait", 1]]))
    folding.home.apply(1, 4_000, request("b", [["wait", 1]]))
    assert {next(iter(root.timers.values())) for root in folding.state.roots.values()} == {6_000}


# ---------------------------------------------------------------------- Map Runs


def test_a_map_run_opens_its_lanes_before_it_asks() -> None:
    """RunOpened to every lane with quota, then windows; causes ascend, so the newest value is known everywhere."""
    folding = Folding()
    _, outputs = folding.started(["map", plan(max_concurrency=5)])
    kinds = [type(o.message) for o in outputs if isinstance(o, Send) and o.topic in ("lane-signals", "item-asks")]
    assert kinds == [RunOpened] * LANES + [ItemsRequested]
    opened = sent(outputs, RunOpened)
    assert sum(signal.quota for signal in opened) == 5
    causes = [m.cause for m in [*opened, *sent(outputs, ItemsRequested)]]
    assert [c.n for c in causes] == sorted({c.n for c in causes})
    assert all(signal.plan.items == b"" for signal in opened)


def test_an_object_is_pinned_before_it_is_read() -> None:
    """The first ask for an object has no windows; SourceOpened brings the version, which every later ask carries."""
    reader = ItemReaderPlan("arn:aws:states:::s3:getObject", "b", "k", input_type="CSV")
    folding = Folding()
    _, outputs = folding.started(["map", plan(reader=reader)])
    [opening] = sent(outputs, ItemsRequested)
    assert opening.windows == ()
    run = next(iter(folding.state.runs))
    [ask] = sent(folding.put(SourceOpened(run, 0, b"etag")), ItemsRequested)
    assert (ask.pin, bool(ask.windows)) == (b"etag", True)
    assert folding.put(SourceOpened(run, 0, b"other")) == []
    assert folding.state.runs[run].pin == b"etag"


def test_a_listing_is_published_only_as_it_was_accepted() -> None:
    """Each accepted ItemsRead of a listing is confirmed with its digest, its lanes and where it began."""
    reader = ItemReaderPlan("arn:aws:states:::s3:listObjectsV2", "b")
    folding = Folding()
    run = folding.run_of(["map", plan(reader=reader)])
    outputs = folding.put(ItemsRead(run, 0, 0, 5, 5, 50, b"c5", b"digest"))
    [confirmed] = sent(outputs, ItemsConfirmed)
    assert (confirmed.first, confirmed.count, confirmed.digest, confirmed.checkpoint) == (0, 5, b"digest", b"")
    assert sum(confirmed.windows[1::3]) == 5
    [confirmed] = sent(folding.put(ItemsRead(run, 0, 5, 2, 2, 20, b"c7", b"d2")), ItemsConfirmed)
    assert (confirmed.checkpoint, confirmed.item_index) == (b"c5", 5)
    assert folding.put(ItemsRead(run, 0, 5, 2, 2, 20, b"c7", b"other")) == []


def test_a_run_without_a_writer_gives_its_outputs_in_item_order() -> None:
    """The Map state's result is the array of outputs by position, in whatever order the lanes answered."""
    folding = Folding()
    run = folding.run_of(["map", plan(tolerated_failure_percentage=100.0)])
    folding.put(frame(run, 1, [2]), ItemsRead(run, 0, 0, 4, 4, 40, b""), frame(run, 0, [3, 0]))
    folding.put(SourceEnded(run, 0, 4))
    outputs = folding.put(frame(run, 2, [1], [FAILED]))
    assert statuses(outputs) == ["SUCCEEDED"]
    event = status_event(outputs)
    assert event["detail"]["output"] == '[{"o":0},{"o":2},{"o":3}]'
    assert len(sent(outputs, RunClosed)) == LANES
    assert folding.state.runs == {}


def test_a_result_past_the_limit_fails_the_run() -> None:
    """Outputs of more than 262,144 bytes are States.DataLimitExceeded, and are not kept in memory."""
    folding = Folding()
    run = folding.run_of(["map", plan()])
    big = b'"%s"' % (b"x" * 200_000)
    told = frame(run, 0, [0, 1])
    told = msgspec.structs.replace(told, pages=pages_of([big, big]))
    folding.put(ItemsRead(run, 0, 0, 2, 2, 20, b""), told)
    assert folding.state.runs[run].outputs == {}
    outputs = folding.put(SourceEnded(run, 0, 2))
    event = status_event(outputs)
    assert event["detail"]["error"] == "States.DataLimitExceeded"


@pytest.mark.parametrize(
    ("last", "error"),
    [
        (SourceFailed, "States.ItemReaderFailed"),
        (FAILED, "States.ExceedToleratedFailureThreshold"),
        (REJECTED, "States.Runtime"),
    ],
)
def test_a_failing_run_closes_its_lanes_and_waits_for_what_it_published(last: Any, error: str) -> None:
    """First RunClosing everywhere; only when everything that was read is answered does the parent hear of it."""
    folding = Folding()
    run = folding.run_of(["map", plan()])
    folding.put(ItemsRead(run, 0, 0, 6, 6, 60, b""), frame(run, 0, [0, 1]))
    if last is SourceFailed:
        outputs = folding.put(SourceFailed(run, 0, error, "gone"))
    else:
        outputs = folding.put(frame(run, 0, [2], [last], error=error, cause="gone"))
    assert len(sent(outputs, RunClosing)) == LANES
    assert statuses(outputs) == []
    assert statuses(folding.put(SourceFailed(run, 0, "Other", "late"))) == []
    outputs = folding.put(frame(run, 1, [2, 3, 4, 5], [RETURNED, RETURNED, ABORTED, RETURNED]))
    assert statuses(outputs) == ["FAILED"]
    event = status_event(outputs)
    assert event["detail"]["error"] == error


def test_a_run_whose_source_broke_waits_for_no_child_that_home_never_heard_was_read() -> None:
    """Its reader fell before it said so, and the next can't read: the lane gives the child up."""
    folding = Folding()
    run = folding.run_of(["map", plan()])
    folding.put(frame(run, 0, [0]))  # which proves that it was published; its neighbour still runs
    outputs = folding.put(SourceFailed(run, 0, "States.ItemReaderFailed", "the object changed"))
    assert statuses(outputs) == ["FAILED"]
    assert (len(sent(outputs, RunClosing)), len(sent(outputs, RunClosed))) == (0, LANES)
    assert not any(isinstance(o, EntriesAccepted) for o in folding.put(frame(run, 0, [1])))


def test_stopping_the_parent_closes_its_run_and_its_name_stays_until_then() -> None:
    """StopExecution answers at once; the run closes by the same rule, and the root is forgotten behind it."""
    folding = Folding()
    asked, _ = folding.started(["map", plan()])
    run = next(iter(folding.state.runs))
    folding.put(ItemsRead(run, 0, 0, 3, 3, 30, b""))
    outputs = folding.put(StopRequested("s", asked.arn))
    assert statuses(outputs) == ["ABORTED"]
    assert len(sent(outputs, RunClosing)) == LANES
    assert asked.arn in folding.state.roots
    folding.put(frame(run, 0, [0, 1, 2], [RETURNED] * 3))
    assert run in folding.state.runs  # more was asked for: it may be published, and home doesn't know it yet
    folding.put(ItemsRead(run, 0, 3, 1, 1, 10, b""), frame(run, 0, [3], [RETURNED]))
    outputs = folding.put(SourceEnded(run, 0, 4))
    changed = next(o.run for o in outputs if isinstance(o, RunChanged) and o.run.phase == "closed")
    assert changed.verdict is not None
    assert changed.verdict.status == "ABORTED"
    assert (folding.state.runs, folding.state.roots) == ({}, {})


def test_stopping_a_child_is_handed_to_the_lanes() -> None:
    """StopExecution of a STANDARD child reaches the lanes of its run, which decide; an unknown one is answered too."""
    folding = Folding()
    run = folding.run_of(["map", plan()])
    folding.put(ItemsRead(run, 0, 0, 3, 3, 30, b""))
    arn = child_arn(NAMES.child_prefix("m", "L", express=False), run, 2, express=False)
    outputs = folding.put(StopRequested("s", arn, "E", "because"))
    stops = sent(outputs, ChildStopRequested)
    assert {(s.index, s.error, s.cause_text) for s in stops} == {(2, "E", "because")}
    assert len(answers(outputs)) == 1


def test_a_run_with_a_writer_ends_when_its_results_are_written() -> None:
    """All answered: the run is writing; ResultsWritten lets the parent go on with where the manifest is."""
    folding = Folding()
    run = folding.run_of(["map", plan(writer=WRITER)])
    folding.put(ItemsRead(run, 0, 0, 1, 1, 10, b""), SourceEnded(run, 0, 1))
    assert folding.put(ResultsWritten(run, 0, "b", "early")) == []
    outputs = folding.put(frame(run, 0, [0]))
    assert [o for o in outputs if isinstance(o, ExportDue)]
    state = folding.state.runs[run]
    assert (state.phase, state.answered_offset) == ("writing", folding.state.offset)
    assert folding.put(frame(run, 0, [0], [FAILED])) == []
    outputs = folding.put(ResultsWritten(run, 0, "b", f"p/{run}/manifest.json"))
    assert statuses(outputs) == ["SUCCEEDED"]
    event = status_event(outputs)
    details = {"Bucket": "b", "Key": f"p/{run}/manifest.json"}
    assert msgspec.json.decode(event["detail"]["output"])["ResultWriterDetails"] == details


def test_the_first_upload_of_a_file_wins() -> None:
    """Two exporters may begin an upload; the first on home is the file's, and parts are known by number."""
    folding = Folding()
    run = folding.run_of(["map", plan(writer=WRITER)])
    folding.put(
        ResultFileOpened(run, 0, "SUCCEEDED", 0, "u1"),
        ResultFileOpened(run, 0, "SUCCEEDED", 0, "u2"),
        ResultPartWritten(run, 0, "SUCCEEDED", 0, 0, "e", 5),
        ResultPartWritten(run, 0, "SUCCEEDED", 0, 0, "e", 5),
    )
    [file] = folding.state.runs[run].files
    assert (file.upload_id, file.parts) == ("u1", {0: ("e", 5)})


def test_results_that_cannot_be_written_fail_a_run_but_an_earlier_reason_stands() -> None:
    """States.ResultWriterFailed closes an open run and ends a successful one; a stopped run stays ABORTED."""
    folding = Folding()
    failed = ResultsFailed("", 0, "States.ResultWriterFailed", "no bucket")
    run = folding.run_of(["map", plan(writer=WRITER)])
    folding.put(ItemsRead(run, 0, 0, 1, 1, 10, b""))
    assert len(sent(folding.put(msgspec.structs.replace(failed, run=run)), RunClosing)) == LANES
    folding.put(frame(run, 0, [0], [RETURNED]), SourceEnded(run, 0, 1))
    assert statuses(folding.put(msgspec.structs.replace(failed, run=run))) == ["FAILED"]
    stopped = folding.run_of(["map", plan(writer=WRITER)], name="y")
    folding.put(StopRequested("s", folding.state.runs[stopped].root_arn), SourceEnded(stopped, 0, 0))
    outputs = folding.put(msgspec.structs.replace(failed, run=stopped))
    changed = next(o.run for o in outputs if isinstance(o, RunChanged) and o.run.phase == "closed")
    assert changed.verdict is not None
    assert changed.verdict.status == "ABORTED"


def test_status_events_carry_payloads_up_to_awss_bound() -> None:
    """Input and output are in the event up to 248 KiB together; past it the event says that they are not."""
    _, outputs = Folding().started(input=b'"%s"' % (b"x" * 1_000))
    event = status_event(outputs)
    assert (event["detail"]["inputDetails"], len(event["detail"]["input"])) == ({"included": True}, 1_002)
    assert event["time"] == "1970-01-01T00:16:40Z"
    _, outputs = Folding().started(input=b'"%s"' % (b"x" * 255_000))
    detail = status_event(outputs)["detail"]
    assert (detail["input"], detail["output"]) == (None, None)
    assert (detail["inputDetails"], detail["outputDetails"]) == ({"included": False}, {"included": False})


# ---------------------------------------------------------------------- records that can't be folded


def test_how_an_execution_ended_stays_whatever_comes_behind_it() -> None:
    """A frame that can't be folded, read while the runs of a stopped execution close, doesn't make it FAILED."""
    folding = Folding()
    asked, _ = folding.started(["map", plan(items=b"[1,2]")])
    run = next(iter(folding.state.runs))
    folding.put(ItemsRead(run, 0, 0, 2, 2, 2, b""), SourceEnded(run, 0, 2), StopRequested("stop", asked.arn))
    assert folding.state.roots[asked.arn].status == "ABORTED"
    outputs = folding.put(frame(run, 0, [0], pages=(b"no page",)))
    assert folding.state.roots[asked.arn].status == "ABORTED"
    assert statuses(outputs) == []
    folding.put(frame(run, 0, [1], pages=(b"no page",)))
    assert not folding.state.runs


def test_lanes_are_told_which_trace_the_root_execution_belongs_to() -> None:
    """So that its children's calls belong to it too."""
    _, outputs = Folding().started(["map", plan()], trace_header="Root=1-5759e988-bd862e3fe1be46a994272793")
    assert {opened.trace_header for opened in sent(outputs, RunOpened)} == {"Root=1-5759e988-bd862e3fe1be46a994272793"}
