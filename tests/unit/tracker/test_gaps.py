"""What a record means that isn't the next one, and when a recovery is given up."""

from services.maprun_tracker.gaps import (
    GAP_SECONDS_MAX,
    RECOVERY_STILL_SECONDS_MAX,
    SEEK_AGAIN_SECONDS,
    Came,
    Gap,
    Recovery,
)


def test_a_gap_is_sought_again_until_it_closes() -> None:
    """A seek that Faust lost is made again each second; once the records come, the gap is forgotten."""
    gap = Gap()
    assert gap.judge(9, 10, 0.0) is Came.FOLLOWS
    assert gap.judge(9, 20, 1.0) is Came.SEEK
    assert gap.judge(9, 21, 1.1) is Came.WAIT
    assert gap.judge(9, 22, 1.2 + SEEK_AGAIN_SECONDS) is Came.SEEK
    assert gap.judge(9, 23, 1.3 + SEEK_AGAIN_SECONDS) is Came.WAIT
    assert gap.judge(9, 10, 3.0) is Came.FOLLOWS
    assert gap.judge(10, 30, 1.0 + GAP_SECONDS_MAX + 1) is Came.SEEK


def test_a_gap_that_stays_is_a_loss() -> None:
    """What no seek brings back is not there; but of a table just begun, what retention took is no loss."""
    gap = Gap()
    assert gap.judge(9, 20, 0.0) is Came.SEEK
    assert gap.judge(9, 20, GAP_SECONDS_MAX + 0.1) is Came.LOST
    fresh = Gap()
    assert fresh.judge(-1, 20, 0.0) is Came.SEEK
    assert fresh.judge(-1, 20, 0.1) is Came.FIRST


def test_a_recovery_that_reads_nothing_is_given_up() -> None:
    """Only the same number of rows to go for too long is a standstill: neither slowness nor the end is one."""
    recovery = Recovery(0.0)
    late = RECOVERY_STILL_SECONDS_MAX + 1
    assert not recovery.still(0, late)
    assert not recovery.still(100, 2 * late)
    assert not recovery.still(99, 3 * late)
    assert not recovery.still(99, 3 * late + 5)
    assert recovery.still(99, 4 * late)
    assert not recovery.still(0, 5 * late)
