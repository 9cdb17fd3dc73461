"""The mark: which topics are known as ours wherever a maker was killed, and what is said of all others."""

import itertools

import msgspec
import pytest

from maprun.bus.mark import Mark, fold_mark, limits_of, require, unlike
from maprun.bus.topics import Standing, TopicsDifferError
from schemas.cluster import ClusterBegan, ClusterRecord, LimitsSet, ProcessStarted, TopicsIntended, TopicsNamed
from tests.unit.bus.standing import ALL, MARK, SETTINGS, other, standing


def folded(*records: ClusterRecord) -> Mark | None:
    """The mark after records at offsets 0, 1, 2 …."""
    return fold_mark(enumerate(records))


def test_nothing_written_is_no_mark() -> None:
    """Neither an empty topic nor one with names of processes marks anything."""
    assert folded() is None
    assert folded(ProcessStarted("s", "i", "h", 1, 2), TopicsNamed(0, {"items": "x"})) is None


def test_of_two_beginnings_at_once_the_first_counts() -> None:
    """What the maker of the second wrote under its own beginning is void; what it writes under the first is not."""
    began, other_began = ClusterBegan(-1, 4, 8), ClusterBegan(-1, 4, 9)
    mark = folded(began, other_began, TopicsNamed(1, {"items": "lost"}), TopicsNamed(0, {"home": "kept"}))
    assert mark == Mark(0, 4, 8, frozenset(), {"home": "kept"})


def test_begun_anew_nothing_of_before_is_known() -> None:
    """The names of the beginning before go, and a late maker of it adds none; of two such beginnings one counts."""
    records = (ClusterBegan(-1, 4, 8), TopicsNamed(0, {"home": "old"}), ClusterBegan(0, 2, 3), ClusterBegan(0, 9, 9))
    assert folded(*records, TopicsNamed(0, {"items": "late"})) == Mark(2, 2, 3)
    assert folded(*records, TopicsIntended(2, ("home",)), TopicsNamed(2, {"home": "new"})) == Mark(
        2, 2, 3, frozenset({"home"}), {"home": "new"}
    )


def test_makers_that_say_the_same_twice_change_nothing() -> None:
    """Whatever two makers interleave, the mark is the union of what they say."""
    ones: list[ClusterRecord] = [TopicsIntended(0, ("a",)), TopicsNamed(0, {"a": "1"}), TopicsNamed(0, {"b": "2"})]
    marks = [
        folded(ClusterBegan(-1, 1, 1), *[ones[i % 3] for i in order]) for order in itertools.permutations(range(6))
    ]
    assert {str(mark and sorted(mark.topics.items())) for mark in marks} == {"[('a', '1'), ('b', '2')]"}


def test_topics_as_they_were_made_are_ours() -> None:
    """Every topic by its id: nothing is said. More partitions of the users' own topic are theirs to have."""
    assert require(SETTINGS, MARK, standing()) == MARK
    assert require(SETTINGS, MARK, standing(execution_requests=other("execution-requests", partitions=60))) == MARK


@pytest.mark.parametrize(
    ("mark", "found", "said"),
    [
        (None, {}, "there is no maprun under the prefix 'p.': run `maprun topics apply`"),
        (None, {"p.items": Standing("x", 8, ALL)}, "topic p.items is there already, and nothing says that maprun made"),
        (None, standing(cluster=None), r"the topics p.execution-requests, .* are there already.*MAPRUN_PREFIX"),
        (MARK, standing(items=other("items", id="x")), r"topic p.items was deleted and made anew.*--begin-anew"),
        (MARK, standing(items=None), r"topic p.items is gone, and the records with it.*--begin-anew"),
        (MARK, standing(items=None, home=None), r"topics p.home, p.items are gone, and the records with them"),
        (
            MARK,
            standing(rejected_requests=other("rejected-requests", id="x")),
            r"topic p.rejected-requests is there already.*left alone.*--adopt",
        ),
        (
            MARK,
            standing(rejected_requests=None),
            r"topic p.rejected-requests is not there: run `maprun topics apply`$",
        ),
        (MARK, standing(items=other("items", partitions=12)), r"p.items has 12 partitions and was made with 5"),
        (MARK, standing(home=other("home", partitions=4)), r"p.home has 4 partitions and was made with 3"),
        (Mark(0, 2, 5, frozenset(), MARK.topics), standing(), r"MAPRUN_HOMES is 3, .* made with 2, for good"),
        (Mark(0, 3, 8, frozenset(), MARK.topics), standing(), r"MAPRUN_LANES is 5, .* made with 8, for good"),
        (Mark(0, 3, 5), standing(), r"are there already"),
    ],
)
def test_what_is_not_ours_or_not_what_we_knew_is_said(mark: Mark | None, found: dict[str, Standing], said: str) -> None:
    """One sentence for each kind: whose topics, what happened to them, what to do."""
    with pytest.raises(TopicsDifferError, match=said) as raised:
        require(SETTINGS, mark, found)
    assert "\n" not in str(raised.value)


def test_the_limits_that_were_set_last_hold_for_all() -> None:
    """Those of the present beginning count; a process with others is told which variable it is, and both ways out."""
    set_twice = (ClusterBegan(-1, 3, 5), LimitsSet(0, 1, 2, 3.0), LimitsSet(7, 9, 9, 9.0), LimitsSet(0, 4, 5, 6.0))
    mark = folded(*set_twice)
    assert mark is not None
    assert mark.limits == LimitsSet(0, 4, 5, 6.0)
    assert unlike(SETTINGS, MARK) == ""
    alike = msgspec.structs.replace(MARK, limits=limits_of(SETTINGS, MARK.began))
    assert require(SETTINGS, alike, standing()) == alike
    other_days = msgspec.structs.replace(SETTINGS, retention_days=0.5)
    with pytest.raises(
        TopicsDifferError, match=r"MAPRUN_RETENTION_DAYS is 0\.5 here, and 90\.0 for all.*maprun topics apply"
    ):
        require(other_days, alike, standing())
    larger = msgspec.structs.replace(SETTINGS, payload_bytes_max=1 << 20)
    with pytest.raises(TopicsDifferError, match="MAPRUN_PAYLOAD_BYTES_MAX"):
        require(larger, alike, standing())
    bounded = msgspec.structs.replace(SETTINGS, open_executions_max=5)
    with pytest.raises(TopicsDifferError, match="MAPRUN_OPEN_EXECUTIONS_MAX is 5 here, and 0 for all"):
        require(bounded, alike, standing())
    fewer = msgspec.structs.replace(SETTINGS, open_map_runs_max=5)
    with pytest.raises(TopicsDifferError, match="MAPRUN_OPEN_MAP_RUNS_MAX is 5 here"):
        require(fewer, alike, standing())
