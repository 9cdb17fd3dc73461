"""Nested Map Runs: asked for by children of other runs, their outcomes kept until those children are answered."""

from maprun.mapruns.fold import closing, opening
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.state import Root
from maprun.mapruns.ledger import Piece
from maprun.mapruns.run import NestedOutcome, ParentChild, Run
from schemas.arns import child_arn, run_id
from schemas.effects import MapRunFailed
from schemas.home import SUCCEEDED, ChildrenEnded, NestedRunDropped, NestedRunRequested

_LIVE = {"open", "closing"}


def nested_run_requested(fold: Fold, record: NestedRunRequested) -> None:
    """A child reached a distributed Map. Asked again it is answered again; a child that is over gets no answer.

    While the child's run closes nothing begins, but what the child's history tells of must be there for its redrive.
    """
    parent = _parent(fold, record)
    root = fold.state.roots.get(parent.root_arn) if parent is not None else None
    if parent is None or root is None or record.position in parent.answered or record.position >= parent.asked:
        return
    arn = _child_arn(fold, parent, record.index)
    key = run_id(fold.state.home, arn, record.ref)
    if parent.phase == "open" and key in parent.outcomes:
        closing.send_outcome(fold, key, parent, record.lane)
        return
    known = parent.nested.setdefault(record.position, [])
    if key not in known:
        known.append(key)
        begin = _begin if record.plan is not None else _redrive
        begin(fold, root, parent, record, (arn, key))


Names = tuple[str, str]
"""The ARN of a child, and the id of the nested run it asks for."""


def _begin(fold: Fold, root: Root, parent: Run, record: NestedRunRequested, names: Names) -> None:
    """A nested run begins, unless the child's own run closes; a late repeat changes nothing."""
    arn, key = names
    assert record.plan is not None
    if key not in fold.state.runs and key not in root.kept:
        begin = opening.open_run if parent.phase == "open" else opening.keep_unopened
        begin(fold, root, arn, record.ref, record.plan, _child(parent, record))


def _redrive(fold: Fold, root: Root, parent: Run, record: NestedRunRequested, names: Names) -> None:
    """A nested run begins its generation `redrive`, at once or when the one before is closed."""
    key = names[1]
    run = fold.state.runs.get(key) or root.kept.get(key)
    if run is None:
        failed = MapRunFailed(record.ref, "States.Runtime", closing.GONE_CAUSE)
        parent.outcomes[key] = NestedOutcome(record.position, record.ref, failed)
        closing.send_outcome(fold, key, parent, record.lane)
    elif run.generation < record.redrive:  # else a late repeat
        run.parent = _child(parent, record)
        if key in fold.state.runs:
            run.redrive_due = record.redrive
        elif parent.phase == "open":
            opening.redrive_run(fold, root, root.kept.pop(key), record.redrive)
        else:
            opening.pass_over(fold, run, record.redrive)


def _child(parent: Run, record: NestedRunRequested) -> ParentChild:
    return ParentChild(parent.run, parent.generation, record.position, record.index, record.lane)


def closed(fold: Fold, root: Root, run: Run) -> None:
    """A run whose redrive was asked for while it closed is over: its parent may wait for it, or no more."""
    if not run.redrive_due:
        return
    child = run.parent
    if child is None:
        waits = root.status == "RUNNING" and root.runs.get(run.ref) == run.run
    else:
        parent = fold.state.runs.get(child.run)
        same = parent is not None and (parent.generation, parent.phase) == (child.generation, "open")
        waits = same and parent is not None and run.run in parent.nested.get(child.position, ())
    if waits:
        opening.redrive_run(fold, root, root.kept.pop(run.run), run.redrive_due)
    elif child is not None:
        opening.pass_over(fold, run, run.redrive_due)
    else:
        run.redrive_due = 0


def nested_run_dropped(fold: Fold, record: NestedRunDropped) -> None:
    """A child no longer waits for its nested run: it is aborted."""
    parent = _parent(fold, record)
    if parent is None:
        return
    key = run_id(fold.state.home, _child_arn(fold, parent, record.index), record.ref)
    known = parent.nested.get(record.position, [])
    if key in known:
        known.remove(key)
        parent.outcomes.pop(key, None)
        nested = fold.state.runs.get(key)
        if nested is not None:
            closing.abort(fold, nested)


def children_answered(fold: Fold, run: Run, record: ChildrenEnded, pieces: list[Piece]) -> None:
    """Nested runs of children that were answered go on no longer. Those of a child that succeeded are done with."""
    root = fold.state.roots.get(run.root_arn)
    for piece in pieces:
        for position in [p for p in run.nested if piece.position <= p < piece.position + piece.count]:
            keys = list(run.nested[position])
            closing.abort_nested(fold, run, position)
            if root is not None and record.statuses[piece.slot + position - piece.position] == SUCCEEDED:
                for key in keys:
                    root.kept.pop(key, None)


def _parent(fold: Fold, record: NestedRunRequested | NestedRunDropped) -> Run | None:
    run = fold.state.runs.get(record.run)
    return run if run is not None and run.generation == record.generation and run.phase in _LIVE else None


def _child_arn(fold: Fold, parent: Run, index: int) -> str:
    prefix = fold.names.child_prefix(parent.machine_name, parent.label, express=False)
    return child_arn(prefix, parent.run, index, express=False)
