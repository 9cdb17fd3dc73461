"""How children are stopped, one by one and with their run. Pure."""

import msgspec

from maprun.language.errors import StatesError
from maprun.mapruns.slices import Pace
from schemas.effects import StopAsked
from schemas.home import RETURNED
from schemas.lanes import ChildStopRequested
from services.child_runner import inputs
from services.child_runner.executions import Executions
from services.child_runner.input_store import InputStore, input_in_memory
from services.child_runner.lane_run import Child, LaneRun, Waiting
from services.child_runner.limits import LaneLimits

_entries = msgspec.msgpack.Encoder()


def stop_child(executions: Executions, run: LaneRun, stop: ChildStopRequested, now_ms: int, at_seconds: float) -> None:
    """StopExecution of one running STANDARD child; `stop.index` is the child's."""
    if run.express:
        return
    child = run.child(stop.index)
    if child is not None:
        executions.stop(run, child, StopAsked(stop.error, stop.cause_text), now_ms, at_seconds)
    elif run.past:
        run.stops[stop.index] = stop  # an earlier owner ran it: it is stopped as soon as it runs here


def abort_running(executions: Executions, run: LaneRun, now_ms: int, at_seconds: float) -> None:
    """The run closes: STANDARD children are stopped, EXPRESS children run to their end."""
    if not run.express:
        for child in list(run.running.values()):
            _abort(executions, run, child, now_ms, at_seconds)


def _abort(executions: Executions, run: LaneRun, child: Child, now_ms: int, at_seconds: float) -> None:
    cause = f"The map run execution [{run.opened.map_run_arn}] which was managing this resource was aborted"
    executions.stop(run, child, StopAsked("", cause), now_ms, at_seconds)


class QueueOfClosing:
    """Answers the children that never started, of runs that close."""

    def __init__(self, limits: LaneLimits, pace: Pace, store: InputStore, executions: Executions) -> None:
        self._limits = limits
        self._pace = pace
        self._store = store
        self._executions = executions

    def answer(self, run: LaneRun, now_ms: int, at_seconds: float) -> bool:
        """Answers them, up to the first one whose input must be read from the journal again.

        A child that an earlier owner had started has its past happen again and is stopped, as it would have been there.
        True if there was no time for all.
        """
        while run.queue:
            waiting = run.queue[0]
            while waiting.position < waiting.end:
                if not input_in_memory(run, waiting):
                    self._store.request(run)
                    return False
                position = waiting.position
                if position in run.past:
                    self._executions.start(run, waiting, now_ms, at_seconds)
                    if position in run.running:
                        _abort(self._executions, run, run.running[position], now_ms, at_seconds)
                else:
                    self._return(run, waiting, position, at_seconds)
                if self._pace.spent():
                    return True
            run.queue.popleft()
        return False

    def _return(self, run: LaneRun, waiting: Waiting, position: int, at_seconds: float) -> None:
        """Answers a child that never started as returned, with its input for the PENDING file.

        One that is to be redriven stays what it was; one whose input can't be built is refused.
        """
        child = inputs.to_adopt(run, waiting, position, self._limits)
        self._store.dequeue(run, waiting)
        if isinstance(child, StatesError):
            inputs.refuse(run, waiting, position, child, at_seconds, self._limits.entry_bytes_max)
        elif child.redriven:
            was = inputs.read_redriven(child.input)
            run.outbox.name_pages(position, was.pages)
            run.outbox.keep_for_redrive(position, was.redrive_count, was.remains)
            run.outbox.add(position, was.status, child.items, bytes(was.history), at_seconds, child.index)
        else:
            run.outbox.add(position, RETURNED, child.items, _entries.encode([child.input]), at_seconds, child.index)
