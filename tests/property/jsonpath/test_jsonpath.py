"""maprun's paths are those of JsonPath 2.0.0, which AWS uses: a small share of what `make paths` compares."""

from itertools import islice
from typing import Any

import pytest

from tests.property.jsonpath.comparison import DIFFERENCES, agree, compare
from tests.property.jsonpath.pairs import Maker

PAIRS, SEED = 4_000, 20_261_128


def test_generated_paths_mean_what_they_mean_to_aws() -> None:
    """Values, what is refused, what fails and in which words: pair by pair the same, but for the listed differences."""
    tally = compare(PAIRS, SEED)
    assert tally.disagreements == []
    assert tally.pairs == PAIRS
    assert min(tally.kinds[kind] for kind in ("value", "refused", "failed")) > PAIRS / 10
    assert set(tally.meant) <= {difference.name for difference in DIFFERENCES}


def test_a_seed_gives_the_same_pairs_for_ever() -> None:
    """A disagreement can be met again by its seed."""
    first, second = (list(islice(Maker(7).pairs(), 300)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"kind": "value", "value": 1}, {"kind": "value", "value": 1.0}),
        ({"kind": "value", "value": [True]}, {"kind": "value", "value": [1]}),
        ({"kind": "value", "value": None}, {"kind": "refused"}),
        (
            {"kind": "failed", "error": "PathNotFoundException", "words": "No results for path: $['a']"},
            {"kind": "failed", "error": "PathNotFoundException", "words": "No results for path: $['b']"},
        ),
    ],
)
def test_a_difference_is_seen(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Kinds of numbers, null and nothing, and words are told apart."""
    assert not agree(mine, theirs)
