"""The four services in the simulated world: their owners, fakes for what lies outside, watchers for the checker."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from maprun.interpreter import Limits, effect_key
from maprun.interpreter.lane_children import Children, ChildRunMachine
from maprun.interpreter.roots import RootInterpreter
from schemas import topics
from schemas.lanes import RunOpened
from services.child_runner import owner as lane_owner
from services.child_runner.lane_run import CHILD_BYTES
from services.child_runner.limits import HISTORY_UNBOUNDED
from services.child_runner.limits import limits_of as lane_limits
from services.child_runner.memory_budget import MemoryBudget
from services.item_reader import owner as ask_owner
from services.item_reader.handlers import limits_of as reader_limits
from services.item_reader.open_streams import OpenStreams
from services.scheduler import deps as scheduler_deps
from services.scheduler.gate import own_requests
from services.scheduler.limits import limits_of as scheduler_limits
from services.scheduler.machines_view import MachinesView
from services.scheduler.owner import own_home
from services.scheduler.shaping import ShapingHere
from tests.simulation.callee import SECRET
from tests.simulation.disks import Disks
from tests.simulation.groups import Group
from tests.simulation.plays import NAMES, PLAN_BYTES_MAX
from tests.simulation.port import VALUE_BYTES_MAX, SimPort
from tests.simulation.process import Process
from tests.simulation.scenario import REQUEST_PARTITIONS, Scenario
from tests.simulation.work import SimPace

if TYPE_CHECKING:
    from tests.simulation.house import House

PAYLOAD_BYTES_MAX, ROOT_PAYLOAD_BYTES_MAX = 12_000, 16_000
LANE_LIMITS_LARGE = msgspec.structs.replace(
    lane_limits(PAYLOAD_BYTES_MAX, VALUE_BYTES_MAX), snapshot_bytes_min=5_000, trim_seconds=2.0
)
LANE_LIMITS = msgspec.structs.replace(
    LANE_LIMITS_LARGE,
    frame_children_max=6,
    turn_children_max=7,
    history_page_bytes_max=700,
    adopt_after_seconds=0.3,
    queued_bytes_max=600,
    journal_bytes_max=400,
    journal_facts_max=3,
    heard_max=4,
    starts_max=2,
    spill_bytes_max=150,
    inputs_read_bytes_max=120,
    snapshot_bytes_min=1_500,
    snapshot_factor=1,
    trim_seconds=0.5,
)
RUNNING_BYTES_MAX = 6 * CHILD_BYTES
STREAMS_MAX = 0  # so every stream gives way as soon as another one is read
READER_LIMITS_LARGE = msgspec.structs.replace(reader_limits(VALUE_BYTES_MAX), idle_seconds=5.0)
READER_LIMITS = msgspec.structs.replace(READER_LIMITS_LARGE, part_items_max=7, frame_bytes_max=200, idle_seconds=2.0)
SCHEDULER_LIMITS_LARGE = msgspec.structs.replace(
    scheduler_limits(PAYLOAD_BYTES_MAX, VALUE_BYTES_MAX), snapshot_quiet_seconds=1.0
)
SCHEDULER_LIMITS = msgspec.structs.replace(
    SCHEDULER_LIMITS_LARGE,
    records_per_turn_max=8,
    snapshot_chunk_bytes_max=1_500,
    snapshot_log_bytes=4_000,
    snapshot_log_records=12,
    snapshot_size_factor=1,
    snapshot_quiet_seconds=0.5,
    snapshot_read_records=3,
    archive_executions_max=2,
    archive_page_bytes_max=600,
    exports_early_max=1,
    exports_writing_max=2,
    export_inbox_bytes_max=700,
    export_read_records=4,
    export_pauses_seconds=(0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
    part_bytes=900,
    file_bytes_max=5_000,
)
"""All small, so that every bound is met."""


class Interpreters:
    """Compiled once for all seeds of a process: they hold no state of a world."""

    def __init__(self) -> None:
        child = Limits(PAYLOAD_BYTES_MAX, history_bytes_max=HISTORY_UNBOUNDED, plan_bytes_max=PLAN_BYTES_MAX)
        self._roots = {
            True: RootInterpreter(Limits(ROOT_PAYLOAD_BYTES_MAX, plan_bytes_max=PLAN_BYTES_MAX), SECRET),
            False: RootInterpreter(Limits(ROOT_PAYLOAD_BYTES_MAX), SECRET),
        }
        self.children = Children(NAMES, child, SECRET)

    def roots(self, scenario: Scenario) -> RootInterpreter:
        """What a home and all who read it run executions with."""
        return self._roots[scenario.plans_bounded]


class WatchedChildren:
    """The children of one run at one owner; their effects are named to the checker."""

    def __init__(self, machine: ChildRunMachine, opened: RunOpened, house: "House") -> None:
        self._machine = machine
        self._house = house
        self._opened = opened
        self.build = machine.build
        self.pack = machine.pack
        self.begin = machine.begin
        self.redrive = machine.redrive
        self.advance = machine.advance
        self.history_bytes = machine.history_bytes
        self.go_on = machine.go_on
        self.remains = machine.remains
        self.map_run_arn = machine.map_run_arn
        self.arn = machine.arn

    def attempt_of(self, index: int, ref: str) -> str:
        """The attempt's name, noted for the checker."""
        attempt = self._machine.attempt_of(index, ref)
        opened = self._opened
        self._house.judge.key_derived(attempt, (opened.run, index, 0, ref), opened.generation)
        return attempt

    def effect_key(self, index: int, redrive_count: int, ref: str) -> str:
        """The key, noted for the checker."""
        key = self._machine.effect_key(index, redrive_count, ref)
        opened = self._opened
        self._house.judge.key_derived(key, (opened.run, index, redrive_count, ref), opened.generation)
        return key


class Services:
    """Makes the groups and processes of a house, and their owners when partitions are given out."""

    def __init__(self, house: "House") -> None:
        self.house = house
        self.views: dict[str, MachinesView] = {}  # one a process
        self.budgets: dict[str, MemoryBudget] = {}  # likewise
        self.streams: dict[str, OpenStreams] = {}  # likewise
        self.disks = Disks(house.world)

    def _pace(self, port: SimPort) -> SimPace:
        return self.house.mutation.pace(port.process, self.house.scenario.state_seconds)

    def start(self) -> list[Group]:
        """All groups, with their processes."""
        world, scenario = self.house.world, self.house.scenario
        lanes = Group(world, "child-runner", topics.ITEMS.name, scenario.lanes, self._lane)
        asks = Group(world, "item-reader", topics.ITEM_ASKS.name, scenario.homes, self._asks)
        homes = Group(world, "scheduler", topics.HOME.name, scenario.homes, self._home)
        gates = Group(world, "gate", topics.EXECUTION_REQUESTS.name, REQUEST_PARTITIONS, self._gate)
        trackers = Group(world, "maprun-tracker", topics.HOME.name, scenario.homes, self._track)
        for i in range(scenario.processes):
            Process(world, [lanes], f"child-runner-{i}")
            Process(world, [asks], f"item-reader-{i}")
            Process(world, [homes, gates], f"scheduler-{i}")
        for i in range(2):
            Process(world, [trackers], f"maprun-tracker-{i}")
        return [lanes, asks, homes, gates, trackers]

    def _lane(self, port: SimPort, lane: int) -> list[Coroutine[Any, Any, None]]:
        house, owner = self.house, f"{port.process.name} on lane {lane}"

        def compile_run(opened: RunOpened) -> WatchedChildren:
            return WatchedChildren(house.interpreters.children.compile_run(opened), opened, house)

        deps = lane_owner.Deps(
            compile_run=compile_run,
            run_task=house.lanes_work.runner(port, owner),
            begin_task=lambda *_: None,
            jobs=house.jobs.calls(port),
            limits=house.mutation.lane_limits(LANE_LIMITS if house.scenario.small else LANE_LIMITS_LARGE),
            pace=self._pace(port),
            budget=self.budgets.setdefault(port.process.name, MemoryBudget(RUNNING_BYTES_MAX)),
            watch=house.judge.lane_seen,
        )
        return [lane_owner.own_lane(house.mutation.port(port), lane, deps)]

    def _asks(self, port: SimPort, home: int) -> list[Coroutine[Any, Any, None]]:
        children = self.house.interpreters.children
        deps = ask_owner.Deps(
            open_source=self.house.shelf.open,
            builder=lambda ask: children.builder(ask.definition, ask.plan),
            limits=READER_LIMITS if self.house.scenario.small else READER_LIMITS_LARGE,
            streams=self.streams.setdefault(port.process.name, OpenStreams(STREAMS_MAX)),
        )
        return [ask_owner.own_asks(self.house.mutation.port(port), home, deps)]

    def _track(self, port: SimPort, home: int) -> list[Coroutine[Any, Any, None]]:
        return [
            self.house.tracker.own(self.house.mutation.port(port), home, self._pace(port), self.disks.of(port.process))
        ]

    def _deps(self, port: SimPort, owner: str) -> scheduler_deps.Deps:
        house = self.house
        return scheduler_deps.Deps(
            interpreter=house.interpreters.roots(house.scenario),
            effect_key=effect_key,
            run_task=house.roots_work.runner(port, owner),
            jobs=house.jobs.calls(port),
            results=house.store,
            shaping=ShapingHere(NAMES),
            names=NAMES,
            homes=house.scenario.homes,
            lanes=house.scenario.lanes,
            store=self.disks.of(port.process),
            machines=self.views.setdefault(port.process.name, MachinesView()),
            limits=SCHEDULER_LIMITS if house.scenario.small else SCHEDULER_LIMITS_LARGE,
            pace=self._pace(port),
            map_run_limits=house.scenario.limits,
            watch=house.judge.compare,
        )

    def _home(self, port: SimPort, home: int) -> list[Coroutine[Any, Any, None]]:
        deps = self._deps(port, f"{port.process.name} for home {home}")
        return [own_home(self.house.mutation.port(port), home, deps)]

    def _gate(self, port: SimPort, partition: int) -> list[Coroutine[Any, Any, None]]:
        deps = self._deps(port, f"{port.process.name} at gate {partition}")
        return [own_requests(self.house.mutation.port(port), partition, deps)]
