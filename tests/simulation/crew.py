"""Workers of an activity: each asks for a task, works on it, says what became of it, and asks again."""

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from maprun.mapruns.fold.state import RequestAnswered
from schemas.activities import ActivityRequested, ActivityTaskAsked, TaskForWorker
from schemas.arns import child_of_arn, home_of
from schemas.tokens import TaskToken
from schemas.wire import Decoder
from tests.simulation.callee import SECRET
from tests.simulation.fakes import Whose
from tests.simulation.plays import ACTIVITY

if TYPE_CHECKING:
    from tests.simulation.house import House

WORKERS, AGAIN_SECONDS = 4, 0.4
BEFORE = "Before"
"""The only state of an execution itself that a worker works on."""
_decoder = Decoder(TaskForWorker)


class Crew:
    """All of them, and what must hold: each attempt is given to one request, however often that is made."""

    def __init__(self, house: "House") -> None:
        self.house = house
        self.given: dict[str, str] = {}  # attempt → the request that it was given to
        self._home = home_of(ACTIVITY, house.scenario.homes)
        self._requests = 0
        if any(play.activities for play in house.scenario.plays):
            house.world.at(0.01, self._begin)

    def _begin(self) -> None:
        request_id = "activity"
        self.house.doors.ask(self._home, ActivityRequested(request_id, "create", ACTIVITY, "work"))
        for number in range(WORKERS):
            self.house.world.after(AGAIN_SECONDS, self._ask, number)

    def _ask(self, number: int) -> None:
        """A worker asks, unless all has ended for now: what is asked for must be answered before a world ends."""
        judge = self.house.judge
        if judge.settled():
            self.house.world.after(AGAIN_SECONDS, self._ask, number)
            return
        self._requests += 1
        command = ActivityTaskAsked(f"work-{self._requests}", ACTIVITY, f"worker-{number}")
        self.house.doors.ask(self._home, command, partial(self._heard, number, command.request_id))

    def _heard(self, number: int, request_id: str, answer: RequestAnswered) -> None:
        task = TaskForWorker() if answer.error else _decoder.decode(answer.body)
        seconds = self._work(request_id, task) if task.attempt else 0.0
        self.house.world.after(seconds + AGAIN_SECONDS, self._ask, number)

    def _work(self, request_id: str, task: TaskForWorker) -> float:
        """Works on an attempt; how long that takes. However many requests say so, it is one worker's."""
        house = self.house
        before = self.given.setdefault(task.attempt, request_id)
        if before != request_id:
            house.world.violated(f"attempt {task.attempt} of {task.execution} is given to {before} and to {request_id}")
        whose, state = self._whose(task)
        workshop = house.roots_work if whose.run == "" else house.lanes_work
        call, seconds = workshop.made(request_id, task.attempt, state, whose, msgspec.json.decode(task.input))
        token = TaskToken(task.execution, task.attempt, task.lane)
        house.callee.work_on(token, SECRET.make(token), call, seconds)
        return seconds

    def _whose(self, task: TaskForWorker) -> tuple[Whose, str]:
        """Who waits for the attempt, and in which state."""
        if child_of_arn(task.execution) is None:
            return Whose(task.execution), BEFORE
        run, index, _, ref = self.house.judge.keys[task.attempt]
        book = self.house.judge.books[run]
        state = ref.rpartition("#")[0].rpartition("/")[2].rpartition(":")[2]
        return Whose(book.run.root_arn, run, index, self.house.judge.generations[task.attempt]), state
