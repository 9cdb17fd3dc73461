"""Logs of executions on their way to CloudWatch Logs: in batches within its bounds, given up where it says no."""

import asyncio
import json
from typing import Any

import pytest

from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.port import Record
from schemas.effects import TaskFailed, TaskOutcome, TaskRequested, TaskSucceeded
from services.child_runner.log_batches import BYTES_MAX, log_batches
from services.child_runner.log_owner import PAUSES_SECONDS, LogDeps, own_logs

GROUP = "arn:aws:logs:us-east-1:1:log-group:/mine/group:*"
DAY_MS = 1_700_000_000_000


def record(offset: int, at_ms: int = DAY_MS, group: str = GROUP, machine: str = "m", pad: int = 0) -> Record:
    """A log record."""
    arn = f"arn:aws:states:us-east-1:1:execution:{machine}:x"
    value = {"id": str(offset), "event_timestamp": str(at_ms), "execution_arn": arn, "pad": "x" * pad}
    return Record("execution-logs", 3, offset, 0, b"", json.dumps(value).encode(), (("logGroup", group.encode()),))


def test_a_stream_is_of_a_machine_and_a_day() -> None:
    """Events go to their group in order of time, whatever order they came in; what has no group is left out."""
    broken = Record("execution-logs", 3, 9, 0, b"", b"{", ())
    batches = log_batches([record(1, DAY_MS + 5), record(2), record(3, machine="n"), record(4, group=""), broken])
    assert [(batch.group, batch.stream, [event.timestamp - DAY_MS for event in batch.events]) for batch in batches] == [
        ("/mine/group", "states/m/2023-11-14/3", [0, 5]),
        ("/mine/group", "states/n/2023-11-14/3", [0]),
    ]


def test_batches_keep_within_bounds() -> None:
    """Of bytes; and a stream is of a day, so that no batch spans more."""
    assert [len(batch.events) for batch in log_batches(record(n, pad=BYTES_MAX // 4) for n in range(5))] == [3, 2]
    next_day = [record(0), record(1, DAY_MS + 24 * 3_600_000)]
    assert [len(batch.events) for batch in log_batches(next_day)] == [1, 1]


class World:
    """Kafka with some records, and a CloudWatch Logs that answers what the test says."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.called: list[tuple[str, Any]] = []
        self.committed_to: list[int] = []
        self.slept: list[float] = []
        self.given_up: list[tuple[str, str, int]] = []

    def mailbox(self) -> KafkaMailbox:
        """A real one."""
        return KafkaMailbox(asyncio.get_running_loop())

    async def committed(self, _topic: str, _partition: int) -> int:
        """The beginning."""
        return 0

    def feed(self, _topic: str, _partition: int, _offset: int, mailbox: KafkaMailbox) -> None:
        """Two records."""
        mailbox.put(record(0))
        mailbox.put(record(1))

    def commit(self, _topic: str, _partition: int, position: int) -> None:
        """Notes it, and ends the test."""
        self.committed_to.append(position)
        raise asyncio.CancelledError

    async def sleep(self, seconds: float) -> None:
        """Does not take that long."""
        self.slept.append(seconds)

    async def run_task(self, request: TaskRequested, _key: str) -> TaskOutcome:
        """A call."""
        self.called.append((request.resource.rpartition(":")[2], json.loads(request.parameters)))
        error = self.answers.pop(0) if self.answers else ""
        return TaskFailed(request.ref, f"CloudWatchLogs.{error}Exception", "no") if error else TaskSucceeded("", b"{}")

    def run(self) -> list[str]:
        """The calls, until what was read is committed."""

        async def within() -> None:
            deps = LogDeps(self.run_task, lambda *given_up: self.given_up.append(given_up))
            with pytest.raises(asyncio.CancelledError):
                await own_logs(self, 3, deps)  # type: ignore[arg-type]

        asyncio.run(within())
        assert self.committed_to == [2]
        return [action for action, _ in self.called]


def test_events_are_put() -> None:
    """In one call, with their times."""
    world = World([])
    assert world.run() == ["putLogEvents"]
    put = world.called[0][1]
    assert (put["LogGroupName"], put["LogStreamName"]) == ("/mine/group", "states/m/2023-11-14/3")
    assert [event["Timestamp"] for event in put["LogEvents"]] == [DAY_MS, DAY_MS]


def test_a_missing_stream_is_made() -> None:
    """Then the events are put again."""
    world = World(["ResourceNotFound"])
    assert world.run() == ["putLogEvents", "createLogStream", "putLogEvents"]
    assert world.given_up == []


def test_what_is_not_now_is_tried_again() -> None:
    """With pauses; nothing is lost meanwhile."""
    world = World(["SdkClient", "Throttling"])
    assert world.run() == ["putLogEvents"] * 3
    assert world.slept == list(PAUSES_SECONDS[:2])
    assert world.given_up == []


@pytest.mark.parametrize(
    "answers", [["AccessDenied"], ["SdkClient"] * 7, ["ResourceNotFound", "ResourceNotFound", "ResourceNotFound"]]
)
def test_a_batch_is_given_up_at_last(answers: list[str]) -> None:
    """Where the answer will stay no, or none comes: it is said, counted, and the next records have their turn."""
    world = World(answers)
    world.run()
    [(group, why, events)] = world.given_up
    assert (group, events) == ("/mine/group", 2)
    assert why.endswith("Exception: no")
