"""When a Map Run is over and how it ended, judged from its counts; and the counts as AWS shows them."""

from maprun.mapruns.run import TOLERANCE_CAUSE, TOLERANCE_EXCEEDED, Run, Tally, Verdict, awaits_reading
from schemas.effects import REDRIVEN_IN_PART
from schemas.home import ABORTED, FAILED, REJECTED, RETURNED, SUCCEEDED, TIMED_OUT, ChildrenEnded

LOST = (FAILED, TIMED_OUT, ABORTED)
"""Ended unsuccessfully: a redrive runs them again."""
NEVER_STARTED = (RETURNED, REJECTED)
PERCENT_MAX = 100


def judge(run: Run, frame: ChildrenEnded | None = None) -> Verdict | None:
    """The verdict that the counts demand now, if any; `frame` is the record that brought them."""
    if run.phase != "open":
        return None
    if run.counts.get(REJECTED) and frame is not None:
        return Verdict("FAILED", frame.error, frame.cause)
    if _tolerance_exceeded(run):
        return Verdict("FAILED", TOLERANCE_EXCEEDED, TOLERANCE_CAUSE)
    if run.total is not None and run.read >= run.total and run.answered.covers(0, run.total):
        if run.chosen and _others_stand(run):
            return Verdict("FAILED", REDRIVEN_IN_PART, _in_part(run))
        return Verdict("SUCCEEDED")  # a redrive knows its total at once: answers may be heard before what was read
    return None


def _tolerance_exceeded(run: Run) -> bool:
    """A redrive counts failures from 0 again (page redrive-map-run), against the items of the whole run."""
    failed = run.count(FAILED).items + run.count(TIMED_OUT).items
    if not failed:
        return False
    known = run.source_over if run.chosen else run.total is not None
    total = all_known(run).items if known else None
    return tolerance_exceeded(failed, run.plan.tolerated_failure_count, run.plan.tolerated_failure_percentage, total)


def _others_stand(run: Run) -> bool:
    """True if beside the chosen children others stand as what the run does not tolerate, or never ran."""
    never = run.carried_aside.get(RETURNED, Tally()).children or run.carried_aside.get(ABORTED, Tally()).children
    if never or not run.source_over:
        return True
    lost = sum(run.count(s).items + run.carried_aside.get(s, Tally()).items for s in (FAILED, TIMED_OUT))
    plan = run.plan
    return tolerance_exceeded(
        lost, plan.tolerated_failure_count, plan.tolerated_failure_percentage, all_known(run).items
    )


def _in_part(run: Run) -> str:
    """Why a run whose chosen children are answered has not succeeded."""
    others = sum(tally.children for tally in run.carried_aside.values())
    rest = "" if run.source_over else ", and its source is not read to the end"
    return (
        f"Only the {run.staged} child executions that were chosen have run again. Of the Map Run {others} others have "
        f"not succeeded{rest}."
    )


def tolerance_exceeded(failed: int, count: int | None, percentage: float | None, total: int | None) -> bool:
    """AWS's rule; "not given" is not zero: with neither given the first failure fails the run.

    A percentage strictly between 0 and 100 can be judged only once the total is known: None before.
    """
    if not failed:
        return False
    if count is None and percentage is None:
        return True
    if count is not None and failed > count:
        return True
    if percentage is None or percentage >= PERCENT_MAX:
        return False
    if percentage <= 0:
        return count is None
    return total is not None and failed * PERCENT_MAX > percentage * total


def all_answered(run: Run) -> bool:
    """True when nothing that was published is owed an answer: then a closing run is over."""
    if run.total is not None and run.verdict is not None and run.verdict.status == "SUCCEEDED":
        return run.answered.covers(0, run.total)
    return not awaits_reading(run) and run.answered.covers(0, run.read)


def all_known(run: Run) -> Tally:
    """All children and items of the run that are known by now, of every generation."""
    before, carried = run.succeeded_before, [*run.carried.values(), *run.carried_aside.values()]
    return Tally(
        before.children + sum(c.children for c in carried) + run.read,
        before.items + sum(c.items for c in carried) + run.items_read,
    )


def item_counts(run: Run, running: int, running_items: int) -> tuple[dict[str, int], dict[str, int]]:
    """DescribeMapRun's itemCounts and executionCounts; `running` is what the lanes last told.

    Returned children never ran: they stay pending, as on AWS. While a redrive goes on, children that ended
    unsuccessfully before and have not started again are pendingRedrive; those that it did not reach are, once it is
    over, what they were; those that were not chosen for it are so all the while. Lost children come first, so what runs
    is taken for redriven while any of them is open.
    """
    out: list[dict[str, int]] = []
    over = run.phase == "closed"
    for items in (True, False):
        done = {s: _number(run.count(s), items=items) for s in range(SUCCEEDED, REJECTED + 1)}
        lost = {s: _number(run.carried.get(s, Tally()), items=items) for s in LOST}
        ended = sum(done[s] for s in (SUCCEEDED, *LOST))
        never = done[RETURNED] + done[REJECTED]
        before = _number(run.succeeded_before, items=items)
        redriven = _number(run.redriven_read, items=items) - _number(run.redriven_done, items=items)
        waiting = 0 if over else max(0, sum(lost.values()) + redriven)  # some may be answered before they were read
        total = max(_number(all_known(run), items=items), before + ended + never + waiting)
        carried = _number(run.carried.get(RETURNED, Tally()), items=items)
        aside = {s: _number(tally, items=items) for s, tally in run.carried_aside.items()}
        open_now = total - before - ended - never - sum(lost.values()) - carried - sum(aside.values())
        active = max(0, min(running_items if items else running, open_now))
        waiting = max(0, waiting - active)
        kept = {s: aside.get(s, 0) + (lost[s] if over else 0) for s in LOST}
        succeeded = before + done[SUCCEEDED]
        failed, timed_out, aborted = (done[s] + kept[s] for s in LOST)
        out.append(
            {
                "pending": total - succeeded - failed - timed_out - aborted - active - waiting,
                "running": active,
                "succeeded": succeeded,
                "failed": failed,
                "timedOut": timed_out,
                "aborted": aborted,
                "total": total,
                "resultsWritten": total if over else 0,
                "failuresNotRedrivable": 0,
                "pendingRedrive": waiting,
            }
        )
    return out[0], out[1]


def _number(tally: Tally, *, items: bool) -> int:
    return tally.items if items else tally.children
