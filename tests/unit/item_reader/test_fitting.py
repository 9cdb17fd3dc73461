"""Item frames fit a record, names and keys counted."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.lanes import ItemFrame
from schemas.wire import encode
from services.item_reader.handlers import fitting

items = st.lists(
    st.tuples(st.binary(min_size=1, max_size=300), st.text(max_size=200), st.text(max_size=200), st.integers(1, 5)),
    min_size=1,
    max_size=40,
)


@given(items, st.integers(0, 9), st.booleans(), st.booleans())
def test_parts_fit_and_leave_nothing_out(
    some: list[tuple[bytes, str, str, int]], first: int, redriven: bool, batches: bool
) -> None:
    """Every part but a single item's is below the limit; each item keeps its position, key, source and index."""
    frame = ItemFrame(
        "r",
        1,
        first,
        tuple(item for item, _, _, _ in some),
        "s",
        item_first=7,
        keys=tuple(key for _, key, _, _ in some),
        counts=tuple(count for _, _, _, count in some) if batches else (),
        indexes=(90, len(some)) if redriven else (),
        sources=tuple(source for _, _, source, _ in some),
    )
    parts = fitting(frame, 1_000)
    at = first
    for part in parts:
        assert len(encode(part)) <= 1_000 or len(part.items) == 1
        assert part.first == at
        done = at - first
        assert part.item_first == 7 + (sum(frame.counts[:done]) if batches else done)
        assert part.indexes == ((90 + done, len(part.items)) if redriven else ())
        at += len(part.items)
    for name in ("items", "keys", "counts", "sources"):
        assert tuple(one for part in parts for one in getattr(part, name)) == getattr(frame, name)
