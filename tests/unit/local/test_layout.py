"""What the local stack makes of the machine that it runs on."""

import pytest

from maprun.local.layout import child_runners_fitting


@pytest.mark.parametrize(
    ("cores", "lanes", "runners"),
    [(1, 8, 1), (2, 8, 2), (16, 8, 8), (4, 1, 1), (512, 4096, 64)],
)
def test_there_are_as_many_child_runners_as_can_work(cores: int, lanes: int, runners: int) -> None:
    """One a core; more than lanes would stand idle."""
    assert child_runners_fitting(cores, lanes) == runners
