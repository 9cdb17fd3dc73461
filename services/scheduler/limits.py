"""The scheduler's named limits, with their units (rule R9)."""

import msgspec


class SchedulerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes and times of one owner of a home."""

    records_per_turn_max: int = 512  # folded before their outputs are sent: bounds what waits for one acknowledgement
    # Tasks of root executions of one home: some 10 KB of coroutine and connection each, 100 MB; what they were asked
    # stands in home's state anyway. More wait their turn, and what waits keeps home from nothing.
    tasks_at_once_max: int = 10_000
    task_result_bytes_max: int = 4 << 20  # above AWS's limit, which the interpreter knows; a record must hold it
    lease_retry_seconds: float = 0.2  # a task whose lease is not proven waits so long before it looks again
    lost_answer_seconds: float = 10.0  # a former owner that goes on may still say what came of its call
    timer_sleep_seconds_max: float = 60.0  # a wait for a far timer looks at the clock again: clocks are corrected

    snapshot_chunk_bytes_max: int = 900_000  # below Kafka's default record limit of 1 MiB
    snapshot_log_bytes: int = 32 << 20  # of home folded since the last snapshot: about a second to fold again
    snapshot_log_records: int = 50_000  # small records cost by number, not by size
    snapshot_size_factor: int = 8  # a large state is written only once so many times its size was folded
    snapshot_quiet_seconds: float = 3.0  # nothing to do for so long: a snapshot costs nobody anything
    snapshot_quiet_log_share: float = 0.25  # but a large state waits until this share of its size was folded,
    snapshot_quiet_seconds_max: float = 300.0  # or this time has passed
    snapshot_read_records: int = 16  # read at once from the end backwards when a home is taken over

    archive_executions_max: int = 1_000  # ended ones archived in one turn; more wait in home's state
    archive_page_bytes_max: int = 900_000  # below Kafka's default record limit of 1 MiB

    exports_early_max: int = 8  # runs exported while they go on: three part buffers each
    exports_writing_max: int = 8  # runs all of whose children are answered
    exports_waiting_max: int = 16  # beside those: exports of a store that is away or slow, which hold up no others
    export_slow_seconds: float = 5.0  # a call to the store that takes longer makes its export such a one
    export_inbox_bytes_max: int = 16 << 20  # frames of one run waiting for its export; what is over is read again
    export_read_records: int = 32  # read again from home at once
    export_pauses_seconds: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # between tries while S3 is away
    parts_at_once_max: int = 8  # under way of all exports of a home, beside one for each, if that brings something
    shaped_ahead_max: int = 16  # frames whose records are being made, of one run: they are put in order
    part_bytes: int = 8 << 20  # of a multipart upload; S3 wants at least 5 MiB
    value_bytes_max: int = (10 << 20) - 2_048  # of a record that is sent
    file_bytes_max: int = 5 << 30  # AWS: a new result file starts at 5 GB


def limits_of(payload_bytes_max: int, value_bytes_max: int) -> SchedulerLimits:
    """The limits under these settings: whatever is sent fits a record whose value has `value_bytes_max`."""
    usual = SchedulerLimits()
    return SchedulerLimits(
        value_bytes_max=value_bytes_max,
        task_result_bytes_max=min(max(usual.task_result_bytes_max, payload_bytes_max), value_bytes_max // 2),
        snapshot_chunk_bytes_max=min(usual.snapshot_chunk_bytes_max, value_bytes_max // 2),
        archive_page_bytes_max=min(usual.archive_page_bytes_max, value_bytes_max // 2),
    )
