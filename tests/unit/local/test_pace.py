"""When a slice of a loop is used up."""

import pytest

from maprun.runtime.pace import LoopPace


@pytest.mark.parametrize("asked_a_look", [1, 3, 8])
def test_the_clock_is_looked_at_once_in_so_many_questions(asked_a_look: int) -> None:
    """A slice that is over is seen with the look that is due, stays over, and is new after each await."""
    pace = LoopPace(0.0, asked_a_look)
    for _ in range(2):
        pace.begin()
        assert [pace.spent() for _ in range(asked_a_look + 2)] == [False] * (asked_a_look - 1) + [True] * 3


def test_a_long_slice_is_not_spent() -> None:
    """However often it is asked."""
    pace = LoopPace(3_600.0, 2)
    pace.begin()
    assert not any(pace.spent() for _ in range(10))
