"""What the tracker counts, for Prometheus."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram

from maprun.runtime import logs
from schemas.reports import OWNED_TOPICS
from services.maprun_tracker.state import Partition
from services.maprun_tracker.topology import CONSUMES


class Reports(Protocol):
    """What all processes reported."""

    def unowned(self, service: str, now_ms: int) -> Sequence[int]:
        """The partitions that none of this service's processes has."""
        ...


RECORDS = Counter("maprun_tracker_records_folded", "Records of home folded.")
UNREADABLE = Counter("maprun_tracker_unreadable_records", "Records passed over because they can't be read.", ("topic",))
BYTES = Counter("maprun_tracker_folded_bytes", "Bytes of home folded.")
ROWS = Counter("maprun_tracker_rows_written", "Rows written to the table.")
ROW_BYTES = Counter("maprun_tracker_row_bytes", "Bytes of rows written to the table.")
ROWS_DELETED = Counter("maprun_tracker_rows_deleted", "Rows deleted from the table, their time being over.")
REQUESTS = Counter("maprun_tracker_requests", "API requests by operation and answer.", ("operation", "answer"))
SECONDS = Histogram(
    "maprun_tracker_request_seconds",
    "Time from a request to its answer.",
    ("operation",),
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0),
)
UNOWNED = Gauge(
    "maprun_unowned_partitions",
    "Partitions of a service's topic that none of its processes reports to have.",
    ("of_service",),
)
OPEN_RUNS = Gauge(
    "aws_states_approximate_open_map_run_count",
    "AWS/States ApproximateOpenMapRunCount: Map Runs in progress on the homes of this process, nested ones left out.",
)
OPEN_EXECUTION_COUNT = Gauge(
    "aws_states_open_execution_count",
    "AWS/States OpenExecutionCount: root executions of STANDARD machines that run, on the homes of this process.",
)
OPEN_RUNS_LIMIT = Gauge(
    "aws_states_open_map_run_limit", "AWS/States OpenMapRunLimit: how many Map Runs may be open at once."
)
BACKLOG = Gauge(
    "aws_states_approximate_map_run_backlog_size",
    "AWS/States ApproximateMapRunBacklogSize: Map Runs past the limit that wait, on the homes of this process.",
)
"""AWS's three metrics of Map Runs (page procedure-cw-metrics); of several processes the sum is the whole."""


OPEN_MAP_RUNS, WAITING_MAP_RUNS, OPEN_EXECUTIONS = "openMapRuns", "waitingMapRuns", "openExecutions"


def watch(owned: Callable[[], Mapping[int, Partition]], open_runs_max: int) -> None:
    """Has AWS's metrics computed from these partitions each time they are asked for."""
    OPEN_RUNS.set_function(lambda: figures(owned())[OPEN_MAP_RUNS])
    BACKLOG.set_function(lambda: figures(owned())[WAITING_MAP_RUNS])
    OPEN_EXECUTION_COUNT.set_function(lambda: figures(owned())[OPEN_EXECUTIONS])
    OPEN_RUNS_LIMIT.set(open_runs_max)
    for topic in CONSUMES:
        UNREADABLE.labels(topic)  # Prometheus sees a counter rise only if it was there before


def watch_reports(reports: Reports, now_ms: Callable[[], int]) -> None:
    """Has the partitions without owner counted each time they are asked for."""
    for service in OWNED_TOPICS:
        UNOWNED.labels(service).set_function(partial(_unowned, reports, service, now_ms))


def _unowned(reports: Reports, service: str, now_ms: Callable[[], int]) -> int:
    return len(reports.unowned(service, now_ms()))


def watch_requests(operations: Iterable[str]) -> None:
    """Has the failures of each operation counted from 0 on: of a counter that was not there before no rise is seen."""
    for operation in operations:
        for answer in ("ServiceUnavailable", "InternalFailure"):
            REQUESTS.labels(operation, answer)


def figures(owned: Mapping[int, Partition]) -> dict[str, int]:
    """What is open on these homes; the sum over all processes is the whole."""
    states = [part.home.state for part in owned.values()]
    return {
        OPEN_MAP_RUNS: sum(
            run.parent is None and run.phase != "queued" for state in states for run in state.runs.values()
        ),
        WAITING_MAP_RUNS: sum(len(state.waiting) for state in states),
        OPEN_EXECUTIONS: sum(root.status == "RUNNING" for state in states for root in state.roots.values()),
    }


def unreadable(topic: str, partition: int, offset: int) -> None:
    """A record that can't be read was passed over."""
    logs.logger("tracker").error("record_unreadable", topic=topic, partition=partition, offset=offset)
    UNREADABLE.labels(topic).inc()
