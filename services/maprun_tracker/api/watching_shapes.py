"""Outputs of the questions that AWS has no operation for, as far as they are of what goes on at present."""

import msgspec

from services.maprun_tracker.api.shapes import MapRunDescription, Output


class ProcessHealth(Output, frozen=True, kw_only=True):
    """One process, as it reported itself last. `partitions` are those it has of its service's topic.

    `status`: READY; NOT_READY, with what keeps it from its work in `trouble`; SILENT, when its reports stopped.
    """

    instance: str
    status: str
    trouble: str
    host: str
    pid: int
    start_date: float
    last_report_date: float
    partitions: list[int]
    records_behind: dict[str, int]
    errors_last_hour: int
    starts_last_hour: int


class ServiceHealth(Output, frozen=True, kw_only=True):
    """One service: `ok` when each partition of its topic has a process that is ready."""

    service: str
    ok: bool
    topic: str
    partitions: int
    unowned_partitions: list[int]
    records_behind: dict[str, int]
    processes: list[ProcessHealth]


class OpenMapRuns(Output, frozen=True, kw_only=True):
    """Map Runs that are open, nested ones left out, and those that wait because the limit is reached."""

    open: int
    waiting: int
    limit: int


class LoggedErrors(Output, frozen=True, kw_only=True):
    """An error event in the logs of a service within the last hour."""

    service: str
    event: str
    count: int


class Health(Output, frozen=True, kw_only=True):
    """Of `GET /maprun/health`. `troubles` are sentences; there are none exactly when all services are `ok`."""

    ok: bool
    troubles: list[str]
    date: float
    services: list[ServiceHealth]
    map_runs: OpenMapRuns
    open_executions: int
    errors_last_hour: list[LoggedErrors]


class OpenMapRun(MapRunDescription, frozen=True, kw_only=True):
    """One entry of `GET /maprun/map-runs`. `waiting`: as many as may be open are open. `items_expected` is an estimate.

    It is missing while the length of the source isn't known.
    """

    state_machine_arn: str
    waiting: bool
    items_expected: int | None = None


class OpenMapRunList(Output, frozen=True, kw_only=True):
    """Of `GET /maprun/map-runs`: the newest of those that are open, and how many there are on these homes.

    Homes that have no owner just now are `missing_homes`: what is open there is not told of.
    """

    map_runs: list[OpenMapRun]
    count: int
    homes: list[int]
    missing_homes: list[int] = msgspec.field(default_factory=list)


class StateTime(Output, frozen=True, kw_only=True):
    """How long children stayed in a state. `ended_in_it`: how many failed, timed out or were stopped there."""

    name: str
    type: str
    visits: int
    ended_in_it: int
    total_seconds: float
    median_seconds: float
    p95_seconds: float
    max_seconds: float


class StateTimes(Output, frozen=True, kw_only=True):
    """Of `GET /maprun/states`: the states of the newest children, of how many, the longest first."""

    map_run_arn: str
    children_counted: int
    states: list[StateTime]
