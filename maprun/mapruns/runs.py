"""Map Runs in the fold of home: opened, asked for, answered, closed, their results handed on."""

import msgspec

from maprun.mapruns import outputs, results
from maprun.mapruns.context import Fold
from maprun.mapruns.run import (
    ResultFile,
    Run,
    Verdict,
    all_answered,
    children_ended,
    close,
    items_read,
    judge,
    next_windows,
    split_quota,
)
from maprun.mapruns.state import Root
from schemas import topics
from schemas.arns import ChildId, home_of, murmur2, run_id, run_tail
from schemas.asks import ItemsConfirmed, ItemsRequested
from schemas.effects import MapRunFailed, MapRunRequested, MapRunStarted, MapRunSucceeded
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
from schemas.lanes import ChildStopRequested, RunClosed, RunClosing, RunOpened
from schemas.plan import MapRunPlan


def open_run(fold: Fold, arn: str, root: Root, effect: MapRunRequested) -> None:
    """A Map Run starts: its lanes are told, then its first items are asked for."""
    plan, request = effect.plan, root.request
    assert home_of(arn, fold.homes) == fold.state.home
    run_key = run_id(fold.state.home, arn, effect.ref)
    label = plan.label or auto_label(request.machine_arn, plan.state)
    concurrency = plan.max_concurrency or fold.limits.concurrency_default
    lanes, quotas = split_quota(concurrency, fold.lanes, murmur2(run_key.encode()))
    run = Run(
        run=run_key,
        arn=fold.names.map_run(request.machine_name, label, run_key),
        label=label,
        root_arn=arn,
        execution_arn=arn,
        ref=effect.ref,
        plan=plan,
        definition=request.definition,
        machine_arn=request.machine_arn,
        machine_name=request.machine_name,
        role_arn=request.role_arn,
        started_ms=fold.state.now_ms,
        started_offset=fold.state.offset,
        generation_offset=fold.state.offset,
        concurrency=concurrency,
        lanes=lanes,
        quotas=quotas,
    )
    fold.state.runs[run_key] = run
    root.runs[effect.ref] = run_key
    root.all_runs.append(run_key)
    root.open_runs += 1
    signalled = msgspec.structs.replace(plan, items=b"", reader=None)
    for lane, quota in zip(lanes, quotas, strict=True):
        opened = RunOpened(
            fold.cause,
            run_key,
            run.generation,
            quota,
            signalled,
            run.definition,
            label,
            arn,
            run.arn,
            run.machine_arn,
            run.machine_name,
            run.role_arn,
        )
        fold.send(topics.LANE_SIGNALS, lane, opened)
    if run.writes_results:
        fold.outputs.append(outputs.ExportDue(run_key))
    fold.tell(arn, MapRunStarted(effect.ref, run.arn))
    if run.unpinned:
        _ask(fold, run, [])  # open the source and say its version: what is read must be of one version
    move(fold, run)


def auto_label(machine_arn: str, state: str) -> str:
    """The label of a Map state that gives none: UUID-shaped, version nibble 3, stable for a machine and state."""
    d = run_id(0, machine_arn, state)
    return f"{d[:14]}3{d[15:]}"


def ask_plan(run: Run) -> MapRunPlan:
    """What the reader needs of the plan: without the ItemSelector's inputs unless it builds batches itself."""
    if run.plan.batcher is not None:
        return run.plan
    return msgspec.structs.replace(run.plan, selector_input=b"{}", context=b"{}", variables=b"{}", has_selector=False)


def move(fold: Fold, run: Run) -> None:
    """Asks for more, closes, exports or ends the run: whatever its state demands after a record."""
    windows = next_windows(run, fold.limits)
    if windows:
        _ask(fold, run, windows)
    if run.phase == "closing" and all_answered(run):
        _answered(fold, run)
    fold.outputs.append(outputs.RunChanged(run))


def _ask(fold: Fold, run: Run, windows: list[tuple[int, int, int]]) -> None:
    ask = ItemsRequested(
        fold.cause,
        run.run,
        run.generation,
        ask_plan(run),
        run.definition if run.plan.batcher is not None else b"",
        tuple(n for window in windows for n in window),
        run.read,
        run.items_read,
        run.checkpoint,
        run.pin,
    )
    fold.send(topics.ITEM_ASKS, fold.state.home, ask)


def _close(fold: Fold, run: Run, verdict: Verdict) -> None:
    if close(run, verdict) and not all_answered(run):
        for lane in run.lanes:
            fold.send(topics.LANE_SIGNALS, lane, RunClosing(fold.cause, run.run, run.generation))


def _answered(fold: Fold, run: Run) -> None:
    for lane in run.lanes:
        fold.send(topics.LANE_SIGNALS, lane, RunClosed(fold.cause, run.run, run.generation))
    run.asked_of, run.answered_of, run.windows = {}, {}, []
    run.answered_offset = fold.state.offset
    if run.writes_results:
        run.phase = "writing"
        fold.outputs.append(outputs.ExportDue(run.run))
    else:
        _end(fold, run)


def _end(fold: Fold, run: Run) -> None:
    """The run is over: its parent goes on with the result or the error."""
    verdict = run.verdict
    assert verdict is not None
    happening = _happening(run, verdict)
    if isinstance(happening, MapRunFailed) and verdict.status == "SUCCEEDED":
        run.verdict = Verdict("FAILED", happening.error, happening.cause)
    run.phase = "closed"
    run.stopped_ms = fold.state.now_ms
    run.outputs = {}
    fold.outputs.append(outputs.RunChanged(run))
    del fold.state.runs[run.run]
    root = fold.state.roots.get(run.root_arn)
    if root is not None:
        if root.runs.pop(run.ref, None) is not None:
            fold.tell(run.root_arn, happening)
        fold.run_closed(run.root_arn)


def _happening(run: Run, verdict: Verdict) -> MapRunSucceeded | MapRunFailed:
    if verdict.status != "SUCCEEDED":
        return MapRunFailed(run.ref, verdict.error, verdict.cause)
    if run.writes_results:
        assert run.plan.writer is not None
        return MapRunSucceeded(run.ref, results.written_output(run.arn, run.plan.writer.bucket, run.manifest_key))
    if not run.outputs_kept:
        cause = (
            f"The state/task '{run.plan.state}' returned a result with a size exceeding the maximum number of bytes "
            "service limit."
        )
        return MapRunFailed(run.ref, "States.DataLimitExceeded", cause)
    ordered = [run.outputs[position] for position in sorted(run.outputs)]
    return MapRunSucceeded(run.ref, results.inline_output(ordered, run.plan.writer))


def abort(fold: Fold, run: Run) -> None:
    """The parent execution no longer wants this run: it was stopped, or failed beside it."""
    if run.phase == "open":
        _close(fold, run, Verdict("ABORTED"))
        move(fold, run)


def _run_of(fold: Fold, record: SourceOpened | SourceEnded | SourceFailed | ChildrenEnded | ItemsRead) -> Run | None:
    run = fold.state.runs.get(record.run)
    return run if run is not None and run.generation == record.generation else None


def source_opened(fold: Fold, record: SourceOpened) -> None:
    """The source's version is pinned; the first pin stands."""
    run = _run_of(fold, record)
    if run is not None and run.phase == "open" and not run.pin:
        run.pin = record.pin
        move(fold, run)


def items_were_read(fold: Fold, record: ItemsRead) -> None:
    """Positions were read. Those of a listing may be published now: this record's digest is the one that counts."""
    run = _run_of(fold, record)
    if run is None:
        return
    before, item_index = run.checkpoint, run.items_read
    windows = items_read(run, record)
    if windows is None:
        return
    if run.listing:
        confirmed = ItemsConfirmed(
            fold.cause,
            run.run,
            run.generation,
            ask_plan(run),
            run.definition if run.plan.batcher is not None else b"",
            tuple(n for window in windows for n in window),
            record.first,
            record.count,
            item_index,
            before,
            record.digest,
        )
        fold.send(topics.ITEM_ASKS, fold.state.home, confirmed)
    move(fold, run)


def source_ended(fold: Fold, record: SourceEnded) -> None:
    """The total is known: positions at or past it are void."""
    run = _run_of(fold, record)
    if run is None or run.total is not None or run.phase != "open" or record.total != run.read:
        return
    run.total = record.total
    verdict = judge(run)
    if verdict is not None:
        _close(fold, run, verdict)
    move(fold, run)


def source_failed(fold: Fold, record: SourceFailed) -> None:
    """The source can't be read: the run fails with what was said first.

    Once the total is known everything of an object was published; of a listing it may still be missing.
    """
    run = _run_of(fold, record)
    if run is not None and run.phase == "open" and (run.total is None or run.listing):
        _close(fold, run, Verdict("FAILED", record.error, record.cause))
        move(fold, run)


def children_were_ended(fold: Fold, record: ChildrenEnded) -> None:
    """Answers: counted once, judged, and credit for more."""
    run = _run_of(fold, record)
    if run is None:
        return
    pieces = children_ended(run, record)
    if not pieces:
        return
    fold.outputs.append(outputs.EntriesAccepted(run.run, pieces, record))
    if not run.writes_results and run.outputs_kept:
        results.keep_outputs(run, record, pieces, fold.interpreter, fold.limits.result_bytes_max)
    verdict = judge(run, record)
    if verdict is not None:
        _close(fold, run, verdict)
    move(fold, run)


def lane_progress(fold: Fold, record: LaneProgress) -> None:
    """Decides nothing; the tracker reads it beside the fold."""


def stop_child(fold: Fold, record: StopRequested, child: ChildId) -> None:
    """StopExecution of a child: its lane's owner decides, if it still runs."""
    run = next((r for r in fold.state.runs.values() if run_tail(r.run) == child.run_tail), None)
    if run is not None and child.index not in run.answered and run.plan.child_type == "STANDARD":
        for lane in run.lanes:
            stop = ChildStopRequested(fold.cause, run.run, run.generation, child.index, record.error, record.cause)
            fold.send(topics.LANE_SIGNALS, lane, stop)
    fold.answer(record.request_id, msgspec.json.encode({"stopDate": fold.state.now_ms / 1000}))


def map_run_update_requested(fold: Fold, record: MapRunUpdateRequested) -> None:
    """UpdateMapRun has its place here; this version refuses it."""
    fold.answer(record.request_id, error="ValidationException", message="UpdateMapRun is not supported yet.")


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
        _end(fold, run)


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
        _end(fold, run)
    elif run.phase == "open":
        _close(fold, run, Verdict("FAILED", record.error, record.cause))
        move(fold, run)
