"""The books of those whom Tasks ask to work are not blind."""

import pytest

from tests.chaos.tasks import judged

GOOD = [("token-1", "1"), ("token-2", "2"), ("token-3", "2")]


@pytest.mark.parametrize(
    ("came", "by_token", "said"),
    [
        (GOOD, True, ""),
        ([*GOOD, ("token-3", "2")], True, "1 calls came twice, such as token-3"),
        (GOOD[:1], True, "calls of 1 items never came, such as 2"),
        ([*GOOD, ("token-4", "3")], True, "calls came for items of others: ['3']"),
        (GOOD, False, "1 calls came twice, such as 2"),
        (GOOD[:2], False, ""),
    ],
)
def test_what_came_twice_or_never_is_told(came: list[tuple[str, str]], by_token: bool, said: str) -> None:
    """A token comes once, each item at least once; what is not retried comes once for each item."""
    assert judged("calls", came, {"1", "2"}, by_token=by_token) == ([said] if said else [])
