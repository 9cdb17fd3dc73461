"""What the benches count with: a wrong count would show the engine better, or worse, than it is."""

import pytest

from tests.bench import overlap, svg
from tests.bench.callees import Change
from tests.bench.large import speeds
from tests.bench.live_update import seen
from tests.bench.sampling import Sample

SECOND = 1_000_000_000


def test_an_end_counts_before_a_beginning_of_the_same_time() -> None:
    """Two intervals that only touch never overlap; with a common moment inside they do."""
    assert overlap.of_intervals([(0, 10), (10, 20)]).most == 1
    assert overlap.of_intervals([(0, 11), (10, 20)]).most == 2


def test_the_time_at_the_maximum_is_that_of_all_its_stretches() -> None:
    """Twice two at once, for 2 and for 3: 5 at the maximum, which was first reached at 4."""
    assert overlap.of_intervals([(0, 20), (4, 6), (10, 13)]) == overlap.Overlap(2, 5, 4)


@pytest.mark.parametrize(("intervals", "most"), [([], 0), ([(5, 5)], 0), ([(1, 2)], 1), ([(1, 9), (2, 8), (3, 4)], 3)])
def test_the_most_at_once(intervals: list[tuple[int, int]], most: int) -> None:
    """Nothing and the empty interval are none at once."""
    assert overlap.of_intervals(intervals).most == most


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.99, 0.0), ([3.0], 0.5, 3.0), ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0), (list(range(1, 101)), 0.99, 99)],
)
def test_a_percentile_is_a_value_that_was_there(values: list[float], share: float, expected: float) -> None:
    """The smallest value that the share doesn't exceed."""
    assert overlap.percentile(values, share) == expected


def test_a_speed_is_what_was_done_since_the_sample_before() -> None:
    """The first sample is compared with the beginning."""
    samples = [Sample(2.0, 100, {}, {}), Sample(3.0, 150, {}, {})]
    assert speeds(samples) == [(2.0, 50.0), (3.0, 50.0)]


def _calls(*changes: tuple[float, int]) -> list[Change]:
    return [Change(round(at * SECOND), delta, 0) for at, delta in changes]


def test_a_change_upwards_is_seen_when_as_many_are_in_flight() -> None:
    """From one to two: the second call comes 0.4 s after the answer."""
    found = seen(_calls((0.5, 1), (1.4, 1), (3.0, -1), (3.1, 1)), 1, 2, SECOND, 0, 5 * SECOND)
    assert (found.seen_ms, found.excess, found.most, found.in_time) == (400.0, 0, 2, True)


def test_a_change_downwards_that_comes_late_is_not_in_time() -> None:
    """From two to one: two are still begun after a second, so one call is too many, and it is seen too late."""
    late = _calls((0.5, 1), (0.6, 1), (2.5, -1), (2.6, 1), (4.5, -1), (4.6, -1), (4.7, 1))
    found = seen(late, 2, 1, SECOND, 0, 5 * SECOND)
    assert (found.seen_ms, found.excess, found.in_time) == (1500.0, 1, False)


def test_a_chart_scales_to_its_highest_point() -> None:
    """The highest of all lines lies at the top of the panel, and every line is named."""
    drawn = svg.charts([("speed", {"one": [(0, 0), (10, 50)], "two": [(0, 100)]})], "seconds")
    assert ">one<" in drawn
    assert ">two<" in drawn
    assert 'points="70.0,260.0 730.0,145.0"' in drawn
