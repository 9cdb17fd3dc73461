"""A lane's journal: who is under the newest claim counts, what is finished is forgotten, snapshots say the same."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.effects import TaskSucceeded, TimerFired
from schemas.lanes import (
    ChildAdopted,
    ChildAdvanced,
    Claimed,
    JournalRecord,
    LaneAdvanced,
    LaneSnapshot,
    Positions,
    RunOver,
)
from schemas.wire import encode
from services.child_runner.journal import LaneMemory, decode_journal


def folded(records: list[JournalRecord], *, first: int = 0) -> LaneMemory:
    """The memory after these records, the first at offset `first`; each goes over the wire."""
    memory = LaneMemory()
    for offset, record in enumerate(records, first):
        memory.apply(offset, decode_journal(encode(record)))
    return memory


def child(position: int, size: int = 2) -> ChildAdopted:
    """An adopted child of run r."""
    return ChildAdopted("r", 0, position, b"x" * size, 1, position)


def test_late_record_of_an_older_claim_does_not_exist() -> None:
    """What a zombie writes after a newer claim changes neither positions nor finished children."""
    late = LaneAdvanced(0, 99, 99, (Positions("r", 0, (0, 5)),))
    memory = folded([Claimed("a"), LaneAdvanced(0, 3, 1), Claimed("b"), late])
    assert (memory.epoch, memory.items, memory.signals) == (2, 3, 1)
    assert not memory.runs


def test_a_finished_child_has_no_past() -> None:
    """Finished positions drop their past and their adopted input: a successor never runs them again."""
    past = ChildAdvanced("r", 0, 4, 1000, None)
    told = ChildAdvanced("r", 0, 4, 2000, TimerFired("x"))
    before: list[JournalRecord] = [Claimed("a"), LaneAdvanced(0, 1, 0, (), (past, told), (child(4),))]
    memory = folded(list(before))
    assert memory.runs["r", 0].past == {4: [past, told]}
    assert memory.runs["r", 0].adopted[4].input == b"xx"
    memory = folded([*before, LaneAdvanced(0, 2, 0, (Positions("r", 0, (4, 1)),))])
    assert (memory.runs["r", 0].past, memory.runs["r", 0].adopted) == ({}, {})
    assert 4 in memory.runs["r", 0].finished
    assert (memory.bytes, memory.inputs_bytes) == (0, 0)


def test_a_closed_run_leaves_nothing_but_its_name() -> None:
    """RunClosed takes a generation of a run out of the memory; its name stays, so a late RunOpened opens no ghost."""
    done = LaneAdvanced(0, 2, 0, (Positions("r", 0, (0, 9)), Positions("s", 0, (0, 1)), Positions("r", 1, (0, 1))))
    memory = folded([Claimed("a"), done, LaneAdvanced(0, 3, 5, over=(RunOver("r", 0),))])
    assert set(memory.runs) == {("s", 0), ("r", 1)}
    assert set(memory.over) == {("r", 0)}


def test_a_name_of_an_older_release_is_its_first_generation() -> None:
    """Journals that were written before runs had generations name runs alone."""
    memory = folded([Claimed("a"), LaneAdvanced(0, 3, 5, forgotten=("r",))])
    assert set(memory.over) == {("r", 0)}


def test_a_child_adopted_again_is_where_it_was_written_last() -> None:
    """Its input and its place in line stay; only the record in which it stands is another, and nothing counts twice."""
    memory = folded(
        [Claimed("a"), LaneAdvanced(0, 1, 0, (), (), (child(1), child(2))), LaneAdvanced(0, 1, 0, (), (), (child(2),))]
    )
    adopted = memory.runs["r", 0].adopted
    assert [(adopted[p].offset, adopted[p].place) for p in (1, 2)] == [(1, 0), (2, 0)]
    assert memory.inputs_bytes == 4
    assert [position for _, position, _ in memory.before(2)] == [1]


def test_inputs_past_the_bound_stay_in_the_journal() -> None:
    """A reader of a long journal keeps no more of its inputs than it may; where the others stand it knows."""
    memory = LaneMemory(inputs_bytes_max=250)
    memory.apply(0, Claimed("a"))
    memory.apply(1, LaneAdvanced(0, 1, 0, (), (), tuple(child(p, 100) for p in range(5))))
    adopted = memory.runs["r", 0].adopted
    assert [position for position, each in adopted.items() if each.input is not None] == [0, 1]
    assert (memory.inputs_bytes, adopted[4].offset, adopted[4].place, adopted[4].size) == (200, 1, 4, 100)


# ---------------------------------------------------------------------- snapshots

RECORDS: list[JournalRecord] = [
    Claimed("a"),
    LaneAdvanced(
        0, 4, 1, (Positions("r", 0, (0, 3, 8, 2)),), (ChildAdvanced("r", 0, 4, 5, None),), (child(5), child(6))
    ),
    LaneAdvanced(0, 5, 2, (Positions("r", 0, (6, 1)),), (ChildAdvanced("r", 0, 4, 9, TaskSucceeded("t", b"1")),)),
    LaneAdvanced(0, 6, 2, over=(RunOver("q", 0),)),
]


def test_a_snapshot_says_what_was_before_it() -> None:
    """Behind a log it changes nothing; alone it says all but where the adopted children stand."""
    pieces = folded(RECORDS).snapshot(20)
    assert len(pieces) > 2
    assert folded([*RECORDS, *pieces]).said() == folded(RECORDS).said()
    alone = folded([*pieces, LaneAdvanced(0, 6, 2, (), (), (child(5),))], first=40)
    told = msgspec.structs.replace
    assert told(pieces[0], epoch=0) == pieces[0]
    assert alone.runs["r", 0].finished == folded(RECORDS).runs["r", 0].finished
    assert alone.runs["r", 0].past == folded(RECORDS).runs["r", 0].past
    assert (alone.epoch, alone.items, alone.signals, set(alone.over)) == (0, 6, 2, {("q", 0)})


def test_half_a_snapshot_says_nothing() -> None:
    """Without its last piece, its first, or under an older claim, a snapshot is passed over."""
    pieces: list[JournalRecord] = list(folded(RECORDS).snapshot(20))
    expected = folded(RECORDS).said()
    assert folded([*RECORDS, *pieces[:-1]]).said() == expected
    assert folded([*RECORDS, *pieces[1:]]).said() == expected
    later: list[JournalRecord] = [*RECORDS, Claimed("b"), LaneAdvanced(4, 9, 9)]
    assert folded([*later, *pieces]).said() == folded(later).said()
    assert folded([*RECORDS, *pieces[:-1], Claimed("b"), *pieces[-1:]]).said()[1:] == expected[1:]


def test_snapshots_know_where_they_begin() -> None:
    """The beginnings of the last two complete ones are what may be deleted up to, and what must be kept."""
    pieces: list[JournalRecord] = list(folded(RECORDS).snapshot(20))
    memory = folded([*RECORDS, *pieces, *pieces, pieces[0]])
    assert memory.snapshots == (len(RECORDS), len(RECORDS) + len(pieces))


positions = st.integers(0, 30)
step = st.one_of(
    st.just("claim"),
    st.just("snapshot"),
    st.just("half"),
    st.tuples(st.just("done"), positions),
    st.tuples(st.just("past"), positions),
    st.tuples(st.just("adopt"), positions),
)


@given(st.lists(step, max_size=60))
def test_a_log_cut_at_a_snapshot_says_the_same(script: list[str | tuple[str, int]]) -> None:
    """Whatever was written: cut where the last but one snapshot begins, with older children adopted again, it holds."""
    records: list[JournalRecord] = [Claimed("a")]
    memory = LaneMemory()
    memory.apply(0, records[0])

    def write(record: JournalRecord) -> None:
        memory.apply(len(records), decode_journal(encode(record)))
        records.append(record)

    for each in script:
        match each:
            case "claim":
                write(Claimed("b"))
            case "half":
                write(LaneSnapshot(memory.epoch, 0, 2, 0, 0, (), (), ()))
            case "snapshot":
                moved = [
                    ChildAdopted(*key, p, a.input or b"", 1, p) for key, p, a in memory.before(memory.snapshots[1])
                ]
                if moved:
                    write(LaneAdvanced(memory.epoch, memory.items, memory.signals, (), (), tuple(moved)))
                for piece in memory.snapshot(300):
                    write(piece)
                assert (
                    folded(records[max(0, memory.snapshots[0]) :], first=max(0, memory.snapshots[0])).said()
                    == memory.said()
                )
            case ("done", int(p)):
                write(LaneAdvanced(memory.epoch, len(records), 0, (Positions("r", 0, (p, 2)),)))
            case ("past", int(p)):
                write(LaneAdvanced(memory.epoch, len(records), 0, (), (ChildAdvanced("r", 0, p, len(records), None),)))
            case ("adopt", int(p)):
                write(LaneAdvanced(memory.epoch, len(records), 0, (), (), (child(p),)))
    assert folded(records).said() == memory.said()


@given(st.lists(st.one_of(st.just("claim"), st.tuples(st.integers(0, 20), st.integers(0, 50))), max_size=30))
def test_only_the_newest_claim_counts(script: list[str | tuple[int, int]]) -> None:
    """Whatever is written in whatever order, the last record under the newest claim before it gives the position."""
    records: list[JournalRecord] = []
    expected, epoch = 0, -1
    for each in script:
        if isinstance(each, str):
            epoch = len(records)
            records.append(Claimed("x"))
        else:
            written_under, items = each
            if written_under == epoch:
                expected = items
            records.append(LaneAdvanced(written_under, items, 0))
    assert folded(records).items == expected
