"""The named limits of Map Runs, with their units (rule R9)."""

from typing import Protocol

import msgspec

from schemas.home import LimitsTaken

DAY_MS = 24 * 3_600_000
QUOTAS_FIRST = 1
"""Since these rules the quotas of all lanes are filled before anything is asked for ahead."""
RULES = QUOTAS_FIRST
"""Those of today. A rule that changes counts from a record of home on, as limits do."""


class MapRunLimits(msgspec.Struct, frozen=True):
    """Part of every fold's inputs: the same in scheduler, tracker and export, or they would disagree.

    Those that an operator or a version sets (`limits_taken`) the fold has from records of home: see `limits_under`.
    """

    concurrency_default: int = 10_000  # children at once when MaxConcurrency is 0 (AWS quota)
    prefetch_items_max: int = 2_000  # asked for past a lane's quota, so that its owner never runs dry
    prefetch_items_min: int = 8
    prefetch_items_first: int = 64  # before the size of items is known: of 250 KB each they must not fill a lane
    prefetch_bytes_max: int = 4 << 20  # of items waiting past a lane's quota
    window_items_max: int = 500  # a window becomes one or more item frames
    window_items_first: int = 32  # small at first, so that every lane starts at once
    result_bytes_max: int = 262_144  # of a Map state's result without a writer (AWS quota)
    prefetch_quotas_max: int = 8  # a lane with a small quota is asked for little: its items can't move to another lane
    window_quotas_max: int = 4
    ahead_ms: int = 1_000  # a fast run's lanes are asked for what they end in that time
    ahead_items_max: int = 8_000  # of it, for one lane
    windows_ahead: int = 8  # a window of a fast run holds that part of it, times `window_quotas_max`
    speed_ms: int = 200  # over which a run's speed is taken, at least
    windows_per_ask_max: int = 64
    open_runs_max: int = 1_000  # of the whole cluster, shared out evenly to homes; nested ones don't count (AWS quota)
    open_executions_max: int = 0  # of the whole cluster, shared out evenly to homes; 0 = no bound
    redrives_max: int = 1_000  # of one Map Run (AWS quota)
    events_max: int = 25_000  # a root execution with so many events can't be redriven (AWS quota)
    redrivable_ms: int = 14 * DAY_MS  # after the end (AWS: API reference, RedriveExecution)
    execution_ms: int = 365 * DAY_MS  # the longest that an execution may be open (AWS quota)
    retention_ms: int = 90 * DAY_MS  # an ended execution's name stays taken so long (AWS quota)
    rules: int = RULES

    @property
    def redrive_within_ms(self) -> int:
        """So long after its end an execution can be redriven: what is forgotten can't be."""
        return min(self.redrivable_ms, self.retention_ms)


class SharedLimits(Protocol):
    """What an operator sets, the same for all services."""

    @property
    def payload_bytes_max(self) -> int:
        """Of an input, an output or a result."""
        ...

    @property
    def history_events_max(self) -> int:
        """Of one execution."""
        ...

    @property
    def retention_days(self) -> float:
        """So long ended executions are remembered."""
        ...

    @property
    def open_executions_max(self) -> int:
        """Of the whole cluster, 0 = no bound."""
        ...

    @property
    def open_map_runs_max(self) -> int:
        """Of the whole cluster."""
        ...


def limits_of(shared: SharedLimits) -> MapRunLimits:
    """The limits under these settings."""
    return limits_under(
        MapRunLimits(),
        LimitsTaken(
            payload_bytes_max=shared.payload_bytes_max,
            history_events_max=shared.history_events_max,
            retention_ms=max(1, round(shared.retention_days * DAY_MS)),
            open_executions_max=shared.open_executions_max,
            open_map_runs_max=shared.open_map_runs_max,
            rules=RULES,
        ),
    )


def limits_taken(limits: MapRunLimits) -> LimitsTaken:
    """Of these limits those that an operator or a version sets."""
    return LimitsTaken(
        payload_bytes_max=limits.result_bytes_max,
        history_events_max=limits.events_max,
        retention_ms=limits.retention_ms,
        open_executions_max=limits.open_executions_max,
        open_map_runs_max=limits.open_runs_max,
        rules=limits.rules,
    )


def limits_under(limits: MapRunLimits, taken: LimitsTaken) -> MapRunLimits:
    """These limits, but for those that a record of home says."""
    return msgspec.structs.replace(
        limits,
        result_bytes_max=taken.payload_bytes_max,
        events_max=taken.history_events_max,
        open_executions_max=taken.open_executions_max,
        open_runs_max=taken.open_map_runs_max,
        retention_ms=taken.retention_ms,
        rules=taken.rules,
    )
