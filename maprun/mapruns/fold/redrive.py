"""RedriveExecution in the fold of home: which executions can go on, and what is said of the others."""

import msgspec

from maprun.mapruns import redrives
from maprun.mapruns.fold import open_executions, roots
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.state import Root
from schemas.home import RedriveRequested

REFUSED = "ExecutionNotRedrivable"
REQUESTS_KNOWN_MAX, REQUEST_KNOWN_MS = 10, 15 * 60_000
"""A request that is repeated is known so long, and so many of them (AWS: API reference, clientToken)."""


def redrive_requested(fold: Fold, record: RedriveRequested) -> None:
    """An unsuccessful root execution goes on from the state it failed in. The same request again has the same answer.

    Source: API reference, RedriveExecution; the reasons are those of DescribeExecution's redriveStatusReason.
    """
    state = fold.state
    root = state.roots.get(record.arn) or _redrivable(fold)
    before = root.redrive_requests.get(record.request_id) if root is not None else None
    if before is not None and state.now_ms - before <= REQUEST_KNOWN_MS:
        _answer(fold, record, before)
        return
    refusal = _refusal(fold, record.arn, root)
    if refusal is None and record.chosen is not None and root is not None:
        kept = root.kept.get(record.chosen.run)
        unfit = redrives.CHANGED if kept is None else redrives.unfit(kept, record.chosen)
        if unfit:
            fold.answer(record.request_id, error="ValidationException", message=unfit)
            return
    if refusal:
        missing = refusal[0]
        fold.answer(record.request_id, error="ExecutionDoesNotExist" if missing else REFUSED, message=refusal[1])
        return
    assert root is not None
    if record.arn not in state.roots and open_executions.full(fold):
        fold.answer(record.request_id, error=open_executions.EXCEEDED, message=open_executions.message(fold))
        return
    state.ended.pop(record.arn, None)
    state.roots[record.arn] = root
    remains, root.remains = root.remains, None
    root.status, root.stopped_ms, root.output, root.error, root.cause = "RUNNING", 0, b"", None, None
    root.redrive_count += 1
    root.chosen = record.chosen
    root.redriven_ms = state.now_ms
    root.redrive_requests.pop(record.request_id, None)
    root.redrive_requests[record.request_id] = state.now_ms
    if len(root.redrive_requests) > REQUESTS_KNOWN_MAX:
        del root.redrive_requests[next(iter(root.redrive_requests))]
    _answer(fold, record, state.now_ms)
    roots.publish_status(fold, root)
    roots.take_step(fold, record.arn, root, fold.interpreter.redrive(root.request, remains, state.now_ms, fold.spent))


def _redrivable(fold: Fold) -> Root | None:
    """What an ended execution can go on from, for as long as it may."""
    past = fold.past
    if past is None or past.stopped_ms + fold.limits.redrive_within_ms < fold.state.now_ms:
        return None
    return past.root


def _answer(fold: Fold, record: RedriveRequested, redriven_ms: int) -> None:
    fold.answer(record.request_id, msgspec.json.encode({"redriveDate": redriven_ms / 1000}))


def _refusal(fold: Fold, arn: str, root: Root | None) -> tuple[bool, str] | None:
    """Why an execution can't be redriven (and whether that is because there is none); None when it can."""
    if root is None:
        if fold.past is None:
            return True, f"Execution Does Not Exist: '{arn}'"
        if fold.past.status == "SUCCEEDED":
            return False, "Execution is SUCCEEDED and cannot be redriven"
        return False, "Execution redrivable period exceeded"
    if root.status in {"RUNNING", "SUCCEEDED"}:
        return False, f"Execution is {root.status} and cannot be redriven"
    if root.remains is None:
        return False, "Execution redrivable period exceeded"
    if root.events >= fold.limits.events_max - 1:
        return False, "Execution history event limit exceeded"
    if root.started_ms + fold.limits.execution_ms < fold.state.now_ms:
        return False, "Execution has exceeded the max execution time"
    return None
