"""Flat ranges name the numbers they were made of."""

from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.intervals import Intervals
from schemas.ranges import pairs, ranges_of, ranges_of_ascending

numbers = st.lists(st.integers(0, 400), unique=True, max_size=200)


@given(numbers)
def test_ascending_numbers_make_as_few_ranges_as_can_be(some: list[int]) -> None:
    """They hold these numbers and no others, whichever of the two functions made them."""
    flat = ranges_of_ascending(sorted(some))
    assert sorted(some) == [n for first, count in pairs(flat) for n in range(first, first + count)]
    assert flat == Intervals(flat).flat() == ranges_of(sorted(some))


@given(numbers)
def test_numbers_in_any_order_keep_it(some: list[int]) -> None:
    """A frame of a redriven run names its children's indexes in the order of its slots."""
    assert some == [n for first, count in pairs(ranges_of(some)) for n in range(first, first + count)]


def test_a_range_ends_where_the_numbers_go_back() -> None:
    """Only numbers that follow each other share a range."""
    assert ranges_of([0, 5, 1, 3]) == (0, 1, 5, 1, 1, 1, 3, 1)
    assert ranges_of([4, 5, 6, 2, 0, 1]) == (4, 3, 2, 1, 0, 2)
    assert ranges_of([]) == ()
