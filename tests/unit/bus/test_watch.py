"""What a living process makes of topics that change under it."""

import pytest

from maprun.bus.cluster import Known
from maprun.bus.topics import Standing
from maprun.bus.watch import Judgement, judge
from tests.unit.bus.standing import MARK, SETTINGS, other, standing

KNOWN = Known(MARK, "c/0", standing())
SERVICE = "item-reader"
READS = frozenset({"Describe", "Read"})
HIDDEN = Standing("", 0, frozenset())


def test_as_they_were_nothing_is_said() -> None:
    """Nor is it when users add partitions to their own topic."""
    assert judge(SETTINGS, KNOWN, standing(), [], SERVICE) == Judgement()
    more = standing(execution_requests=other("execution-requests", partitions=6))
    assert judge(SETTINGS, KNOWN, more, [], SERVICE) == Judgement()


@pytest.mark.parametrize(
    ("found", "lately", "field", "said"),
    [
        (standing(items=other("items", id="x")), [], "ends", "p.items was deleted and made anew"),
        (standing(items=None), [], "ends", "p.items is gone"),
        (standing(items=None), ["p.items"], "", ""),
        (standing(items=HIDDEN), [], "trouble", "does not allow this client: Describe on p.items"),
        (standing(home=other("home", allowed=READS)), [], "trouble", "Write on p.home. Give"),
        (standing(machines=other("machines", allowed=READS)), [], "", ""),
        (standing(items=other("items", partitions=6)), [], "ends", "p.items has 6 partitions and was made with 5"),
        (standing(rejected_requests=other("rejected-requests", id="x")), [], "again", "p.rejected-requests"),
        (standing(rejected_requests=None), [], "trouble", "gone, and made again by"),
        (standing(home=other("home", leaderless=(1, 2))), [], "trouble", "no broker leads p.home/1, p.home/2"),
        (standing(home=other("home", leaderless=tuple(range(9)))), [], "trouble", "p.home/4 and 4 more"),
    ],
)
def test_changes_end_a_process_or_are_told(
    found: dict[str, Standing], lately: list[str], field: str, said: str
) -> None:
    """Lost records end it for good, what can be replaced lets it begin again or wait; one missed look says nothing."""
    judged = judge(SETTINGS, KNOWN, found, lately, SERVICE)
    assert {name for name in ("ends", "again", "trouble") if getattr(judged, name)} == ({field} if field else set())
    assert said in (getattr(judged, field) if field else "")
