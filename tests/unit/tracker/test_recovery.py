"""The rows of a home, read from its changelog."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maprun.bus.port import Record
from services.maprun_tracker.recovery import OFFSETS_AT_ONCE, Change, changes_of
from services.maprun_tracker.topology import CHANGELOG
from services.maprun_tracker.tracker import Table


class Log:
    """A compacted partition: some offsets hold nothing any more."""

    def __init__(self, written: dict[int, Change], end: int) -> None:
        self.written = written
        self.end = end

    async def start_offset(self, topic: str, _partition: int) -> int:
        """The first that is kept."""
        assert topic == CHANGELOG
        return min(self.written, default=self.end)

    async def end_offset(self, _topic: str, _partition: int) -> int:
        """Behind the last."""
        return self.end

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """What is there."""
        offsets = [offset for offset in sorted(self.written) if first <= offset < end]
        return [Record(topic, partition, offset, 0, *self.written[offset]) for offset in offsets]


KEYS = [b"\0\1a", b"\0\1b", b"\0\1c"]
changes = st.tuples(st.sampled_from(KEYS), st.none() | st.binary(max_size=3))


def read(log: Log) -> tuple[list[Change], list[int]]:
    """All changes, and what was to go after each read."""

    async def all_of() -> tuple[list[Change], list[int]]:
        found: list[Change] = []
        to_go: list[int] = []
        async for some, left in changes_of(log, 1):  # type: ignore[arg-type]
            found += some
            to_go.append(left)
        return found, to_go

    return asyncio.run(all_of())


@given(st.dictionaries(st.integers(0, 3 * OFFSETS_AT_ONCE), changes, max_size=30), st.integers(1, OFFSETS_AT_ONCE))
def test_every_change_is_read_once_in_order(written: dict[int, Change], behind: int) -> None:
    """Whatever compaction has left out, what is kept comes in the order of its offsets, and the end is reached."""
    end = max(written, default=0) + behind
    found, to_go = read(Log(written, end))
    assert found == [written[offset] for offset in sorted(written)]
    assert to_go == sorted(to_go, reverse=True)
    assert not to_go or to_go[-1] == 0


def test_what_memory_had_of_a_home_is_not_believed() -> None:
    """Another process may have written and deleted rows meanwhile: the changelog alone counts, for this home alone."""
    own, other = b"\0\1", b"\0\2"
    rows = {own + b"stale": b"1", own + b"kept": b"old", other + b"x": b"2"}
    faust_table: Any = type("T", (), {"data": type("D", (), {"data": rows})()})()
    table = Table(None, faust_table)
    table.forget(1)
    assert rows == {other + b"x": b"2"}
    table.recovered([(own + b"kept", b"new"), (own + b"gone", b"3"), (own + b"gone", None)], 0)
    assert rows == {own + b"kept": b"new", other + b"x": b"2"}
