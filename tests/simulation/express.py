"""Root executions of EXPRESS machines in a world of their own: they share nothing with homes but processes.

Callers ask trackers, trackers ask lanes by frames, lanes answer; owners of lanes are killed, paused and overtaken.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from maprun.interpreter.express import ExpressInterpreter, express_limits
from maprun.requests.registry import MachineRegistry
from maprun.requests.starts import Start
from schemas import topics
from schemas.effects import TaskFailed, TaskOutcome, TaskRequested, TaskSucceeded
from schemas.history import EventType
from schemas.lanes import Cause
from schemas.machines import MachineSpec, MachineWritten
from services.child_runner.express_histories import ExpressHistories
from services.child_runner.express_owner import ExpressDeps, own_express
from services.child_runner.lane_run import CHILD_BYTES
from services.child_runner.limits import limits_of as lane_limits
from services.child_runner.memory_budget import MemoryBudget
from services.child_runner.metrics import Metrics
from services.maprun_tracker.api.errors import Unavailable
from services.maprun_tracker.express_calls import ExpressCalls
from services.maprun_tracker.limits import TrackerLimits
from tests.simulation.faults import inject
from tests.simulation.groups import Group
from tests.simulation.plays import NAMES
from tests.simulation.port import VALUE_BYTES_MAX, SimPort, Suspended
from tests.simulation.process import Process, Task
from tests.simulation.work import SimPace
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.mutations import Mutation

RUNNERS = "child-runner-express"
PAYLOAD_BYTES_MAX = 4_000
LIMITS = msgspec.structs.replace(
    lane_limits(PAYLOAD_BYTES_MAX, VALUE_BYTES_MAX),
    turn_children_max=3,
    starts_max=2,
    frame_bytes_max=1_500,
    queued_bytes_max=2_000,
    trim_seconds=1.0,
    carry_after_seconds=1.5,
)
TRACKER_LIMITS = TrackerLimits(express_frame_bytes_max=2_500)
CALM_SECONDS_MAX = 400.0
HEARD_SECONDS_MAX = 60.0
"""A caller hears of its execution so long after it asked, at the latest: work, a lost session, and a takeover."""
ROOMY_BYTES = 1 << 20
"""Histories of all executions of a seed fit."""
_ENDS = (EventType.EXECUTION_SUCCEEDED, EventType.EXECUTION_FAILED)
CALLED_RESOURCE = "arn:aws:states:::lambda:invoke"


def definition(kind: str) -> bytes:
    """A machine that calls a function once, at once or behind a wait; or one that computes for a while before."""
    called = {
        "Type": "Task",
        "Resource": CALLED_RESOURCE,
        "Parameters": {"FunctionName": "f", "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "End": True,
    }
    states: dict[str, Any] = {"T": called}
    if kind == "slow":
        states = {"W": {"Type": "Wait", "Seconds": 4, "Next": "T"}, **states}
    if kind == "long":
        turns = {f"P{n}": {"Type": "Pass", "Next": f"P{n + 1}" if n < 11 else "T"} for n in range(12)}
        states = {**turns, **states}
    return msgspec.json.encode({"StartAt": next(iter(states)), "States": states})


KINDS = ("quick", "slow", "long")
LOGGING = b'{"level":"ALL","includeExecutionData":false}'
MACHINES = {
    kind: MachineWritten(
        Cause(0, 0, 0), NAMES.machine(kind), kind, MachineSpec(definition(kind), "r", "EXPRESS", LOGGING), "", 0, 0
    )
    for kind in KINDS
}


def registry() -> MachineRegistry:
    """All machines, as a tracker knows them."""
    known = MachineRegistry()
    for machine in MACHINES.values():
        known.apply(machine)
    return known


class Asked(msgspec.Struct):
    """One call of a caller's."""

    number: int
    kind: str
    waits: bool  # for the end of the execution
    at: float
    accepted: bool = False
    heard: bool = False


class ExpressHouse:
    """One seed."""

    def __init__(self, seed: int, mutation: "Mutation") -> None:
        chance = random.Random(f"express-{seed}")
        self.world = World(chance.randrange(1 << 40))
        self.mutation = mutation
        self.machines = registry()
        self.interpreter = ExpressInterpreter(express_limits(PAYLOAD_BYTES_MAX))
        self.state_seconds = chance.choice([0.0, 0.0, 0.03])
        self.slow_share = chance.choice([0.0, 0.3])
        self.homes, self.lanes = chance.choice([1, 2]), chance.choice([1, 2, 3])
        self.budgets: dict[str, MemoryBudget] = {}
        self.histories: dict[str, ExpressHistories] = {}  # by process, which forgets them when it begins again
        self.history_bytes_max = random.Random(f"express-histories-{seed}").choice([4_000, ROOMY_BYTES])
        self.calls: dict[str, ExpressCalls] = {}  # by process
        self.ran: Counter[int] = Counter()  # number → calls of its function
        self.asked: list[Asked] = []
        self.runners = Group(self.world, RUNNERS, topics.EXPRESS_REQUESTS.name, self.lanes, self._own)
        self.askers = [Group(self.world, f"asker-{n}", f"asker-{n}", 1, self._ask_for) for n in range(2)]
        for n in range(chance.choice([2, 3])):
            Process(self.world, [self.runners], f"child-runner-{n}")
        for n, group in enumerate(self.askers):
            Process(self.world, [group], f"maprun-tracker-{n}")
        self.fault_seconds = chance.choice([0.0, 15.0, 30.0])
        self.planned = chance.randint(5, 40)
        for number in range(self.planned):
            when = 0.5 + chance.random() * (self.fault_seconds or 3.0)
            kind, waits = chance.choice(KINDS), chance.random() < 0.5
            self.world.at(when, self._call, Asked(number, kind, waits, when))
        if self.fault_seconds:
            inject(self.world, [self.runners, *self.askers], self.fault_seconds, chance.choice([0.3, 0.8]))
        else:
            self.world.calm = True

    # ------------------------------------------------------------------ processes

    def _own(self, port: SimPort, lane: int) -> list[Coroutine[Any, Any, None]]:
        deps = ExpressDeps(
            interpreter=self.interpreter,
            run_task=self._runner(port),
            limits=LIMITS,
            metrics=Metrics(),
            budget=self.budgets.setdefault(port.process.name, MemoryBudget(4 * CHILD_BYTES)),
            pace=SimPace(port.process, self.state_seconds),
            histories=self.histories.setdefault(port.process.name, ExpressHistories(self.history_bytes_max)),
            homes=self.homes,
        )
        return [own_express(self.mutation.port(port), lane, deps)]

    def _ask_for(self, port: SimPort, _partition: int) -> list[Coroutine[Any, Any, None]]:
        name = port.process.name
        if name not in self.calls:
            self.calls[name] = ExpressCalls(name, NAMES, self.homes, self.lanes, TRACKER_LIMITS)
        return [self.calls[name].send(port), self.calls[name].hear(port)]

    def _runner(self, port: SimPort) -> Callable[[TaskRequested, str], Awaitable[TaskOutcome]]:
        async def run_task(request: TaskRequested, _key: str) -> TaskOutcome:
            outcome: TaskOutcome = await Suspended(lambda task: self._work(port, task, request))
            return outcome

        return run_task

    def _work(self, port: SimPort, task: Task, request: TaskRequested) -> None:
        """The function is called here, with no await since the lease was looked at."""
        if port.closed:
            return
        given = msgspec.json.decode(request.parameters)["Payload"]
        self.ran[given["n"]] += 1
        random = self.world.random
        seconds = 0.01 if random.random() >= self.slow_share else random.random() * 6
        outcome: TaskOutcome = TaskSucceeded(request.ref, msgspec.json.encode({"Payload": given}))
        if given["n"] % 7 == 6:
            outcome = TaskFailed(request.ref, "Bad", "b" * 700)
        port._later(seconds, task, task.token, outcome)

    # ------------------------------------------------------------------ callers

    def _call(self, asked: Asked) -> None:
        """A caller asks a tracker; one that finds none comes again."""
        world = self.world
        group = world.random.choice(self.askers)
        process = group.owner[0]
        owner = process.owners.get((group.name, 0)) if process is not None else None
        if process is None or owner is None or process.paused or not process.alive or process.name not in self.calls:
            world.after(0.3, self._call, asked)
            return
        asked.at = world.now
        self.asked.append(asked)
        owner.spawn(self._asking(owner.port, self.calls[process.name], asked))

    async def _asking(self, port: SimPort, calls: ExpressCalls, asked: Asked) -> None:
        given = msgspec.json.encode({"n": asked.number, "pad": "x" * self.world.random.choice([0, 0, 900])})
        start = Start(MACHINES[asked.kind].arn, None, given)
        execution_id = f"id-{asked.number}"
        try:
            if not asked.waits:
                await calls.start(port, start, self.machines, execution_id)
                asked.accepted = True
                return
            _, end = await calls.run(port, start, self.machines, execution_id)
        except Unavailable:
            self._heard(asked)
            return
        self._heard(asked)
        status = "FAILED" if asked.number % 7 == 6 else "SUCCEEDED"
        output = b"" if status == "FAILED" else given
        if (end.status, end.output) != (status, output):
            self.world.violated(f"{asked} heard {end}")

    def _heard(self, asked: Asked) -> None:
        asked.heard = True
        if self.world.now - asked.at > HEARD_SECONDS_MAX:
            self.world.violated(f"{asked} heard only at {self.world.now}")

    # ------------------------------------------------------------------ from beginning to end

    def run(self) -> list[str]:
        """Plays the seed; what does not hold."""
        world = self.world
        last = max(self.fault_seconds, 4.0)
        world.run(last + 1.0)
        if not world.run(last + CALM_SECONDS_MAX, self._passed) and not world.violations:
            world.violated("requests are never passed")
        world.run(world.now + 2.0)
        for asked in self.asked:
            times = self.ran[asked.number]
            if asked.waits and times > 1:
                world.violated(f"{asked} ran {times} times, and its caller waits for one")
            if asked.accepted and not times:
                world.violated(f"{asked} was accepted, and never ran")
            if asked.accepted and not self._logged_whole(asked):
                world.violated(f"{asked} was accepted, and its log is not whole")
        self._ask_for_histories()
        for group in [self.runners, *self.askers]:
            for process in group.members:
                process.bury()
        return world.violations

    def _ask_for_histories(self) -> None:
        """Of every execution a tracker asks the lanes what happened in it."""
        shown: dict[int, list[int]] = {}
        for asked in self.asked:
            group = self.world.random.choice(self.askers)
            process = group.owner[0]
            owner = process.owners.get((group.name, 0)) if process is not None else None
            if process is not None and owner is not None:
                owner.spawn(self._reading(owner.port, self.calls[process.name], asked, shown))
        self.world.run(self.world.now + TRACKER_LIMITS.shown_wait_seconds_max * 10)
        if not self.fault_seconds and self.history_bytes_max >= ROOMY_BYTES and len(shown) < len(self.asked):
            self.world.violated(f"of {len(self.asked)} executions only {len(shown)} have a history")

    async def _reading(self, port: SimPort, calls: ExpressCalls, asked: Asked, shown: dict[int, list[int]]) -> None:
        """A history is there from its first event to its last, page by page, or not at all."""
        arn = NAMES.express(asked.kind, f"id-{asked.number}", f"id-{asked.number}")
        types: list[int] = []
        lane: int | None = None
        while True:
            try:
                page = await calls.history(port, arn, len(types) + 1, 3, reverse=False, lane=lane)
            except Unavailable:
                return  # nobody has a lane just now
            if page is None:
                break
            lane = page.lane
            types += [event.type for event in page.events]
            if len(types) >= page.total:
                shown[asked.number] = types
                break
        begun = [place for place, event_type in enumerate(types) if event_type == EventType.EXECUTION_STARTED]
        ends = [place for place, event_type in enumerate(types) if event_type in _ENDS]
        if types and (begun, ends) != ([0], [len(types) - 1]):
            self.world.violated(f"the history of {asked} begins at {begun} and ends at {ends} of {len(types)} events")

    def _logged_whole(self, asked: Asked) -> bool:
        """Its log has each event up to its end, whoever ran it, however often."""
        found: dict[int, str] = {}
        for home in range(self.homes):
            for record in self.world.log(topics.EXECUTION_LOGS.name, home).records:
                if record is not None and (record.key or b"").endswith(b":id-%d" % asked.number):
                    event = msgspec.json.decode(record.value or b"")
                    found[int(event["id"])] = event["type"]
        ends = {"ExecutionSucceeded", "ExecutionFailed"}
        return sorted(found) == list(range(1, len(found) + 1)) and found.get(len(found)) in ends

    def _passed(self) -> bool:
        """Positions are behind every record: nothing runs, and nothing holds them up."""
        if len(self.asked) < self.planned or any(calls.busy for calls in self._living()):
            return False
        logs = [self.world.log(topics.EXPRESS_REQUESTS.name, lane) for lane in range(self.lanes)]
        return all((self.runners.committed[lane] or [0])[-1] >= len(log) for lane, log in enumerate(logs))

    def _living(self) -> list[ExpressCalls]:
        names = {process.name for group in self.askers for process in group.members if process.alive}
        return [calls for name, calls in self.calls.items() if name in names]


def play(seed: int, mutation: "Mutation") -> list[str]:
    """One seed from beginning to end: what does not hold."""
    return ExpressHouse(seed, mutation).run()
