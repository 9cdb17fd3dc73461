"""What a lane says on home: how children ended, what they ask for, and which ones run. Pure.

Past the lease nothing is said: a child that was stopped here may go on elsewhere, and must not be found ended, or
asking for what it no longer wants, meanwhile.
"""

from collections.abc import Iterable, Iterator, Mapping

from schemas.activities import ActivityTaskAnswered
from schemas.history_pages import ChildHistoryShown, HistoryPage
from schemas.home import CallbackAnswered, ChildrenEnded, LaneProgress
from schemas.pages import Pages
from schemas.ranges import ranges_of_ascending
from services.child_runner.callbacks import Callbacks
from services.child_runner.history_pages import HistoryPages
from services.child_runner.lane_run import LaneRun
from services.child_runner.limits import LaneLimits
from services.child_runner.shown_histories import ShownHistories
from services.child_runner.waits import AskedOfHome, Waits

Request = AskedOfHome | CallbackAnswered | ActivityTaskAnswered
HomeFact = ChildrenEnded | HistoryPage | ChildHistoryShown | LaneProgress | Request


class HomeReports:
    """Gathers what is to be said."""

    def __init__(
        self,
        lane: int,
        epoch: int,
        limits: LaneLimits,
        waits: Waits,
        callbacks: Callbacks,
        pages: HistoryPages,
        shown: ShownHistories,
    ) -> None:
        self._lane = lane
        self._epoch = epoch
        self._limits = limits
        self._waits = waits
        self._callbacks = callbacks
        self._unsaid_pages = pages
        self._shown = shown
        self._packing = Pages()
        self._progress_seconds = 0.0  # when the progress was said last
        self.lease_lost = False

    def take_requests(self) -> list[Request]:
        """What children ask of home, and the words on callbacks."""
        if self.lease_lost:
            return []
        return [*self._waits.take_for_home(), *self._callbacks.take_for_home()]

    def take_pages(self) -> list[HistoryPage]:
        """Parts of long histories."""
        return [] if self.lease_lost else self._unsaid_pages.take()

    def take_shown(self, runs: Mapping[str, LaneRun]) -> list[ChildHistoryShown]:
        """What has happened so far to children that were asked for."""
        return [] if self.lease_lost or not self._shown.waiting else self._shown.take(runs)

    def take_frames(self, runs: Iterable[LaneRun], at_seconds: float, *, idle: bool) -> list[ChildrenEnded]:
        """Outcome frames that are full, old enough, or with nothing left to wait for."""
        frames: list[ChildrenEnded] = []
        if self.lease_lost:
            return frames
        limits = self._limits
        for run in runs:
            box = run.outbox
            count = len(box.outcomes)
            if not count:
                continue
            alone = idle and not run.running and not run.queue
            if alone or count >= limits.frame_children_max or self._lingers_seconds(run, at_seconds) <= 0:
                frames += box.frames(
                    self._lane, self._epoch, limits.frame_children_max, limits.frame_bytes_max, self._packing
                )
        return frames

    def _lingers_seconds(self, run: LaneRun, at_seconds: float) -> float:
        """How long a run's outcomes still wait for company.

        Longer while the lane has items for that time: home asks for more by what has ended, and few large frames cost
        Kafka, and all who read home, less than many small ones.
        """
        box, limits = run.outbox, self._limits
        age = at_seconds - box.first_seconds
        if age < limits.linger_seconds or run.closing:
            return limits.linger_seconds - age
        queued = sum(waiting.end - waiting.position for waiting in run.queue)
        plenty = queued * age >= len(box.outcomes) * limits.linger_seconds_max
        return limits.linger_seconds_max - age if plenty else 0.0

    def take_progress(self, runs: Iterable[LaneRun], at_seconds: float) -> list[LaneProgress]:
        """Which children run, by index, where that changed; at most twice a second."""
        if at_seconds - self._progress_seconds < self._limits.progress_seconds:
            return []
        self._progress_seconds = at_seconds
        if self.lease_lost:
            return []
        said = []
        for run in runs:
            running = ranges_of_ascending(sorted(child.index for child in run.running.values()))
            if running != run.progress:
                run.progress = running
                said.append(LaneProgress(*run.key, self._lane, running))
        return said

    def due_in_seconds(self, runs: Iterable[LaneRun], at_seconds: float) -> Iterator[float]:
        """When something is to be said."""
        limits = self._limits
        if self._waits.for_home or self._callbacks.for_home or self._unsaid_pages.waiting or self._shown.waiting:
            yield limits.lease_retry_seconds if self.lease_lost else 0.0
        for run in runs:
            if run.outbox.outcomes:
                yield limits.lease_retry_seconds if self.lease_lost else self._lingers_seconds(run, at_seconds)
        if any(run.running or run.progress for run in runs):
            yield self._progress_seconds + limits.progress_seconds - at_seconds
