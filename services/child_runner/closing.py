"""How children are stopped, one by one and with their run. Pure."""

from typing import TYPE_CHECKING

import msgspec

from maprun.language.errors import StatesError
from schemas.effects import StopAsked
from schemas.home import RETURNED
from schemas.lanes import ChildStopRequested
from services.child_runner import adoption, children, inputs
from services.child_runner.state import Child, LaneRun, Waiting

if TYPE_CHECKING:
    from services.child_runner.lane import Lane

_entries = msgspec.msgpack.Encoder()


def stop_child(lane: "Lane", run: LaneRun, stop: ChildStopRequested, now: int, at: float) -> None:
    """StopExecution of one running STANDARD child; `stop.position` is its index."""
    if run.express:
        return
    if run.key[1]:
        child = next((child for child in run.running.values() if child.index == stop.position), None)
    else:
        child = run.running.get(stop.position)
    if child is not None:
        children.stop_running(lane, run, child, StopAsked(stop.error, stop.cause_text), now, at)
    elif run.past:
        run.stops[stop.position] = stop  # an earlier owner ran it: it is stopped as soon as it runs here


def close_run(lane: "Lane", run: LaneRun, now: int, at: float) -> None:
    """The run closes: nothing starts any more, STANDARD children are stopped, EXPRESS children run to their end."""
    if run.closing:
        return
    run.closing = True
    if not run.express:
        for child in list(run.running.values()):
            _abort(lane, run, child, now, at)
    close_queued(lane, run, now, at)


def _abort(lane: "Lane", run: LaneRun, child: Child, now: int, at: float) -> None:
    cause = f"The map run execution [{run.opened.map_run_arn}] which was managing this resource was aborted"
    children.stop_running(lane, run, child, StopAsked("", cause), now, at)


def close_queued(lane: "Lane", run: LaneRun, now: int, at: float) -> bool:
    """Answers what never started, up to the first one whose input must be read from the journal again.

    A child that an earlier owner had started is told its past and stopped, as it would have been there. True if there
    was no time for all.
    """
    while run.queue:
        waiting = run.queue[0]
        while waiting.position < waiting.end:
            if not adoption.at_hand(run, waiting):
                adoption.want(lane, run)
                return False
            position = waiting.position
            waiting.position += 1
            if position in run.past:
                children.start(lane, run, waiting, position, now, at)
                if position in run.running:
                    _abort(lane, run, run.running[position], now, at)
            else:
                _return(lane, run, waiting, position, at)
            if lane.pace.spent():
                return True
        run.queue.popleft()
    return False


def _return(lane: "Lane", run: LaneRun, waiting: Waiting, position: int, at: float) -> None:
    """Answers a child that never started as returned, with its input for the PENDING file.

    One that is to be redriven stays what it was; one whose input can't be built is refused.
    """
    child = adoption.to_adopt(lane, run, waiting, position)
    if isinstance(child, StatesError):
        adoption.taken(lane, run, waiting, position)
        inputs.refuse(run, waiting, position, child, at, lane.limits.history_bytes_max)
        return
    adoption.taken(lane, run, waiting, position)
    if child.redriven:
        was = inputs.read_redriven(child.input)
        run.outbox.leave(position, was.redrive_count, was.remains)
        run.outbox.add(position, was.status, child.items, bytes(was.history), at, child.index)
    else:
        run.outbox.add(position, RETURNED, child.items, _entries.encode([child.input]), at, child.index)
