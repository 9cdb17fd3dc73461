"""A lane's journal: who is under the newest claim counts, and what is finished is forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.effects import TimerFired
from schemas.lanes import ChildAdopted, ChildAdvanced, Claimed, JournalRecord, LaneAdvanced, Positions
from schemas.wire import encode
from services.child_runner.journal import LaneMemory, decode_journal


def folded(records: list[JournalRecord], *, fence: bool = True) -> LaneMemory:
    """The memory after these records, the first at offset 0; each goes over the wire."""
    memory = LaneMemory(fence=fence)
    for offset, record in enumerate(records):
        memory.apply(offset, decode_journal(encode(record)))
    return memory


def test_late_record_of_an_older_claim_does_not_exist() -> None:
    """What a zombie writes after a newer claim changes neither positions nor finished children."""
    late = LaneAdvanced(0, 99, 99, (Positions("r", 0, (0, 5)),))
    memory = folded([Claimed("a"), LaneAdvanced(0, 3, 1), Claimed("b"), late])
    assert (memory.epoch, memory.items, memory.signals) == (2, 3, 1)
    assert not memory.finished


def test_without_the_fence_the_zombie_is_believed() -> None:
    """The same records with the fence off lose the positions: the fence is what keeps them."""
    late = LaneAdvanced(0, 99, 99)
    assert folded([Claimed("a"), LaneAdvanced(0, 3, 1), Claimed("b"), late], fence=False).items == 99


def test_a_finished_child_has_no_past() -> None:
    """Finished positions drop their past and their adopted input: a successor never runs them again."""
    past = ChildAdvanced("r", 0, 4, 1000, None)
    told = ChildAdvanced("r", 0, 4, 2000, TimerFired("x"))
    adopted = ChildAdopted("r", 0, 4, b"{}", 1, 4)
    before: list[JournalRecord] = [Claimed("a"), LaneAdvanced(0, 1, 0, (), (past, told), (adopted,))]
    memory = folded(list(before))
    assert memory.past == {("r", 0, 4): [past, told]}
    assert memory.adopted == {("r", 0, 4): adopted}
    memory = folded([*before, LaneAdvanced(0, 2, 0, (Positions("r", 0, (4, 1)),))])
    assert (memory.past, memory.adopted) == ({}, {})
    assert 4 in memory.finished["r", 0]


def test_a_closed_run_leaves_nothing_but_its_name() -> None:
    """RunClosed takes everything of the run out of the memory; its name stays, so a late RunOpened opens no ghost."""
    done = LaneAdvanced(0, 2, 0, (Positions("r", 0, (0, 9)), Positions("s", 0, (0, 1))))
    memory = folded([Claimed("a"), done, LaneAdvanced(0, 3, 5, forgotten=("r",))])
    assert set(memory.finished) == {("s", 0)}
    assert "r" in memory.forgotten


@given(st.lists(st.one_of(st.just("claim"), st.tuples(st.integers(0, 20), st.integers(0, 50))), max_size=30))
def test_only_the_newest_claim_counts(script: list[str | tuple[int, int]]) -> None:
    """Whatever is written in whatever order, the last record under the newest claim before it gives the position."""
    records: list[JournalRecord] = []
    expected, epoch = 0, -1
    for step in script:
        if isinstance(step, str):
            epoch = len(records)
            records.append(Claimed("x"))
        else:
            written_under, items = step
            if written_under == epoch:
                expected = items
            records.append(LaneAdvanced(written_under, items, 0))
    assert folded(records).items == expected
