"""The model of how a stack grows with cores, held against what was measured on sixteen."""

import pytest

from tests.bench.scale import MEASURED_ON_SIXTEEN, OF_SIXTEEN
from tests.bench.scale_model import Costs, Setup, children_per_second

NOTHING = Costs(1, 1, 1, 1, 1, 1, 1, 1)


@pytest.mark.parametrize(("setup", "measured"), MEASURED_ON_SIXTEEN)
def test_the_model_says_what_was_measured_on_sixteen_cores(setup: Setup, measured: int) -> None:
    """One run on one, four and eight child-runners, and four runs at once: within a sixth."""
    assert children_per_second(OF_SIXTEEN, setup)[0] == pytest.approx(measured, rel=1 / 6)


@pytest.mark.parametrize(
    ("costs", "setup", "bound"),
    [
        (NOTHING, Setup(cores=2, runners=4, shapers=4), "all cores"),
        (Costs(9, 1, 1, 1, 1, 1, 1, 1), Setup(cores=99, runners=1), "child-runners"),
        (Costs(1, 1, 9, 1, 1, 1, 1, 1), Setup(cores=99, runners=4), "the home's loop"),
        (Costs(1, 1, 1, 1, 1, 1, 1, 1, upload=9), Setup(cores=99, runners=4), "the home's loop"),
        (Costs(1, 1, 9, 1, 1, 1, 1, 1), Setup(cores=99, runners=4, shapers=1), "shapers"),
        (Costs(1, 1, 1, 1, 9, 1, 1, 1), Setup(cores=99, runners=4), "item-readers"),
        (Costs(1, 1, 1, 1, 1, 9, 1, 1), Setup(cores=99, runners=4), "trackers"),
    ],
)
def test_the_dearest_process_bounds_the_rest(costs: Costs, setup: Setup, bound: str) -> None:
    """Whoever has most to do for a child, for its number, says how many there are a second."""
    assert children_per_second(costs, setup)[1] == bound


def test_runs_that_share_a_scheduler_wait_for_each_other() -> None:
    """Four runs on one scheduler are no faster than one, on four by chance less than four times as fast."""
    alone = children_per_second(NOTHING, Setup(cores=999, runners=99))[0]
    together = children_per_second(NOTHING, Setup(cores=999, runners=99, runs=4, readers=4, trackers=4))[0]
    spread = children_per_second(NOTHING, Setup(cores=999, runners=99, runs=4, schedulers=4, readers=4, trackers=4))[0]
    assert together == alone < spread < 4 * alone
