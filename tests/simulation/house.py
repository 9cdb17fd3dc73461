"""The whole house in one world: all services' owners over simulated ports, with the scenario's requests and faults."""

from typing import Any

import msgspec

from maprun.interpreter import effect_key
from maprun.mapruns.fold.outputs import RootChanged, StartTask
from maprun.mapruns.limits import MapRunLimits
from schemas import topics
from schemas.effects import TaskRequested
from tests.simulation import leftovers, trimming
from tests.simulation.books import Book
from tests.simulation.callee import Callee
from tests.simulation.crew import Crew
from tests.simulation.doors import Doors
from tests.simulation.fakes import Shelf, Whose, Workshop
from tests.simulation.faults import inject
from tests.simulation.jobs import Jobs
from tests.simulation.judge import Judge
from tests.simulation.mutations import Mutation
from tests.simulation.scenario import REQUEST_PARTITIONS, Scenario
from tests.simulation.services import Interpreters, Services
from tests.simulation.starts import Starts
from tests.simulation.store import FakeStore
from tests.simulation.tracker import Tracker
from tests.simulation.users import Users
from tests.simulation.world import World

CALM_SECONDS_MAX = 1_500.0
"""Virtual time that everything gets to end once the faults have stopped."""
AFTER_SECONDS = 2.5
"""Virtual time that passes after the end, in which nothing more may be accepted."""


class House:
    """One seed."""

    def __init__(
        self, seed: int, scenario: Scenario, with_: Interpreters, mutation: Mutation, *, keep_trace: bool
    ) -> None:
        self.world = World(seed, keep_trace=keep_trace)
        self.scenario = scenario
        self.mutation = mutation
        self.interpreters = with_
        self.judge = Judge(self.world, scenario, with_.roots(scenario))
        self.judge.record_seen = self._record_seen
        self.judge.generation_began = self._generation_began
        trimming.watch(self.world)
        self.shelf = Shelf(self.world, scenario.plays)
        chars = {play.arn: (play.bad_chars, play.flaky_chars) for play in scenario.plays}
        self.lanes_work = Workshop(self.world, self.judge.child_started, self._outside, chars)
        self.roots_work = Workshop(self.world, self._root_started, self._outside)
        self.lanes_work.slow_share = scenario.slow_share
        self.root_keys: dict[str, tuple[str, str]] = {}
        self.store = FakeStore(
            self.world,
            {f"results-{p.name}" for p in scenario.plays if p.store_missing},
            {f"results-{p.name}": p.store_raises for p in scenario.plays if p.store_raises},
            own_etags=scenario.own_etags,
            create_seconds=scenario.create_seconds,
        )
        self.callee = Callee(self)
        self.starts = Starts(self)
        self.jobs = Jobs(self)
        self.tracker = Tracker(self)
        if scenario.leftovers:
            leftovers.strew(self.world, with_.roots(scenario), scenario.homes, scenario.lanes, seed)
        self.groups = Services(self).start()
        self.trackers = self.groups[-1]
        self.doors = Doors(self)
        self.users = Users(self)
        self.crew = Crew(self)
        self._schedule()

    # ------------------------------------------------------------------ what the checker hears

    def _record_seen(self, _home: int, _offset: int, outputs: list[Any]) -> None:
        for output in outputs:
            match output:
                case StartTask():
                    self.root_keys[effect_key(output.arn, 0, output.request.ref)] = (output.arn, output.request.ref)
                case RootChanged():
                    self.users.root_seen(output.root)
                    self.starts.root_seen(output.root)

    def _generation_began(self, book: Book) -> None:
        book.now.good = set(self.lanes_work.good.get(book.run.root_arn, ()))

    def _outside(self) -> tuple[Callee, Starts, Jobs]:
        return self.callee, self.starts, self.jobs

    def _root_started(self, key: str, request: TaskRequested, process: str) -> Whose:
        arn, ref = self.root_keys[key]
        assert ref == request.ref
        self.judge.root_started(arn, request, process)
        return Whose(arn)

    # ------------------------------------------------------------------ what is asked of it

    def _schedule(self) -> None:
        world, scenario = self.world, self.scenario
        for when, topic in scenario.garbage:
            world.at(when, self._garbage, topic)
        if scenario.limits_later is not None:
            world.at(scenario.limits_change_at, self._change_limits, scenario.limits_later)
        if scenario.fault_seconds:
            hit = [group for group in self.groups if scenario.storm in {"", group.name}]
            inject(world, hit, scenario.fault_seconds, scenario.faults_per_second)
        else:
            world.calm = True

    def _change_limits(self, limits: MapRunLimits) -> None:
        """What an operator does: all services are stopped, and those that start have the other limits."""
        self.scenario.limits = limits
        for process in [process for group in self.groups for process in group.members]:
            process.kill()

    def _garbage(self, topic: str) -> None:
        counts = {topics.HOME.name: self.scenario.homes, topics.EXECUTION_REQUESTS.name: REQUEST_PARTITIONS}
        count = counts.get(topic, self.scenario.lanes)
        value = self.world.random.choice(
            [b"", b"\x00garbage", b"{}", b"\x93\xa5", msgspec.msgpack.encode(["Nobody", 1])]
        )
        self.world.log(topic, self.world.random.randrange(count)).append(value, b"garbage")

    # ------------------------------------------------------------------ from beginning to end

    def run(self) -> None:
        """Plays the seed; what does not hold stands in `world.violations`."""
        world = self.world
        last = max(self.scenario.fault_seconds, self.users.last)
        world.run(last + 0.01)
        if not world.run(last + CALM_SECONDS_MAX, self._settled) and not world.violations:
            world.violated(f"it never ends: {self.where()}")
        world.run(world.now + AFTER_SECONDS)

    def _settled(self) -> bool:
        """Everything that was asked for has ended, and everything that follows from it was said."""
        judge = self.judge
        return (
            len(judge.requested) == len(self.scenario.plays)
            and not self.users.pending
            and not self.callee.pending
            and not self.doors.unanswered()
            and judge.settled()
            and not judge.never_sent()
            and not judge.unheard()
            and self.tracker.caught_up()
        )

    def where(self) -> str:
        """Where the runs and executions stand."""
        parts: list[str] = []
        for home in self.judge.homes:
            parts += [
                f"run {r.run} {r.phase}: asked={r.asked} read={r.read} total={r.total} answered={r.answered.flat()}"
                f" windows={r.windows} quotas={dict(zip(r.lanes, r.quotas, strict=True))}"
                for r in home.state.runs.values()
            ]
            parts += [
                f"root {r.request.name} {r.status} waits for {[*r.tasks, *r.timers, *r.runs]}"
                for r in home.state.roots.values()
            ]
        parts += [f"never sent {what}" for what in self.judge.never_sent()]
        parts += [f"never answered {request_id}" for request_id in self.doors.unanswered()]
        return "; ".join(parts + self.judge.unheard()) or "requests that no home has, or a tracker that is behind"

    def bury(self) -> None:
        """Frees what was cut off."""
        for group in self.groups:
            for process in group.members:
                process.bury()
