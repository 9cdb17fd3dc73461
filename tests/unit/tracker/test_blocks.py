"""Index blocks: what is put in is what comes out, whatever comes twice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.maprun_tracker import rows
from services.maprun_tracker.blocks import LOST, REDRIVEN, SHOWN, Block, Wanted, decode_block, marked, row_may_hold
from services.maprun_tracker.limits import BLOCK_POSITIONS

CODEC = rows.Codec()
PUTS = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.lists(st.integers(1, 6), min_size=1, max_size=40),
        st.booleans(),
        st.integers(0, 30),
    ),
    max_size=20,
)


Puts = list[tuple[int, list[int], bool, int]]


def model_of(puts: Puts) -> dict[int, tuple[int, int, int]]:
    """Place → (status, offset, items): the last answer wins."""
    model: dict[int, tuple[int, int, int]] = {}
    for first, statuses, batched, offset in puts:
        for i, status in enumerate(statuses):
            model[first + i] = (status, offset, i + 2 if batched else 1)
    return model


def filled(puts: Puts) -> Block:
    """A block with these answers; the children that frames at odd offsets answered had been redriven."""
    block = Block()
    for first, statuses, batched, offset in puts:
        items = tuple(i + 2 for i in range(len(statuses))) if batched else ()
        marks = bytes(status | REDRIVEN * (offset % 2) for status in statuses)
        block.put(first, marks, items, offset)
    return block


def answers(block: Block) -> dict[int, tuple[int, int, int]]:
    """Place → (status, offset, items)."""
    places = [place for place in range(BLOCK_POSITIONS) if block.status(place)]
    return {place: (block.status(place), block.offset(place), block.items(place)) for place in places}


def rowed(block: Block) -> bytes:
    """The row of a block."""
    return rows.wrap(7, 9, block.encode(CODEC))


@settings(deadline=None)
@given(puts=PUTS)
def test_a_block_is_what_was_put_in(puts: Puts) -> None:
    """The last answer of each place stands, before and after the block was a row, and so do the counts."""
    model = model_of(puts)
    block = filled(puts)
    again = decode_block(rowed(block), CODEC)
    for each in (block, again):
        assert answers(each) == model
        assert [each.redriven(place) for place in model] == [offset % 2 == 1 for _, offset, _ in model.values()]
        plain, redriven = each.counts()[:REDRIVEN], each.counts()[REDRIVEN:]
        total = [a + b for a, b in zip(plain, redriven, strict=True)]
        assert total[1:7] == [sum(s == status for s, _, _ in model.values()) for status in range(1, 7)]
        assert sum(redriven) == sum(offset % 2 for _, offset, _ in model.values())
    assert again.encode(CODEC) == block.encode(CODEC)


@settings(deadline=None)
@given(puts=PUTS, cut=st.integers(0, 20))
def test_the_same_answers_told_again_end_as_they_were(puts: Puts, cut: int) -> None:
    """A replay of all answers, also into a block that has later ones already, ends with the same bytes."""
    ascending = sorted(puts, key=lambda put: put[3])
    once = filled(ascending)
    assert filled(ascending + ascending).encode(CODEC) == once.encode(CODEC)
    ahead = decode_block(rowed(once), CODEC)
    for first, statuses, batched, offset in ascending[cut:]:
        items = tuple(i + 2 for i in range(len(statuses))) if batched else ()
        ahead.put(first, bytes(status | REDRIVEN * (offset % 2) for status in statuses), items, offset)
    assert ahead.encode(CODEC) == once.encode(CODEC)


@settings(deadline=None)
@given(
    puts=PUTS,
    statuses=st.sampled_from([SHOWN, LOST, (1,), (2,), (4,)]),
    redriven=st.sampled_from([None, True, False]),
    since=st.integers(0, 30),
    earlier=st.sampled_from([None, True, False]),
    below=st.integers(0, 400),
)
def test_what_is_looked_for_is_found_newest_first(
    puts: Puts, statuses: tuple[int, ...], redriven: bool | None, since: int, earlier: bool | None, below: int
) -> None:
    """Exactly the answers wanted are found, the last first; a row that holds one never says that it doesn't."""
    block, wanted = filled(puts), Wanted(statuses, redriven, since, earlier)
    model = {
        place
        for place, (status, offset, _) in model_of(puts).items()
        if status in statuses
        and (redriven is None or redriven == (offset % 2 == 1))
        and (earlier is None or earlier == (offset < since))
    }
    assert list(block.newest(below, wanted)) == sorted((p for p in model if p < below), reverse=True)
    assert row_may_hold(rowed(block), wanted) or not model


@settings(deadline=None)
@given(puts=PUTS, first=st.integers(0, 300), count=st.integers(1, 300), since=st.integers(0, 30))
def test_places_are_open_until_the_present_generation_answers(puts: Puts, first: int, count: int, since: int) -> None:
    """Open are the places without an answer, or with one of an earlier generation."""
    model = model_of(puts)
    open_ones = [p for p in range(first, first + count) if p not in model or model[p][1] < since]
    assert filled(puts).open_places(first, count, since) == len(open_ones)


def test_a_block_outlives_any_number_of_generations() -> None:
    """Each child answered by a frame of its own, in a hundred generations: frames nobody refers to are dropped."""
    block = Block()
    for generation in range(100):
        for place in range(0, BLOCK_POSITIONS, 16):
            block.put(place, bytes(16), (), generation * 1_000 + place // 16)
            block.put(
                place, marked(bytes([2] * 16), frozenset({place + 3}), place), (), generation * 1_000 + place // 16
            )
    again = decode_block(rowed(block), CODEC)
    assert len(rowed(again)) < 8_192
    assert {offset for _, offset, _ in answers(again).values()} == set(range(99_000, 99_512))
    assert [place for place in range(32) if again.redriven(place)] == [3, 19]
