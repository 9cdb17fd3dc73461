"""Many objects as one source: order, checkpoints, how far ahead objects are opened, whose error is told when."""

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.aws.errors import SourceError, SourceUnavailableError
from maprun.aws.sources.byte_stream import RANGE_BYTES_FIRST
from maprun.aws.sources.concatenated import GROUPS_AHEAD, OPEN_AHEAD_MAX, ConcatenatedSource, load_place
from maprun.aws.sources.contract import Budget, Chunk
from maprun.aws.sources.manifest import athena_members, inventory_of
from maprun.aws.sources.members import Member, NamedMembers
from maprun.aws.sources.object_reads import ObjectName


class ListSource:
    """An object of items; its checkpoint is their count, and it counts as large as it is told."""

    pinned = True

    def __init__(self, name: str, items: int, at: bytes, size: int) -> None:
        self.pin = f"pin of {name}".encode()
        self._items = [f"{name}.{n}".encode() for n in range(items)]
        self._at = int(at or b"0")
        self._size = size

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items; the end is told with the last one, or in a read of its own."""
        items = self._items[self._at : self._at + count]
        self._at += len(items)
        ended = self._at >= len(self._items) and (not items or bytes_max > 10)
        return Chunk(items, None, str(self._at).encode(), ended, self._size)

    def close(self) -> None:
        """Nothing is open."""


class Shelf:
    """Objects by number, and which of them were opened."""

    def __init__(
        self, counts: list[int], size: int = 1, broken: dict[int, SourceError] | None = None, *, grouped: bool = False
    ) -> None:
        self.counts = counts
        self.size = size
        self.broken = broken or {}
        self.opened: list[str] = []
        self.begun: list[Member] = []
        self.grouped = grouped
        self.lock = threading.Lock()

    def open(self, checkpoint: bytes, max_items: int = 0) -> ConcatenatedSource:
        """The objects as one source."""
        place = load_place(checkpoint)
        names = [(ObjectName("b", str(n)), None) for n in range(len(self.counts))]
        budget = Budget(max_items, place.items)
        begin = self.begun.extend if self.grouped else None
        return ConcatenatedSource(NamedMembers(names, place.member), self.member, place, budget, b"pin", begin)

    def member(self, member: Member, checkpoint: bytes, pin: bytes) -> ListSource:
        """Opens one."""
        with self.lock:
            self.opened.append(member.place)
        number = int(member.place)
        if number in self.broken:
            raise self.broken[number]
        assert pin in {b"", f"pin of {number}".encode()}
        assert bool(pin) == bool(checkpoint)
        return ListSource(member.place, self.counts[number], checkpoint, self.size)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 5), max_size=40),
    st.lists(st.tuples(st.integers(1, 7), st.sampled_from([1, 100]), st.booleans()), min_size=1, max_size=6),
    st.integers(0, 60),
    st.booleans(),
)
def test_any_checkpoint_resumes_with_the_same_items(
    counts: list[int], reads: list[tuple[int, int, bool]], max_items: int, grouped: bool
) -> None:
    """Whatever is asked for and wherever another reader goes on, each item comes once, in order, with its object."""
    shelf = Shelf(counts, grouped=grouped)
    expected = [f"{n}.{i}" for n, count in enumerate(counts) for i in range(count)]
    expected = expected[:max_items] if max_items else expected
    found: list[str] = []
    source, n = shelf.open(b"", max_items), 0
    while True:
        count, bytes_max, resume = reads[n % len(reads)]
        n += 1
        chunk = source.read(count, bytes_max)
        assert all(chunk.source == f"s3://b/{item.decode().partition('.')[0]}" for item in chunk.items)
        found += [item.decode() for item in chunk.items]
        if chunk.ended:
            break
        if resume:
            source = shelf.open(chunk.checkpoint, max_items)
    assert found == expected
    after = shelf.open(chunk.checkpoint, max_items).read(5, 100)
    assert (after.items, after.ended) == ([], True)


@pytest.mark.parametrize(("size", "ahead"), [(1, OPEN_AHEAD_MAX), (RANGE_BYTES_FIRST + 1, 1)])
def test_small_objects_are_opened_ahead_and_large_ones_are_not(size: int, ahead: int) -> None:
    """After some objects that fit into one range many more are being opened; after a large one only the next."""
    shelf = Shelf([1] * 100, size)
    source = shelf.open(b"")
    for _ in range(10):
        source.read(1, 100)
    waiting = [thread for thread in threading.enumerate() if thread.name == "source-ahead"]
    for thread in waiting:
        thread.join()
    assert len(shelf.opened) == 10 + ahead


@pytest.mark.parametrize(("size", "group"), [(1, OPEN_AHEAD_MAX // GROUPS_AHEAD), (RANGE_BYTES_FIRST + 1, 1)])
def test_small_objects_are_opened_in_groups(size: int, group: int) -> None:
    """The requests of a group go out before its first object is opened; a large object is a group of its own."""
    shelf = Shelf([1] * 100, size, grouped=True)
    source = shelf.open(b"")
    for _ in range(40):
        source.read(1, 100)
    ahead = len(shelf.begun) - 40
    assert OPEN_AHEAD_MAX - group < ahead <= OPEN_AHEAD_MAX if size == 1 else ahead == 1
    assert [member.place for member in shelf.begun] == [str(n) for n in range(len(shelf.begun))]


@pytest.mark.parametrize("grouped", [False, True])
def test_an_object_that_can_t_be_opened_fails_when_its_turn_comes(*, grouped: bool) -> None:
    """What was opened ahead in vain is told after all items before it, with the object's name, and stays retriable."""
    down = SourceUnavailableError("S3 is away")
    source = Shelf([2, 2, 2, 2], broken={2: down}, grouped=grouped).open(b"")
    items = [item for _ in range(2) for item in source.read(5, 100).items]
    assert items == [b"0.0", b"0.1", b"1.0", b"1.1"]
    with pytest.raises(SourceUnavailableError, match=r"S3 is away \(s3://b/2\)"):
        source.read(5, 100)


def test_a_bug_in_an_opening_is_not_the_end_of_the_source() -> None:
    """An unexpected error in a thread that opens ahead is raised to whoever reads: silence would lose items."""
    broken: dict[int, Any] = {1: ZeroDivisionError("bug")}
    source = Shelf([1, 1], broken=broken).open(b"")
    source.read(5, 100)
    with pytest.raises(ZeroDivisionError):
        source.read(5, 100)


def test_manifests_name_objects_wherever_they_are() -> None:
    """Addresses may be quoted, of other buckets, with blank lines between; an inventory's bucket is its destination."""
    manifest = ObjectName("b", "m", "", "123456789012")
    members = athena_members(b'"s3://x/a b"\r\n\n s3://y/c/d \n', manifest)
    assert [(name.text, name.expected_bucket_owner) for name, _ in members] == [
        ("s3://x/a b", "123456789012"),
        ("s3://y/c/d", "123456789012"),
    ]
    text = b'{"destinationBucket":"arn:aws:s3:::d","fileSchema":"A, B","files":[{"key":"k","size":3}]}'
    found = inventory_of(text, manifest)
    assert (found.files[0][0].text, found.files[0][1], found.headers) == ("s3://d/k", 3, ("A", "B"))
