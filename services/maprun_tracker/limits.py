"""The named limits of the tracker, with their units (rule R9)."""

import msgspec

BLOCK_POSITIONS = 8_192
"""Children in one index block. Measured: one row a block keeps ten million children in about 1,200 rows, and a block
touched by scattered frames costs one row a flush, so larger blocks mean fewer rows and more bytes for each."""


class TrackerLimits(msgspec.Struct, frozen=True):
    """Bounds of one tracker process."""

    gone_rows_max: int = 5_000  # of archived executions deleted behind one mark
    archive_executions_max: int = 200  # in one round of archiving
    archive_page_bytes_max: int = 900_000  # below Kafka's default record limit of 1 MiB
    list_frames_max: int = 256  # of home read for one page of a list
    list_blocks_max: int = 64  # opened for one page of a list; what is then found makes the page, however short
    errors_children_max: int = 2_000  # counted in one part of the errors of a Map Run, or looked at for one page
    blocks_decoded_max: int = 256  # in memory for each partition, about 40 KB each
    history_page_bytes_max: int = 65_536  # of a root execution's events in one row, before compression
    flush_records_max: int = 64  # records folded before rows are written
    flush_seconds_max: float = 0.25  # and the time after which they are written anyway
    snapshot_small_bytes: int = 32_768  # a fold's snapshot up to this size goes with every flush
    snapshot_ratio: int = 4  # a larger one only after so many times its size was folded,
    snapshot_seconds_max: float = 5.0  # or after this time
    chunk_bytes_max: int = 524_288  # of a snapshot in one row
    frames_cached_bytes_max: int = 32 << 20  # frames of home kept for history look-ups
    frame_reads_at_once_max: int = 8
    applied_wait_seconds_max: float = 5.0  # before "does not exist" is believed
    answer_wait_seconds_max: float = 15.0  # for the fold's word on a command
    express_wait_seconds_max: float = 330.0  # for the end of an EXPRESS execution; AWS gives it five minutes
    express_waiting_max: int = 20_000  # callers that wait for one at once
    express_frame_bytes_max: int = 1 << 20  # of starts in one record
    poll_seconds: float = 60.0  # AWS: so long GetActivityTask waits for an attempt
    take_wait_seconds_max: float = 5.0  # for the word of an attempt's home or lane, before it is asked for again
    shown_wait_seconds_max: float = 3.0  # for a lane to show what has happened to a child that runs
    hold_seconds_max: float = 5.0  # for a recovery, or another owner, before "not now" is said
    held_requests_max: int = 1_000  # so at once; above it "not now" is said at once
    page_default: int = 100  # AWS: rows in one page when maxResults is 0 or absent
    history_bytes_max: int = 8 << 20  # of events in one answer; AWS cuts pages by size as well
