"""Index blocks: what is put in is what comes out, whatever comes twice."""

from hypothesis import given
from hypothesis import strategies as st

from services.maprun_tracker import rows
from services.maprun_tracker.blocks import Block, counts_of_row, decode_block
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


def model_of(puts: list[tuple[int, list[int], bool, int]]) -> dict[int, tuple[int, int, int]]:
    """Place → (status, offset, items): the earliest offset wins, of equal ones the first."""
    model: dict[int, tuple[int, int, int]] = {}
    for first, statuses, batched, offset in puts:
        for i, status in enumerate(statuses):
            had = model.get(first + i)
            if had is None or offset < had[1]:
                model[first + i] = (status, offset, i + 2 if batched else 1)
    return model


def filled(puts: list[tuple[int, list[int], bool, int]]) -> Block:
    """A block with these answers."""
    block = Block()
    for first, statuses, batched, offset in puts:
        items = tuple(i + 2 for i in range(len(statuses))) if batched else ()
        block.put(first, bytes(statuses), items, offset)
    return block


@given(puts=PUTS)
def test_a_block_is_what_was_put_in(puts: list[tuple[int, list[int], bool, int]]) -> None:
    """The earliest answer of each place stands, before and after the block was a row."""
    model = model_of(puts)
    block = filled(puts)
    row = rows.wrap(7, 9, block.encode(CODEC))
    again = decode_block(row, CODEC)
    for each in (block, again):
        shown = {
            place: (each.status(place), each.offset(place), each.items(place))
            for place in range(BLOCK_POSITIONS)
            if each.status(place)
        }
        assert shown == model
        assert each.counts()[1:] == [sum(s == status for s, _, _ in model.values()) for status in range(1, 7)]
    assert list(counts_of_row(row)) == block.counts()
    assert again.encode(CODEC) == block.encode(CODEC)


@given(puts=PUTS)
def test_the_same_answers_again_change_nothing(puts: list[tuple[int, list[int], bool, int]]) -> None:
    """All answers put in twice make the bytes that they make once."""
    assert filled(puts + puts).encode(CODEC) == filled(puts).encode(CODEC)


@given(puts=PUTS, status=st.sampled_from([0, 1, 2, 3, 4]))
def test_the_newest_of_a_status_is_found_step_by_step(
    puts: list[tuple[int, list[int], bool, int]], status: int
) -> None:
    """Stepping down from the end meets exactly the places of a status (0: of all that ran)."""
    block, found, place = filled(puts), [], BLOCK_POSITIONS
    while (place := block.newest(place, status)) >= 0:
        found.append(place)
    wanted = {status} if status else {1, 2, 3, 4}
    assert found == sorted((p for p, (s, _, _) in model_of(puts).items() if s in wanted), reverse=True)
