"""The API over a story of redrives: what DescribeExecution, ListExecutions and the rest answer at each stage of it."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from maprun.bus.port import Outgoing, Record
from maprun.mapruns.fold.home import decode_record
from maprun.mapruns.limits import DAY_MS, MapRunLimits
from maprun.requests.checks import Refusal
from schemas import topics
from schemas.history_pages import ChildHistoryRequested, ChildHistoryShown
from schemas.home import (
    ABORTED,
    FAILED,
    RETURNED,
    SUCCEEDED,
    ItemsRead,
    LaneProgress,
    NestedRunRequested,
    RedriveRequested,
    SourceEnded,
    StopRequested,
)
from schemas.plan import MapRunPlan
from services.maprun_tracker import rows
from services.maprun_tracker.api import inputs, runs
from services.maprun_tracker.api.descriptions import root_redrive
from services.maprun_tracker.api.executions import arn_of_child
from services.maprun_tracker.api.operations import OPERATIONS
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.metrics import watch
from services.maprun_tracker.state import Partition
from tests.unit.mapruns.generations import Child, outcome
from tests.unit.tracker import fakes
from tests.unit.tracker.stories import HOME, Story
from tests.unit.tracker.test_flush import Table, flush
from tests.unit.tracker.test_redriven import start

CALL = Call("c", "c")
COUNTED = ("succeeded", "failed", "aborted", "running", "pending", "pendingRedrive", "total")


class Heard:
    """A mailbox whose items are there when they are asked for."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def put(self, item: Any) -> None:
        """One more."""
        self.items.append(item)

    async def get(self, _seconds: float | None) -> list[Any]:
        """All of them."""
        items, self.items = self.items, []
        assert items, "nothing will come any more"
        return items


class FakePort:
    """Home as the story has it; what is sent to it is folded in at once, and lanes show what they are asked for."""

    instance = "test"

    def __init__(self, story: Story) -> None:
        self.story = story
        self.cut = 0  # offsets below it are gone
        self.live: dict[int, ChildHistoryShown] = {}  # what lanes show of the children that run
        self.folds: Callable[[], None] = lambda: None

    def now_ms(self) -> int:
        """The story's time."""
        return self.story.times[-1]

    def monotonic(self) -> float:
        """No time passes."""
        return 0.0

    async def end_offset(self, topic: str, partition: int) -> int:
        """The end of home."""
        assert (topic, partition) == (topics.HOME.name, HOME)
        return len(self.story.log)

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """Records of home."""
        offsets = range(max(first, self.cut), end)
        return [Record(topic, partition, o, self.story.times[o], None, self.story.log[o]) for o in offsets]

    def mailbox(self) -> Heard:
        """A new one."""
        return Heard()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it to its end: it waits for nothing here."""
        with contextlib.suppress(StopIteration):
            work.send(None)

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Redrives, and requests for the histories of children that run: their lane answers."""
        for message in messages:
            request = decode_record(message.value or b"")
            if isinstance(request, RedriveRequested):
                self.story.put(request)
                continue
            assert isinstance(request, ChildHistoryRequested)
            known = self.live.get(request.index, ChildHistoryShown(request.run, ""))
            self.story.put(request, msgspec.structs.replace(known, run=request.run, request_id=request.request_id))
        self.folds()
        return [len(self.story.log) - 1]


class World:
    """A partition that folds the story, and the API over it."""

    def __init__(self, story: Story, limits: MapRunLimits | None = None) -> None:
        self.story = story
        self.port = FakePort(story)
        self.table = Table()
        self.flusher, _ = start(self.table, limits)
        self.port.folds = self.arrive
        self.service = Service(self.port, self, fakes.NAMES, fakes.HOMES, TrackerLimits(), limits)  # type: ignore[arg-type]

    def ready(self) -> str:
        """Always."""
        return ""

    def missing(self, home: int) -> str:
        """Nothing."""
        assert home == HOME
        return ""

    def owned(self) -> Mapping[int, Partition]:
        """The one partition."""
        return {HOME: self.flusher.part}

    def arrive(self) -> None:
        """Folds what the story has by now."""
        part = self.flusher.part
        for offset in range(part.offset + 1, len(self.story.log)):
            record_arrived(part, offset, self.story.times[offset], self.story.log[offset])

    def fold(self) -> None:
        """Takes over what the story has by now."""
        self.arrive()
        flush(self.flusher, self.table, mark_now=True)

    def ask(self, operation: str, **members: Any) -> Any:
        """An operation's answer, as JSON."""
        self.fold()
        if operation == "ListExecutions":
            answer: Any = asyncio.run(runs.list_children(self.service, inputs.ListExecutions(**members)))
        else:
            known = OPERATIONS[operation]
            answer = asyncio.run(known.handle(self.service, known.asked(**members), CALL))  # type: ignore[arg-type]
        return msgspec.to_builtins(answer)


def counts(world: World, arn: str) -> dict[str, int]:
    """The counts of children that are not zero."""
    shown = world.ask("DescribeMapRun", map_run_arn=arn)["executionCounts"]
    return {name: shown[name] for name in COUNTED if shown[name]}


class Redriven:
    """A run of four children, of which 0 failed, 1 succeeded, 2 was aborted and 3 never started."""

    def __init__(self) -> None:
        self.story = story = Story(1)
        self.world = World(story)
        self.run = story.begin(0)
        self.root = story.arns[0]
        story.put(ItemsRead(self.run, 0, 0, 4, 4, 4, b"c"))
        first = {0: Child(0, FAILED, 0, 1, b"r"), 1: Child(1, SUCCEEDED), 2: Child(2, ABORTED, 0, 1, b"r")}
        story.put(outcome(0, first, run=self.run), SourceEnded(self.run, 0, 4), StopRequested("s", self.root))
        story.put(outcome(0, {3: Child(3, RETURNED)}, run=self.run))
        self.world.fold()
        row = self.world.flusher.part.run(self.run)
        assert row is not None
        self.arn = row.arn

    def child(self, index: int) -> str:
        """A child's ARN."""
        part = self.world.flusher.part
        row = part.run(self.run)
        assert row is not None
        return arn_of_child(self.world.service, row, index)

    def listed(self, **filters: str) -> list[tuple[int, str]]:
        """(index, status) of the children listed, oldest first."""
        rows = self.world.ask("ListExecutions", map_run_arn=self.arn, **filters)["executions"]
        return [(int(row["name"][:8], 16), row["status"]) for row in reversed(rows)]


def test_a_redrive_is_seen_in_every_answer() -> None:
    """Before a redrive and once it begins: statuses, counts and dates are AWS's."""
    made = Redriven()
    world, story, run, arn = made.world, made.story, made.run, made.arn
    assert made.listed() == [(0, "FAILED"), (1, "SUCCEEDED"), (2, "ABORTED")]
    assert counts(world, arn) == {"succeeded": 1, "failed": 1, "aborted": 1, "pending": 1, "total": 4}
    root = world.ask("DescribeExecution", execution_arn=made.root)
    assert (root["status"], root["redriveCount"], root["redriveStatus"]) == ("ABORTED", 0, "REDRIVABLE")
    story.redrive(run, made.root, 1)
    root = world.ask("DescribeExecution", execution_arn=made.root)
    assert (root["status"], root["redriveCount"], root["redriveDate"]) == ("RUNNING", 1, story.times[-1] / 1000)
    assert not {"stopDate", "error", "cause", "output"} & root.keys()
    assert (root["redriveStatus"], root["redriveStatusReason"]) == (
        "NOT_REDRIVABLE",
        "Execution is RUNNING and cannot be redriven",
    )
    described = world.ask("DescribeMapRun", map_run_arn=arn)
    assert (described["status"], described["redriveCount"]) == ("RUNNING", 1)
    assert described["redriveDate"] == story.times[-1] / 1000
    assert "stopDate" not in described
    assert described["startDate"] == story.times[0] / 1000
    assert made.listed() == [(0, "PENDING_REDRIVE"), (1, "SUCCEEDED"), (2, "PENDING_REDRIVE")]
    assert made.listed(status_filter="PENDING_REDRIVE") == [(0, "PENDING_REDRIVE"), (2, "PENDING_REDRIVE")]
    assert made.listed(status_filter="FAILED") == []
    assert counts(world, arn) == {"succeeded": 1, "pendingRedrive": 2, "pending": 1, "total": 4}
    waiting = world.ask("DescribeExecution", execution_arn=made.child(0))
    assert (waiting["status"], waiting["redriveCount"], waiting["redriveStatus"]) == (
        "PENDING_REDRIVE",
        0,
        "REDRIVABLE_BY_MAP_RUN",
    )
    assert not {"stopDate", "error", "cause"} & waiting.keys()


def test_children_of_a_redrive_run_and_end() -> None:
    """During and after a redrive: what runs, what was redriven, counts and whole histories are AWS's."""
    made = Redriven()
    world, story, run, arn = made.world, made.story, made.run, made.arn
    first_stop = world.ask("DescribeMapRun", map_run_arn=arn)["stopDate"]
    story.redrive(run, made.root, 1)
    lost = ItemsRead(run, 1, 0, 2, 2, 2, b"c", redriven=(FAILED, 1, 1, ABORTED, 1, 1))
    story.put(lost, ItemsRead(run, 1, 2, 1, 1, 1, b"c"), LaneProgress(run, 1, 0, (0, 1, 3, 1)))
    assert made.listed(status_filter="RUNNING") == [(0, "RUNNING"), (3, "RUNNING")]
    assert made.listed(status_filter="RUNNING", redrive_filter="REDRIVEN") == [(0, "RUNNING")]
    running = world.ask("DescribeExecution", execution_arn=made.child(0))
    assert (running["status"], running["redriveCount"]) == ("RUNNING", 1)
    assert (running["input"], running["redriveDate"]) == ('{"i":0}', story.times[-1] / 1000)
    assert "stopDate" not in running
    assert world.ask("DescribeExecution", execution_arn=made.child(3))["status"] == "RUNNING"
    assert counts(world, arn)["running"] == 2

    ends = {0: Child(0, SUCCEEDED, 1), 1: Child(2, FAILED, 1, 1, b"r"), 2: Child(3, SUCCEEDED)}
    story.put(outcome(1, ends, run=run))
    assert made.listed() == [(0, "SUCCEEDED"), (1, "SUCCEEDED"), (2, "FAILED"), (3, "SUCCEEDED")]
    assert made.listed(redrive_filter="REDRIVEN") == [(0, "SUCCEEDED"), (2, "FAILED")]
    assert made.listed(redrive_filter="NOT_REDRIVEN") == [(1, "SUCCEEDED"), (3, "SUCCEEDED")]
    assert counts(world, arn) == {"succeeded": 3, "failed": 1, "total": 4}
    described = world.ask("DescribeMapRun", map_run_arn=arn)
    assert described["status"] == "SUCCEEDED"
    assert described["stopDate"] > first_stop
    child = world.ask("DescribeExecution", execution_arn=made.child(0))
    assert (child["status"], child["redriveCount"], child["output"]) == ("SUCCEEDED", 1, '{"o":0}')
    assert child["redriveDate"] > child["startDate"]
    events = world.ask("GetExecutionHistory", execution_arn=made.child(0))["events"]
    assert [e["type"] for e in events] == ["ExecutionStarted", "ExecutionRedriven", "ExecutionSucceeded"]
    types = [e["type"] for e in world.ask("GetExecutionHistory", execution_arn=made.root)["events"]]
    assert types[-4:] == ["ExecutionAborted", "ExecutionRedriven", "MapRunRedriven", "ExecutionSucceeded"]


def test_children_whose_history_home_no_longer_keeps_are_still_shown() -> None:
    """Older than home's retention a child has its status and place in lists; its history is a clear error."""
    made = Redriven()
    made.world.fold()
    made.world.port.cut = len(made.story.log)
    assert made.listed() == [(0, "FAILED"), (1, "SUCCEEDED"), (2, "ABORTED")]
    child = made.world.ask("DescribeExecution", execution_arn=made.child(1))
    assert (child["status"], child["inputDetails"]) == ("SUCCEEDED", {"included": False})
    with pytest.raises(Refusal, match="history of this execution is no longer kept"):
        made.world.ask("GetExecutionHistory", execution_arn=made.child(1))


def test_forgotten_executions_do_not_exist() -> None:
    """Behind the retention an execution, its Map Run and children are refused as things that never were."""
    limits = MapRunLimits(retention_ms=5_000, redrivable_ms=3_000)
    story = Story(1, limits, positions=20)
    world = World(story, limits)
    run = story.live(0, 0)
    world.fold()
    row = world.flusher.part.run(run)
    assert row is not None
    child = arn_of_child(world.service, row, 0)
    assert world.ask("DescribeExecution", execution_arn=child)["status"]
    story.rest(6_000)
    for operation, members, error in [
        ("DescribeExecution", {"execution_arn": story.arns[0]}, "ExecutionDoesNotExist"),
        ("GetExecutionHistory", {"execution_arn": story.arns[0]}, "ExecutionDoesNotExist"),
        ("ListMapRuns", {"execution_arn": story.arns[0]}, "ExecutionDoesNotExist"),
        ("DescribeExecution", {"execution_arn": child}, "ExecutionDoesNotExist"),
        ("DescribeMapRun", {"map_run_arn": row.arn}, "ResourceNotFound"),
        ("ListExecutions", {"map_run_arn": row.arn}, "ResourceNotFound"),
    ]:
        with pytest.raises(Refusal) as refused:
            world.ask(operation, **members)
        assert refused.value.code == error, operation


ROOT = {"status": "FAILED", "remains": True, "stopped_ms": 0, "started_ms": 0, "events": 9}
REASONS: list[tuple[dict[str, Any], int, str | None]] = [
    ({}, 14 * DAY_MS, None),
    ({}, 14 * DAY_MS + 1, "Execution redrivable period exceeded"),
    ({"remains": False}, 0, "Execution redrivable period exceeded"),
    ({"events": 24_998}, 0, None),
    ({"events": 24_999}, 0, "Execution history event limit exceeded"),
    ({"stopped_ms": 366 * DAY_MS}, 366 * DAY_MS, "Execution has exceeded the max execution time"),
    ({"status": "RUNNING"}, 0, "Execution is RUNNING and cannot be redriven"),
    ({"status": "SUCCEEDED"}, 0, "Execution is SUCCEEDED and cannot be redriven"),
]


@pytest.mark.parametrize(("changed", "now_ms", "reason"), REASONS)
def test_the_reason_why_not(changed: dict[str, Any], now_ms: int, reason: str | None) -> None:
    """RedriveStatus and its reason are those of AWS's API reference."""
    made = Redriven()
    row = made.world.flusher.part.root(made.root)
    assert row is not None
    shown = root_redrive(msgspec.structs.replace(row, **{**ROOT, **changed}), now_ms, MapRunLimits())
    assert shown.reason == reason
    assert shown.status == ("REDRIVABLE" if reason is None else "NOT_REDRIVABLE")


def test_a_nested_run_belongs_to_the_child_that_asked_for_it() -> None:
    """A nested run is listed by its child, names it as its execution, and is forgotten with the root."""
    limits = MapRunLimits(retention_ms=5_000, redrivable_ms=3_000)
    story = Story(1, limits, positions=2)
    world = World(story, limits)
    run = story.begin(0)
    story.put(ItemsRead(run, 0, 0, 2, 2, 2, b"c"), LaneProgress(run, 0, 0, (0, 2)))
    plan = MapRunPlan(state="Map", label="In", child_type="STANDARD")
    story.put(NestedRunRequested(run, 0, 0, 0, 0, "ref", plan))
    world.fold()
    part = world.flusher.part
    row = part.run(run)
    assert row is not None
    child = arn_of_child(world.service, row, 0)
    [nested] = [key for key in story.home.state.runs if key != run]
    [listed] = world.ask("ListMapRuns", execution_arn=child)["mapRuns"]
    assert (listed["executionArn"], listed["stateMachineArn"]) == (child, fakes.NAMES.labelled_machine("m", "In"))
    assert [one["mapRunArn"] for one in world.ask("ListMapRuns", execution_arn=story.arns[0])["mapRuns"]] == [row.arn]
    assert world.ask("DescribeMapRun", map_run_arn=listed["mapRunArn"])["executionArn"] == child
    story.put(ItemsRead(nested, 0, 0, 1, 1, 1, b"c"), outcome(0, {0: Child(0, SUCCEEDED)}, run=nested))
    story.put(SourceEnded(nested, 0, 1), SourceEnded(run, 0, 2))
    story.put(outcome(0, {0: Child(0, SUCCEEDED), 1: Child(1, SUCCEEDED)}, run=run))
    inner = part.run(nested)
    assert inner is not None
    [grandchild] = world.ask("ListExecutions", map_run_arn=inner.arn)["executions"]
    described = world.ask("DescribeExecution", execution_arn=grandchild["executionArn"])
    assert (described["mapRunArn"], described["output"]) == (inner.arn, '{"o":0}')
    world.fold()
    again = start(world.table, limits)[0].part
    assert again.runs_of_child(child) == [nested]
    story.rest(6_000)
    world.fold()
    assert not [key for key in world.table.rows if key[rows.KIND] in rows.SUMMED]
    assert part.runs_of_child(child) == []


def test_a_queued_run_is_running_with_nothing_in_it() -> None:
    """Past the limit of open runs a Map Run is RUNNING with zero counts; the metrics tell how many wait."""
    limits = MapRunLimits(open_runs_max=1)
    story = Story(1, limits)
    world = World(story, limits)
    first, second = story.begin(0), story.begin(1)
    story.put(ItemsRead(first, 0, 0, 2, 2, 2, b"c"))
    world.fold()
    watch(world.owned, limits.open_runs_max)
    names = ("aws_states_approximate_open_map_run_count", "aws_states_approximate_map_run_backlog_size")
    assert [REGISTRY.get_sample_value(name) for name in names] == [1, 1]
    row = world.flusher.part.run(second)
    assert row is not None
    shown = world.ask("DescribeMapRun", map_run_arn=row.arn)
    assert shown["status"] == "RUNNING"
    assert not any(shown["itemCounts"].values())
    assert world.ask("ListExecutions", map_run_arn=row.arn)["executions"] == []
