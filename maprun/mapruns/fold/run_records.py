"""What the records of home say of Map Runs: read, answered, changed, their results written."""

import msgspec

from maprun.mapruns import quotas
from maprun.mapruns.fold import asking, map_output, nested, outputs
from maprun.mapruns.fold.closing import close_run, end, go_on
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.opening import open_on_lanes
from maprun.mapruns.fold.repeats import once
from maprun.mapruns.run import ResultFile, Run, Verdict, children_ended, items_read, lanes_without_quota_owe
from maprun.mapruns.verdicts import judge
from schemas import topics
from schemas.arns import ChildId, run_tail
from schemas.history_pages import ChildHistoryRequested, ChildHistoryShown, HistoryPage
from schemas.home import (
    ChildrenEnded,
    ItemsRead,
    LaneProgress,
    MapRunUpdateRequested,
    ResultFileOpened,
    ResultPartWritten,
    ResultsFailed,
    ResultsWritten,
    SourceEnded,
    SourceFailed,
    SourceOpened,
    StopRequested,
)
from schemas.lanes import ChildHistoryAsked, ChildStopRequested

UPDATE_REFUSED = "The Map Run is over: only a running one can be updated (CANNOT_UPDATE_COMPLETED_MAP_RUN)."


def _run_of(fold: Fold, record: SourceOpened | SourceEnded | SourceFailed | ChildrenEnded | ItemsRead) -> Run | None:
    run = fold.state.runs.get(record.run)
    return run if run is not None and run.generation == record.generation else None


def source_opened(fold: Fold, record: SourceOpened) -> None:
    """The source's version is pinned; the first pin stands."""
    run = _run_of(fold, record)
    if run is not None and run.phase == "open" and not run.pin:
        run.pin = record.pin
        go_on(fold, run)


def items_were_read(fold: Fold, record: ItemsRead) -> None:
    """Positions were read. Those of a listing may be published now: this record's digest is the one that counts."""
    run = _run_of(fold, record)
    if run is None:
        return
    before = (run.source_items, run.checkpoint)
    windows = items_read(run, record)
    if windows is None:
        return
    if run.listing and record.first >= run.staged:
        asking.confirm(fold, run, record, windows, before)
    verdict = judge(run)
    if verdict is not None:
        close_run(fold, run, verdict)
    go_on(fold, run)


def source_ended(fold: Fold, record: SourceEnded) -> None:
    """The total is known: positions at or past it are void."""
    run = _run_of(fold, record)
    if run is None or run.total is not None or run.phase not in {"open", "closing"} or record.total != run.read:
        return
    run.total = record.total
    _settle(fold, run)  # a lane that was asked for what isn't there owes nothing any more
    verdict = judge(run)
    if verdict is not None:
        close_run(fold, run, verdict)
    go_on(fold, run)


def source_failed(fold: Fold, record: SourceFailed) -> None:
    """The source can't be read: the run fails with what was said first.

    Once the total is known everything of an object was published; of a listing it may still be missing.
    """
    run = _run_of(fold, record)
    if run is None or run.phase not in {"open", "closing"}:
        return
    run.source_broken = True
    if run.phase == "open" and (run.total is None or run.listing or run.read < run.total):
        close_run(fold, run, Verdict("FAILED", record.error, record.cause))
    go_on(fold, run)


def children_were_ended(fold: Fold, record: ChildrenEnded) -> None:
    """Answers: counted once, judged, and credit for more."""
    run = _run_of(fold, record)
    if run is None:
        return
    pieces = children_ended(run, record)
    if not pieces:
        return
    run.speed.note(sum(piece.count for piece in pieces), fold.state.now_ms, fold.limits.speed_ms)
    fold.outputs.append(outputs.EntriesAccepted(run.run, pieces, record))
    if not run.writes_results and run.outputs_kept:
        map_output.keep_outputs(run, record, pieces, fold.interpreter, fold.names, fold.limits.result_bytes_max)
    if run.nested:
        nested.children_answered(fold, run, record, pieces)
    _settle(fold, run)
    verdict = judge(run, record)
    if verdict is not None:
        close_run(fold, run, verdict)
    go_on(fold, run)


def lane_progress(fold: Fold, record: LaneProgress) -> None:
    """Decides nothing; the tracker reads it beside the fold."""


def history_page(fold: Fold, record: HistoryPage) -> None:
    """Decides nothing; the frame that names it is what counts."""


def child_history_requested(fold: Fold, record: ChildHistoryRequested) -> None:
    """The lane on which the child runs knows what has happened to it; whoever asks gives up if it doesn't answer."""
    run = fold.state.runs.get(record.run)
    if run is not None and record.lane in run.lanes:
        asked = ChildHistoryAsked(fold.cause, run.run, run.generation, record.index, record.request_id)
        fold.send(topics.LANE_SIGNALS, record.lane, asked)


def child_history_shown(fold: Fold, record: ChildHistoryShown) -> None:
    """Decides nothing; the tracker hands it to who asked."""


def stop_child(fold: Fold, record: StopRequested, child: ChildId) -> None:
    """StopExecution of a child: its lane's owner decides, if it still runs."""
    run = next((r for r in fold.state.runs.values() if run_tail(r.run) == child.run_tail), None)
    if run is not None and run.plan.child_type == "STANDARD":
        for lane in run.lanes:
            stop = ChildStopRequested(fold.cause, run.run, run.generation, child.index, record.error, record.cause)
            fold.send(topics.LANE_SIGNALS, lane, stop)
    fold.answer(record.request_id, msgspec.json.encode({"stopDate": fold.state.now_ms / 1000}))


@once
def map_run_update_requested(fold: Fold, record: MapRunUpdateRequested) -> None:
    """UpdateMapRun: new limits count from this record on. Children that run already run on."""
    run = fold.state.runs.get(record.run)
    if run is None:
        fold.answer(record.request_id, error="ValidationException", message=UPDATE_REFUSED)
        return
    count, percentage = record.tolerated_failure_count, record.tolerated_failure_percentage
    plan = run.plan
    run.plan = msgspec.structs.replace(
        plan,
        max_concurrency=plan.max_concurrency if record.max_concurrency is None else record.max_concurrency,
        tolerated_failure_count=plan.tolerated_failure_count if count is None else count,
        tolerated_failure_percentage=plan.tolerated_failure_percentage if percentage is None else percentage,
    )
    if record.max_concurrency is not None:
        known = run.lanes
        changed = quotas.change_concurrency(run, record.max_concurrency or fold.limits.concurrency_default, fold.lanes)
        _send_quotas(fold, run, changed, known)
    fold.answer(record.request_id)
    verdict = judge(run)
    if verdict is not None:
        close_run(fold, run, verdict)
    go_on(fold, run)


def _settle(fold: Fold, run: Run) -> None:
    """Moves units of quota to lanes that owe answers and have none, from lanes that owe none."""
    if 0 in run.quotas and lanes_without_quota_owe(run):
        _send_quotas(fold, run, quotas.settle(run, fold.lanes), run.lanes)


def _send_quotas(fold: Fold, run: Run, changed: dict[int, int], known: tuple[int, ...]) -> None:
    if run.phase == "open":
        open_on_lanes(fold, run, changed, known)


def _writing(fold: Fold, run: str, generation: int) -> Run | None:
    found = fold.state.runs.get(run)
    if found is None or found.generation != generation or not found.writes_results:
        return None
    return found


def result_file_opened(fold: Fold, record: ResultFileOpened) -> None:
    """The upload of a result file; the first wins."""
    run = _writing(fold, record.run, record.generation)
    if run is not None and not any(f.status == record.status and f.file == record.file for f in run.files):
        run.files.append(ResultFile(record.status, record.file, record.upload_id))
        fold.outputs.append(outputs.ExportDue(run.run))


def result_part_written(fold: Fold, record: ResultPartWritten) -> None:
    """A part is in S3: whoever goes on needn't write it again."""
    run = _writing(fold, record.run, record.generation)
    for file in run.files if run is not None else ():
        if file.status == record.status and file.file == record.file:
            file.parts[record.part] = (record.etag, record.size)


def results_written(fold: Fold, record: ResultsWritten) -> None:
    """The results are complete: the run ends."""
    run = _writing(fold, record.run, record.generation)
    if run is not None and run.phase == "writing":
        run.manifest_key = record.manifest_key
        files = iter(record.succeeded)
        run.succeeded_files += [(str(key), int(size)) for key, size in zip(files, files, strict=True)]
        run.unwritten = ()
        end(fold, run)


def results_failed(fold: Fold, record: ResultsFailed) -> None:
    """The results can't be written: a run that would have succeeded fails; an earlier reason stands.

    Before all are answered it begins to close; the exporter says it again once they are.
    """
    run = _writing(fold, record.run, record.generation)
    if run is None:
        return
    if run.phase == "writing":
        if run.verdict is None or run.verdict.status == "SUCCEEDED":
            run.verdict = Verdict("FAILED", record.error, record.cause)
        end(fold, run)
    elif run.phase == "open":
        close_run(fold, run, Verdict("FAILED", record.error, record.cause))
        go_on(fold, run)
