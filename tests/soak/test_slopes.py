"""What is said of measures that stay, that grow, that rise and fall, and that grow ever faster."""

import random
from collections.abc import Callable

import pytest

from tests.soak.slopes import Bound, judge, slope

SAMPLES = 180
STEP_SECONDS = 20.0
FLAT = Bound("flat", 4.0, 0.04)
STEADY = Bound("steady", 4.0)


def measured(value: Callable[[int], float]) -> list[tuple[float, float]]:
    """An hour of samples, each a little off."""
    chance = random.Random(7)
    return [(n * STEP_SECONDS, value(n) + chance.uniform(-1.0, 1.0)) for n in range(SAMPLES)]


@pytest.mark.parametrize(
    ("value", "bound", "well"),
    [
        (lambda _: 100.0, FLAT, True),
        (lambda n: min(100.0, 3.0 * n), FLAT, True),  # it warms up
        (lambda n: 100.0 + (50.0 if n % 30 == 0 else 0.0), FLAT, True),  # single peaks
        (lambda n: 100.0 + n % 15, FLAT, True),  # a saw
        (lambda n: 200.0 - n / 10, FLAT, True),
        (lambda n: 100.0 + n / 12, FLAT, False),
        (lambda n: 100.0 + n // 20, FLAT, False),  # in steps
        (lambda n: 1_000.0 + n / 12, FLAT, True),  # within its share
        (lambda n: 100.0 + n, STEADY, True),
        (lambda n: n * n / 100.0, STEADY, False),
    ],
)
def test_what_grows_is_told_from_what_warms_up_or_varies(
    value: Callable[[int], float], bound: Bound, well: bool
) -> None:
    """Only growth after the warm-up counts, and of what is kept only growth that becomes faster."""
    assert (judge("memory: x", measured(value), bound).wrong == "") is well


def test_a_slope_is_that_of_most_pairs() -> None:
    """Two samples that are far off change nothing."""
    points = [(float(n), 2.0 * n) for n in range(50)]
    points[10], points[40] = (10.0, 900.0), (40.0, -900.0)
    assert slope(points) == pytest.approx(2.0)


def test_too_few_samples_are_no_verdict() -> None:
    """A watch that saw nothing does not say that all is well."""
    assert judge("memory: x", [], FLAT).wrong != ""
