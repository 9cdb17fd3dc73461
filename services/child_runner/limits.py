"""The named limits of a lane's owner."""

import msgspec

HISTORY_UNBOUNDED = 1 << 62
"""Bytes of a child's history: as many as its events need, for they leave memory page by page."""


class LaneLimits(msgspec.Struct, frozen=True):
    """Bounds of one lane (rule R9)."""

    frame_children_max: int = 500
    frame_bytes_max: int = 1 << 20  # uncompressed histories in one frame: far below the record limit when compressed
    history_page_bytes_max: int = 1 << 20  # of a history, uncompressed, in one record: a longer one has several
    entry_bytes_max: int = 7 << 20  # of what a frame says of one child, and of one event of a history
    turn_children_max: int = 1_000  # started in one turn, then others on the loop get theirs
    linger_seconds: float = 0.02  # outcomes wait this long for company; 4 ms cost Tasks a fifth more CPU
    linger_seconds_max: float = 0.2  # or so long, while the lane's items last for as long again
    journal_linger_seconds: float = 0.05
    outcomes_linger_seconds: float = 0.01  # what children wait for, while so many calls are under way that it gets
    outcomes_company_calls: int = 50  # company; fewer, and it is written at once
    journal_bytes_max: int = 2 << 20  # of one journal record, about: a single fact may be larger
    outcome_bytes_max: int = 4 << 20  # of what a Task answers; above AWS's limit, which the interpreter knows
    journal_facts_max: int = 500  # of children that go on, in one journal record
    heard_max: int = 500  # events heard, or facts acted on, then others on the loop get their turn
    starts_max: int = 500  # Tasks started in one turn, then others on the loop get theirs
    adopt_after_seconds: float = 1.0
    progress_seconds: float = 0.5
    queued_bytes_max: int = 32 << 20  # items read and not started; above it the items feed rests
    spill_bytes_max: int = 8 << 20  # above it inputs that the journal holds too are let go of
    inputs_read_bytes_max: int = 1 << 20  # of inputs read from the journal at once, for one run
    memory_retry_seconds: float = 0.05  # how often a lane looks whether the process has memory for more children
    snapshot_bytes_min: int = 8 << 20  # of journal since the last snapshot
    snapshot_factor: int = 4  # and so many times what is needed of it
    trim_seconds: float = 15.0
    drain_seconds: float = 1.5  # for calls under way, when lanes are given up in good order
    lease_retry_seconds: float = 0.2
    carry_after_seconds: float = 5.0  # an EXPRESS root execution that runs longer is written again behind what follows
    running_bytes_max: int = 1 << 30  # of running children, of all lanes of a process together
    input_bytes_max: int = 262_144  # AWS's payload quota


def limits_of(payload_bytes_max: int, value_bytes_max: int) -> LaneLimits:
    """The limits under these settings: whatever a lane writes fits a record whose value has `value_bytes_max`."""
    usual = LaneLimits(input_bytes_max=payload_bytes_max)
    limits = msgspec.structs.replace(
        usual,
        frame_bytes_max=min(usual.frame_bytes_max, value_bytes_max // 8),
        history_page_bytes_max=min(usual.history_page_bytes_max, value_bytes_max // 8),
        entry_bytes_max=min(usual.entry_bytes_max, value_bytes_max // 10 * 7),
        journal_bytes_max=min(usual.journal_bytes_max, value_bytes_max // 4),
        outcome_bytes_max=min(max(usual.outcome_bytes_max, payload_bytes_max), value_bytes_max // 2),
        inputs_read_bytes_max=min(usual.inputs_read_bytes_max, value_bytes_max // 4),
    )
    # a frame takes outcomes until it is full, the last one whole; the rest is for names, ranges, an error and its cause
    assert limits.frame_bytes_max + limits.entry_bytes_max <= value_bytes_max // 10 * 9, "a frame must fit a record"
    assert limits.journal_bytes_max + limits.outcome_bytes_max <= value_bytes_max, "a journal record must fit a record"
    assert limits.input_bytes_max <= limits.outcome_bytes_max, "a child's input must fit a journal record"
    return limits
