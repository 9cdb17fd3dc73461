"""Sets of child indexes: what is in them, and their bytes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.child_sets import SPAN_MAX, ChildSet

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=8)


@given(RANGES, st.integers(0, 70), st.integers(0, 70), st.booleans())
def test_a_set_is_what_its_ranges_say(ranges: list[tuple[int, int]], first: int, count: int, inside: bool) -> None:
    """Members, their number and the parts of any stretch are those of the ranges, also once it was written and read."""
    model = {index for start, length in ranges for index in range(start, start + length)}
    children = ChildSet.decode(ChildSet(ranges).encode())
    assert (set(children), len(children)) == (model, len(model))
    parts = list(children.parts(first, count, inside=inside))
    found = [index for start, length in parts for index in range(start, start + length)]
    assert found == [index for index in range(first, first + count) if (index in model) == inside]
    assert all(a + n < b for (a, n), (b, _) in pairwise(parts)), "neighbours are one part"
    assert all((index in children) == (index in model) for index in range(75))


def test_a_set_has_a_bound() -> None:
    """Two children far apart would take memory for all between them."""
    with pytest.raises(ValueError, match="more than"):
        ChildSet([(0, 1), (SPAN_MAX, 1)])
