"""Nested Map Runs: asked for by children of other runs, their outcomes kept until those children are answered."""

from maprun.mapruns import closing, opening
from maprun.mapruns.context import Fold
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
    if parent.phase == "closing":
        if record.plan is not None and key not in root.kept and key not in fold.state.runs:
            child = ParentChild(parent.run, parent.generation, record.position, record.index, record.lane)
            opening.keep_unopened(fold, root, arn, record.ref, record.plan, child)
        return
    if key in parent.outcomes:
        closing.tell_outcome(fold, key, parent, record.lane)
        return
    known = parent.nested.setdefault(record.position, [])
    if key in known:
        return
    known.append(key)
    child = ParentChild(parent.run, parent.generation, record.position, record.index, record.lane)
    closing_one = fold.state.runs.get(key)
    kept = root.kept.pop(key, None)
    if closing_one is not None:  # a redrive while the run of the generation before still closes
        closing_one.parent, closing_one.redrive_due = child, True
    elif kept is not None:
        kept.parent = child
        opening.redrive_run(fold, root, kept)
    elif record.plan is not None:
        opening.open_run(fold, root, arn, record.ref, record.plan, child)
    else:
        failed = MapRunFailed(record.ref, "States.Runtime", closing.GONE_CAUSE)
        parent.outcomes[key] = NestedOutcome(record.position, record.ref, failed)
        closing.tell_outcome(fold, key, parent, record.lane)


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
