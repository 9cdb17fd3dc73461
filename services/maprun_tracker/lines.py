"""Workers that wait for attempts of activities: a line for each activity of a home, in the order they came."""

from collections import deque
from collections.abc import Callable

import msgspec

from services.maprun_tracker.fold_waits import GivenUp, Waiter


class YourTurn(msgspec.Struct, frozen=True):
    """An attempt waits that nobody else in the line was told of."""


class Worker:
    """A worker that waits; `connected` says whether it would hear the answer."""

    __slots__ = ("connected", "mailbox", "request_id")

    def __init__(self, request_id: str, mailbox: Waiter, connected: Callable[[], bool]) -> None:
        self.request_id = request_id
        self.mailbox = mailbox
        self.connected = connected


class Lines:
    """The lines of one home, as one owner folds it. As many have a turn as there are attempts that wait."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Worker]] = {}
        self._turns: dict[str, set[str]] = {}  # requests that had a turn, and whose record is not folded yet
        self._over = False

    def join(self, arn: str, worker: Worker, *, first: bool = False) -> None:
        """Waits for a turn: at the end of the line, or `first` of all after one that brought nothing."""
        line = self._lines.setdefault(arn, deque())
        if first:
            line.appendleft(worker)
        else:
            line.append(worker)
        if self._over:
            worker.mailbox.put(GivenUp())

    def leave(self, arn: str, worker: Worker) -> None:
        """Waits no more, whether its turn came or not."""
        line = self._lines.get(arn)
        if line is not None and worker in line:
            line.remove(worker)
        if not line:
            self._lines.pop(arn, None)
        self.turn_over(arn, worker.request_id)

    def turn_over(self, arn: str, request_id: str) -> None:
        """The fold has passed the request's record, or none was written."""
        turns = self._turns.get(arn)
        if turns is not None:
            turns.discard(request_id)
            if not turns:
                del self._turns[arn]

    def wake(self, arn: str, waiting: int) -> None:
        """So many attempts wait: as many workers have a turn, those that have hung up left out."""
        line, turns = self._lines.get(arn), self._turns.get(arn, set())
        while line and len(turns) < waiting:
            worker = line.popleft()
            if worker.connected():
                turns.add(worker.request_id)
                self._turns[arn] = turns
                worker.mailbox.put(YourTurn())

    def give_up(self) -> None:
        """The owner has ended."""
        self._over = True
        for line in self._lines.values():
            for worker in line:
                worker.mailbox.put(GivenUp())
