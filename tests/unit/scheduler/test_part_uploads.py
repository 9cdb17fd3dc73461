"""How many parts of result files are under way at once: as many as bring something."""

import math
from collections.abc import Callable

import pytest

from services.scheduler.part_uploads import TIMES_KEPT, PartBudget

MOST = 8


def filled(budget: PartBudget) -> int:
    """How many may be under way beside one for each export."""
    taken = 0
    while budget.has_room:
        budget.take()
        taken += 1
    for _ in range(taken):
        budget.give_back()
    return taken


def played(budget: PartBudget, seconds: Callable[[int], float], parts: int = 3 * TIMES_KEPT) -> list[int]:
    """How many were allowed after each part; `seconds` is what one takes while so many are under way."""
    allowed = []
    for _ in range(parts):
        budget.took(seconds(1 + filled(budget)))
        allowed.append(filled(budget))
    return allowed


def test_a_store_far_away_takes_as_many_as_there_may_be() -> None:
    """A part takes as long as one alone, however many there are."""
    assert played(PartBudget(MOST), lambda _: 0.3)[MOST:] == [MOST] * (3 * TIMES_KEPT - MOST)


def test_a_store_on_the_same_cores_gets_no_more_than_it_takes() -> None:
    """Each part takes the longer the more there are: one is allowed beside each export's own, now and then a second."""
    allowed = played(PartBudget(MOST), lambda under_way: 0.06 * under_way)
    assert max(allowed) <= 3
    assert allowed.count(1) > len(allowed) // 2


def test_a_store_of_some_cores_gets_as_many() -> None:
    """Up to four parts are as quick as one; those beyond wait for each other."""
    allowed = played(PartBudget(MOST), lambda under_way: 0.1 * max(1.0, under_way / 4))
    assert set(allowed[MOST:]) <= {3, 4, 5, 6, 7}


def test_a_store_that_became_slower_is_not_held_against_its_better_days() -> None:
    """The quickest part is one of late: after a while the new time is the usual one."""
    budget = PartBudget(MOST)
    played(budget, lambda _: 0.1)
    assert filled(budget) == MOST
    allowed = played(budget, lambda _: 1.0)
    assert min(allowed) == 1
    assert allowed[-1] == MOST


@pytest.mark.parametrize("most", [0, 1])
def test_no_more_than_there_may_be(most: int) -> None:
    """A bound of nothing or one stays one."""
    budget = PartBudget(most)
    for seconds in (1.0, 0.1, 10.0, math.inf):
        budget.took(seconds)
        assert filled(budget) == most
