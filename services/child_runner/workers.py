"""Workers that ask for activities of a lane's children: who is first has the attempt, and is told once that is kept."""

from schemas.activities import ActivityTaskAnswered
from schemas.effects import ActivityTaskStarted, Happening, TaskRequested, with_ref
from services.child_runner.lane_run import Child, LaneRun, Submission

_Key = tuple[str, int, str, str]
"""Run, position, ref, and the worker's request id."""


class Workers:
    """Workers whose start of an attempt is on its way into the journal, and what they are answered."""

    def __init__(self) -> None:
        self._starting: dict[_Key, str] = {}  # → the attempt, as task tokens say it
        self._answers: list[ActivityTaskAnswered] = []

    @property
    def for_home(self) -> bool:
        """True while there are answers for the homes of activities."""
        return bool(self._answers)

    def take_for_home(self) -> list[ActivityTaskAnswered]:
        """Whether workers have what they asked for."""
        taken, self._answers = self._answers, []
        return taken

    def start(
        self, run: LaneRun, child: Child, ref: str, started: ActivityTaskStarted, *, former: bool
    ) -> Happening | None:
        """What the child is to hear: that the worker has this attempt, unless another one has, or it had it before.

        On that a `former` one was answered by an earlier owner, or its worker asks again.
        """
        waited = child.waits[ref]
        assert isinstance(waited, Submission)
        if waited.worker:
            if waited.worker == started.request_id and not former:
                self._give(started, started.ref, waited.effect)
            elif not former:
                self.refuse(started)
        else:
            key = (run.opened.run, child.position, ref, started.request_id)
            if key not in self._starting:
                self._starting[key] = started.ref
                return with_ref(started, ref)
        return None

    def refuse(self, started: ActivityTaskStarted) -> None:
        """The attempt is over, or another worker's."""
        self._answers.append(ActivityTaskAnswered(started.request_id, started.home, started.ref, refused=True))

    def heard(self, run: LaneRun, position: int, started: ActivityTaskStarted, child: Child | None) -> None:
        """The journal holds a start. The `child` has heard it; None if it waits no more, or for another worker."""
        attempt = self._starting.pop((run.opened.run, position, started.ref, started.request_id), None)
        if attempt is None:
            return  # an earlier owner's: its worker asks again
        waited = None if child is None else child.waits.get(started.ref)
        if isinstance(waited, Submission):
            self._give(started, attempt, waited.effect)
        else:
            self._answers.append(ActivityTaskAnswered(started.request_id, started.home, attempt, refused=True))

    def forget(self, run: LaneRun) -> None:
        """The run is over: its workers ask again."""
        if self._starting:
            self._starting = {key: each for key, each in self._starting.items() if key[0] != run.opened.run}

    def _give(self, started: ActivityTaskStarted, attempt: str, task: TaskRequested) -> None:
        self._answers.append(ActivityTaskAnswered(started.request_id, started.home, attempt, task.parameters))
