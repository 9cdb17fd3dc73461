"""The API's doors in the simulated world: a request comes to some tracker process, and again until it is answered.

Whoever is asked hands on to the owner of the home, as far as it knows one. The owner answers as the service does: by
`answer_to`, from its own fold. Everything on the way may be late, lost or done twice.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from maprun.mapruns.fold.state import RequestAnswered
from schemas.home import ExecutionRequested
from services.maprun_tracker.api.commands import Command
from services.maprun_tracker.api.errors import Unavailable
from services.maprun_tracker.state import Partition
from tests.simulation.port import SimPort
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.house import House

AnswerTo = Callable[[SimPort, Partition, Command, float], Awaitable[RequestAnswered]]
ANSWER_SECONDS_MAX = 5.0
GIVE_UP_SECONDS = 6.0
"""After which a client that hears nothing sends its request again."""
AGAIN_SECONDS = 0.7
"""What a client waits behind a "not now"."""
TWICE_SHARE, LOST_SHARE = 0.1, 0.05
"""Of attempts: sent by two doors at once; answered, and the answer is lost."""


class Call(msgspec.Struct):
    """A request of a user's, and how far it is."""

    home: int
    command: Command
    attempts: int = 0
    answered: bool = False
    heard: list[Callable[[RequestAnswered], None]] = []


class Doors:
    """All requests to the API, and what must hold of their answers."""

    def __init__(self, house: "House") -> None:
        self.house = house
        self.calls: dict[str, Call] = {}  # by the request id of the first attempt

    def ask(self, home: int, command: Command, heard: Callable[[RequestAnswered], None] | None = None) -> None:
        """A request, and who hears the answer; the same one again is one more attempt."""
        call = self.calls.setdefault(command.request_id, Call(home, command))
        if heard is not None:
            call.heard.append(heard)
            call.answered = False
        self._attempt(call)
        if not self.house.world.calm and self.house.world.random.random() < TWICE_SHARE:
            self._attempt(call)

    def unanswered(self) -> list[str]:
        """The requests that wait for an answer."""
        return [request_id for request_id, call in self.calls.items() if not call.answered]

    # ------------------------------------------------------------------ the client

    def _attempt(self, call: Call) -> None:
        world = self.house.world
        call.attempts += 1
        command = self.house.mutation.attempted(call.command, call.attempts)
        self.house.judge.attempted(command.request_id, call.command.request_id)
        door = world.random.choice(self.house.trackers.members)
        world.after(world.latency(), door.do, self._come_in, door, call, command)
        world.after(GIVE_UP_SECONDS, self._again, call, call.attempts)

    def _again(self, call: Call, attempts: int) -> None:
        if not call.answered and call.attempts == attempts:
            self._attempt(call)

    def _not_now(self, call: Call, attempts: int) -> None:
        """503: the client tries again soon."""
        world = self.house.world
        world.after(world.latency() + AGAIN_SECONDS, self._again, call, attempts)

    # ------------------------------------------------------------------ the processes

    def _come_in(self, door: Process, call: Call, command: Command) -> None:
        """At a process: it answers itself, or hands on to the owner, once at most."""
        if self._answers(door, call, command):
            return
        owner = self.house.trackers.owner[call.home]
        if owner is None or owner is door:
            self._not_now(call, call.attempts)
        else:
            world = self.house.world
            world.after(world.latency(), owner.do, self._handed_on, owner, call, command)

    def _handed_on(self, owner: Process, call: Call, command: Command) -> None:
        if not self._answers(owner, call, command):
            self._not_now(call, call.attempts)

    def _answers(self, process: Process, call: Call, command: Command) -> bool:
        """Begins to answer at a process that may be asked for this home."""
        owned = process.owners.get((self.house.trackers.name, call.home))
        held = None if owned is None else self.house.tracker.held.get(owned)
        if owned is None or held is None or held.to_go:
            return False
        owned.spawn(self._answer(owned.port, held.part, call, command))
        return True

    async def _answer(self, port: SimPort, part: Partition, call: Call, command: Command) -> None:
        try:
            answer = await self.house.mutation.answer_to(self.house)(port, part, command, ANSWER_SECONDS_MAX)
        except Unavailable:
            self._not_now(call, call.attempts)
            return
        self._check(part, command, answer)
        world = self.house.world
        if world.calm or world.random.random() > LOST_SHARE:
            world.after(world.latency(), self._answered, call, answer)

    def _answered(self, call: Call, answer: RequestAnswered) -> None:
        call.answered = True
        hearers, call.heard = call.heard, []
        for heard in hearers:
            heard(answer)

    # ------------------------------------------------------------------ what must hold

    def _check(self, part: Partition, command: Command, answer: RequestAnswered) -> None:
        """What is answered is what home says, and what was asked for can be read where it was answered."""
        judge, world, request_id = self.house.judge, self.house.world, command.request_id
        if answer not in judge.answers.get(request_id, ()):
            world.violated(f"{request_id} is answered {answer}, home says {judge.answers.get(request_id)}")
        elif part.offset < judge.recorded[request_id]:
            world.violated(f"{request_id} is answered, and the fold that answers has not passed it")
        elif isinstance(command, ExecutionRequested) and not answer.error and part.root(command.arn) is None:
            world.violated(f"{command.arn} is said to have started, and can't be read")
