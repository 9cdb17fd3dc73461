"""Callbacks for the children of a lane: which attempt they are for, and what their senders are answered. Pure.

A worker that takes an attempt of an activity comes as a callback as well, and has an answer of its own.
"""

from schemas.activities import ActivityTaskAnswered
from schemas.effects import (
    ActivityTaskStarted,
    AttemptNews,
    Happening,
    HeartbeatReceived,
    TaskSubmitted,
    with_ref,
)
from schemas.home import CallbackAnswered
from schemas.lanes import ChildCallbackReceived
from schemas.tokens import TIMED_OUT, TokenRefusal
from services.child_runner.lane_run import Child, LaneRun, Submission
from services.child_runner.workers import Workers

_Key = tuple[str, int, str, type[Happening] | None]
"""Run, position, ref, and which news it is of those that end nothing."""


class Callbacks:
    """Callbacks on their way to a child, and their senders, who are answered once the journal holds them."""

    def __init__(self) -> None:
        self._senders: dict[_Key, list[str]] = {}  # request ids
        self._answers: list[CallbackAnswered] = []
        self._workers = Workers()

    @property
    def for_home(self) -> bool:
        """True while there are answers for home."""
        return bool(self._answers) or self._workers.for_home

    def take_for_home(self) -> list[CallbackAnswered | ActivityTaskAnswered]:
        """The words on callbacks, and to workers."""
        taken, self._answers = self._answers, []
        return [*taken, *self._workers.take_for_home()]

    # ------------------------------------------------------------------ a callback comes in

    def keep(self, run: LaneRun, callback: ChildCallbackReceived, *, former: bool) -> None:
        """An earlier owner ran the child: it hears once it is where it was."""
        if not (former and isinstance(callback.callback, HeartbeatReceived)):
            run.callbacks.setdefault(callback.index, []).append((callback, former))

    def happening_of(
        self, run: LaneRun, child: Child, callback: ChildCallbackReceived, *, former: bool
    ) -> Happening | None:
        """What the child is to hear, if it waits for the attempt and nothing has ended that yet."""
        ref = next((ref for ref in child.waits if self._is_for(run, child, ref, callback)), "")
        news = callback.callback
        happening = with_ref(news, ref)
        senders = self._senders.get(_key(run, child.position, happening), [])
        if callback.request_id in senders:
            return None  # its sender got no word yet, and asked again
        if not ref or ref in child.awaiting_journal:
            self.refuse(run, callback, former=former)
            return None
        waited = child.waits[ref]
        if isinstance(news, ActivityTaskStarted):
            return self._workers.start(run, child, ref, news, former=former)
        if isinstance(news, TaskSubmitted) and isinstance(waited, Submission) and waited.submitted:
            return None  # an earlier owner heard it
        self._senders[_key(run, child.position, happening)] = [*senders, callback.request_id]
        return happening

    def _is_for(self, run: LaneRun, child: Child, ref: str, callback: ChildCallbackReceived) -> bool:
        waited = child.waits[ref]
        return isinstance(waited, Submission) and run.machine.attempt_of(child.index, ref) == callback.callback.ref

    def refuse(self, run: LaneRun, callback: ChildCallbackReceived, *, former: bool) -> None:
        """Nobody waits for the attempt; of a `former` one an earlier owner has answered, or its sender asks again."""
        if former:
            return
        if isinstance(callback.callback, ActivityTaskStarted):
            self._workers.refuse(callback.callback)
        else:
            self._answer(run, callback.request_id, TIMED_OUT)

    # ------------------------------------------------------------------ what becomes of it

    def heard(self, run: LaneRun, position: int, happening: Happening, why: TokenRefusal | None = None) -> None:
        """A child hears this from the journal, or why it doesn't: if it came by a callback, its sender is answered."""
        if isinstance(happening, ActivityTaskStarted):
            self._workers.heard(run, position, happening, run.running.get(position) if why is None else None)
            return
        if not self._senders or not isinstance(happening, AttemptNews):
            return
        key = _key(run, position, happening)
        senders = self._senders.pop(key, None)
        if senders:
            self._answer(run, senders[0], why)
            if len(senders) > 1:
                self._senders[key] = senders[1:]

    def happened_before(self, run: LaneRun, child: Child, happening: Happening) -> None:
        """An earlier owner journalled this, and may have fallen before it told who sent it."""
        if not isinstance(happening, AttemptNews):
            return
        said = with_ref(happening, run.machine.attempt_of(child.index, happening.ref))
        kept = run.callbacks.get(child.index, [])
        heard = next((each for each in kept if each[0].callback == said), None)
        if heard is not None:
            kept.remove(heard)
            if isinstance(said, ActivityTaskStarted):
                self._workers.start(run, child, happening.ref, said, former=False)
            else:
                self._answer(run, heard[0].request_id, None)

    def ended(self, run: LaneRun, index: int) -> None:
        """The child with this index runs no more: callbacks that waited for it to be where it was come too late."""
        for callback, former in run.callbacks.pop(index, ()):
            self.refuse(run, callback, former=former)

    def none_left(self, run: LaneRun, last: int) -> None:
        """The `last` child of an earlier owner starts: callbacks for others that don't run come too late."""
        running = {last, *(child.index for child in run.running.values())}
        for index in [index for index in run.callbacks if index not in running]:
            self.ended(run, index)

    def forget(self, run: LaneRun) -> None:
        """The run is over: who sent a callback is answered no more, and asks again."""
        self._workers.forget(run)
        if self._senders:
            self._senders = {key: senders for key, senders in self._senders.items() if key[0] != run.opened.run}

    def _answer(self, run: LaneRun, request_id: str, why: TokenRefusal | None) -> None:
        if not request_id:
            return  # the end of an execution that the child's Task started
        error, message = why or ("", "")
        self._answers.append(CallbackAnswered(run.opened.run, request_id, error, message))


def _key(run: LaneRun, position: int, happening: Happening) -> _Key:
    goes_on = isinstance(happening, HeartbeatReceived | TaskSubmitted)
    return run.opened.run, position, getattr(happening, "ref", ""), type(happening) if goes_on else None
