"""Map Runs go on after each record, close, and end: their parents hear how."""

from maprun.mapruns.fold import asking, map_output, outputs
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.state import Root
from maprun.mapruns.intervals import Intervals
from maprun.mapruns.run import NestedOutcome, Run, Verdict, close, next_windows
from maprun.mapruns.verdicts import all_answered
from schemas import topics
from schemas.effects import MapRunFailed, MapRunSucceeded
from schemas.lanes import NestedRunEnded, RunClosed, RunClosing
from schemas.quotas import DATA_LIMIT_EXCEEDED, result_too_large

GONE_CAUSE = "The Map Run can't be redriven any more: nothing is known of it."


def go_on(fold: Fold, run: Run) -> None:
    """Asks for more, closes, exports or ends the run: whatever its state demands after a record."""
    windows = next_windows(run, fold.limits)
    if windows:
        asking.ask(fold, run, windows)
    if run.phase == "closing" and all_answered(run):
        _answered(fold, run)
    fold.outputs.append(outputs.RunChanged(run))


def close_run(fold: Fold, run: Run, verdict: Verdict) -> None:
    """The run begins to close, unless it did: no more children start, and nested runs of its children are aborted."""
    if not close(run, verdict):
        return
    if not all_answered(run):
        for lane in run.lanes:
            fold.send(topics.LANE_SIGNALS, lane, RunClosing(fold.cause, run.run, run.generation))
    if verdict.status != "SUCCEEDED":
        for position in list(run.nested):
            abort_nested(fold, run, position)


def abort(fold: Fold, run: Run) -> None:
    """The parent execution no longer wants this run: it was stopped, or failed beside it."""
    if run.phase == "queued":
        fold.state.waiting.remove(run.run)
        run.verdict = Verdict("ABORTED")
        end(fold, run)
    elif run.phase == "open":
        close_run(fold, run, Verdict("ABORTED"))
        go_on(fold, run)


def abort_nested(fold: Fold, run: Run, position: int) -> None:
    """The nested runs of a child that needs them no longer."""
    for key in run.nested.pop(position, ()):
        run.outcomes.pop(key, None)
        nested = fold.state.runs.get(key)
        if nested is not None:
            abort(fold, nested)


def _answered(fold: Fold, run: Run) -> None:
    for lane in run.lanes:
        fold.send(topics.LANE_SIGNALS, lane, RunClosed(fold.cause, run.run, run.generation))
    run.asked_of, run.answered_of, run.windows = {}, {}, []
    run.answered_offset = fold.state.offset
    if run.writes_results:
        run.phase = "writing"
        fold.outputs.append(outputs.ExportDue(run.run))
    else:
        end(fold, run)


def end(fold: Fold, run: Run) -> None:
    """The run is over: its parent goes on with the result or the error.

    What may be redriven with its parent is kept: every run but those whose success the parent has heard of.
    """
    verdict = run.verdict
    assert verdict is not None
    happening = _happening(run, verdict)
    if isinstance(happening, MapRunFailed) and verdict.status == "SUCCEEDED":
        run.verdict = Verdict("FAILED", happening.error, happening.cause)
    run.phase = "closed"
    run.stopped_ms = fold.state.now_ms
    fold.outputs.append(outputs.RunChanged(run))
    del fold.state.runs[run.run]
    root = fold.state.roots.get(run.root_arn)
    if root is None:
        return
    heard = not run.redrive_due and _deliver(fold, root, run, happening)
    # a child hears it later, or is stopped before: until it has succeeded itself its run may have to go on
    if run.parent is not None or not (heard and isinstance(happening, MapRunSucceeded)):
        run.answered = Intervals()
        root.kept[run.run] = run
    fold.run_closed(run.root_arn, run.run)


def _deliver(fold: Fold, root: Root, run: Run, happening: MapRunSucceeded | MapRunFailed) -> bool:
    """Tells the execution that asked for the run, if it still waits."""
    child = run.parent
    if child is None:
        waits = root.runs.get(run.ref) == run.run
        if waits:
            del root.runs[run.ref]
            fold.deliver(run.root_arn, happening)
        return waits
    parent = fold.state.runs.get(child.run)
    if parent is None or run.run not in parent.nested.get(child.position, ()) or parent.generation != child.generation:
        return False
    parent.outcomes[run.run] = NestedOutcome(child.position, run.ref, happening)
    send_outcome(fold, run.run, parent, child.lane)
    return True


def send_outcome(fold: Fold, run: str, parent: Run, lane: int) -> None:
    """Says to a lane how a nested run ended."""
    outcome = parent.outcomes[run]
    ended = NestedRunEnded(fold.cause, parent.run, parent.generation, outcome.position, outcome.ref, outcome.outcome)
    fold.send(topics.LANE_SIGNALS, lane, ended)


def _happening(run: Run, verdict: Verdict) -> MapRunSucceeded | MapRunFailed:
    if verdict.status != "SUCCEEDED":
        return MapRunFailed(run.ref, verdict.error, verdict.cause)
    if run.writes_results:
        assert run.plan.writer is not None
        return MapRunSucceeded(run.ref, map_output.written_output(run.arn, run.plan.writer.bucket, run.manifest_key))
    if not run.outputs_kept:
        return MapRunFailed(run.ref, DATA_LIMIT_EXCEEDED, result_too_large(run.plan.state))
    ordered = [run.outputs[index] for index in sorted(run.outputs)]
    return MapRunSucceeded(run.ref, map_output.inline_output(ordered, run.plan.writer))
