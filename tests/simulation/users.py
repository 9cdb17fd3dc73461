"""The users of a world: they create machines, start, stop and redrive executions, change Map Runs, repair items."""

from typing import TYPE_CHECKING

import msgspec

from maprun.mapruns.fold.state import Root
from maprun.mapruns.redrives import LostChild, chosen_of
from maprun.mapruns.verdicts import LOST
from schemas import topics
from schemas.arns import home_of
from schemas.home import (
    ChosenChildren,
    ExecutionRequested,
    MapRunUpdateRequested,
    RedriveRequested,
    StopRequested,
)
from schemas.machines import MachineRequested, MachineSpec
from services.maprun_tracker.api.commands import Command
from tests.simulation.plays import ACTIVITY, NAMES, Door, Play, Redrive, Update
from tests.simulation.scenario import REQUEST_PARTITIONS

if TYPE_CHECKING:
    from tests.simulation.house import House


class Users:
    """What is asked of the house, and what was."""

    def __init__(self, house: "House") -> None:
        self.house = house
        self.plays = {play.arn: play for play in house.scenario.plays}
        self.asked: set[str] = set()  # request ids that must be answered
        self.redriven: set[tuple[str, int]] = set()  # (execution, redrives so far) whose redrive is on its way
        self.pending = 0  # acts that are still to come
        self.last = 0.0  # when the last one comes that is due at a fixed time
        for play in house.scenario.plays:
            self._plan(0.01, self._create_machine, play)
            self._plan(play.at, self._start, play, play.door)
            if play.again_at is not None:
                self._plan(play.again_at, self._start, play, play.again_door)
            if play.stop_at is not None:
                self._plan(play.stop_at, self._stop, play, "stop")
            if play.changes_at is not None:
                self._plan(play.changes_at, house.shelf.change, play)
            if play.untimely_at is not None:
                self._plan(play.untimely_at, self._redrive, play, f"untimely-{play.name}")
            for i, update in enumerate(play.updates):
                self._plan(update.at, self._update, play, update, i)

    def _plan(self, when: float, act: object, *arguments: object) -> None:
        self.last = max(self.last, when)
        self.house.world.at(when, act, *arguments)  # type: ignore[arg-type]

    def _soon(self, seconds: float, act: object, *arguments: object) -> None:
        self.pending += 1
        self.house.world.after(seconds, self._act, act, *arguments)

    def _act(self, act: object, *arguments: object) -> None:
        self.pending -= 1
        act(*arguments)  # type: ignore[operator]

    def _tell(self, arn: str, command: Command) -> None:
        self.asked.add(command.request_id)
        self.house.doors.ask(home_of(arn, self.house.scenario.homes), command)

    # ------------------------------------------------------------------ start and stop

    def _create_machine(self, play: Play) -> None:
        arn = NAMES.machine(play.machine)
        request_id = f"machine-{play.machine}"
        spec = MachineSpec(play.definition)
        self._tell(arn, MachineRequested(request_id, "create", arn, play.machine, spec))

    def _start(self, play: Play, door: Door) -> None:
        needed = {ACTIVITY} if play.activities else set()
        if door == "topic":
            needed.add(NAMES.machine(play.machine))
        if not needed <= self.house.judge.shown:
            # who does not know yet that the machine exists may not count on it: its making is answered behind this
            self.house.world.after(0.3, self._start, play, door)
        elif door == "home":
            self._start_by_command(play)
        else:
            self._start_by_topic(play)

    def _start_by_topic(self, play: Play) -> None:
        record = {"stateMachineArn": NAMES.machine(play.machine), "name": play.name, "input": play.input.decode()}
        partition = self.house.world.random.randrange(REQUEST_PARTITIONS)
        self.house.world.log(topics.EXECUTION_REQUESTS.name, partition).append(msgspec.json.encode(record))
        self.house.judge.requested.add(play.arn)

    def _start_by_command(self, play: Play) -> None:
        request = ExecutionRequested(
            request_id=f"request-{play.name}",
            arn=play.arn,
            name=play.name,
            machine_arn=NAMES.machine(play.machine),
            machine_name=play.machine,
            machine_type="STANDARD",
            revision_id="",
            role_arn="",
            definition=play.definition,
            input=play.input,
        )
        self.house.judge.requested.add(play.arn)
        self._tell(play.arn, request)

    def _stop(self, play: Play, what: str) -> None:
        request_id = f"{what}-{play.name}"
        self._tell(play.arn, StopRequested(request_id, play.arn, "Stopped", "by the user"))

    # ------------------------------------------------------------------ what goes on is changed

    def _update(self, play: Play, update: Update, number: int) -> None:
        """Changes a Map Run of this execution, if it has one: mostly one that is open, sometimes one that is over."""
        random = self.house.world.random
        books = [book for book in self.house.judge.books.values() if book.run.root_arn == play.arn]
        open_ones = [book for book in books if book.run.phase != "closed"]
        if not books:
            return
        book = random.choice(open_ones or books)
        request_id = f"update-{play.name}-{number}"
        command = MapRunUpdateRequested(
            request_id, book.run.run, update.concurrency, update.tolerated_count, update.tolerated_percentage
        )
        self._tell(play.arn, command)

    # ------------------------------------------------------------------ redrives

    def root_seen(self, root: Root) -> None:
        """An execution as it is after a record: one that ended unsuccessfully is repaired and redriven."""
        play = self.plays.get(root.request.arn)
        if play is None:
            return
        key = (play.arn, root.redrive_count)
        if root.status in {"RUNNING", "SUCCEEDED"} or key in self.redriven or root.redrive_count >= len(play.redrives):
            return
        self.redriven.add(key)
        redrive = play.redrives[root.redrive_count]
        request_id = f"redrive-{play.name}-{root.redrive_count}"
        self._soon(redrive.wait_seconds, self._repair_and_redrive, play, redrive, request_id)

    def _repair_and_redrive(self, play: Play, redrive: Redrive, request_id: str) -> None:
        house = self.house
        good = house.lanes_work.good.setdefault(play.arn, set())
        good |= {i for i in play.bad if house.world.random.random() < redrive.repaired}
        if house.world.random.random() < redrive.repaired:
            house.store.missing.discard(f"results-{play.name}")
            house.shelf.raising.pop(play.name, None)
        chosen = self._chosen(play, redrive.chosen) if redrive.chosen else None
        self._redrive(play, request_id, chosen)
        if redrive.twice_after is not None:
            self._soon(redrive.twice_after, self._redrive, play, request_id, chosen)
        if redrive.stop_after is not None:
            self._soon(redrive.stop_after, self._stop, play, f"stop-{request_id}")

    def _redrive(self, play: Play, request_id: str, chosen: ChosenChildren | None = None) -> None:
        self._tell(play.arn, RedriveRequested(request_id, play.arn, chosen))

    def _chosen(self, play: Play, share: float) -> ChosenChildren | None:
        """Some lost children of the execution's newest Map Run, if it is over and has any; else all runs again."""
        books = [book for book in self.house.judge.books.values() if book.run.execution_arn == play.arn]
        lost = books[-1].ended(*LOST) if books and books[-1].run.phase == "closed" else []
        random = self.house.world.random
        some = [answer for answer in lost if random.random() < share] or lost[:1]
        children = [LostChild(answer.index, answer.status, answer.offset, answer.items) for answer in some]
        return chosen_of(books[-1].run, children) if children else None
