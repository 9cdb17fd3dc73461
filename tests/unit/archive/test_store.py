"""The store on disk and the one in memory are the same thing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maprun.archive.rocks import PREFIX_BYTES, RocksStore
from maprun.archive.store import MemoryStore
from maprun.runtime.process import SetupError

PREFIXES = [
    bytes([0, home]) + kind + bytes(15) + bytes([name])
    for home in (1, 2)
    for kind in (b"e", b"l")
    for name in (0, 1, 255)
]
KEYS = st.builds(
    lambda prefix, rest: prefix + rest,
    st.sampled_from(PREFIXES),
    st.sampled_from([b"", b"\0" * 8, b"\0" * 7 + b"\1", b"\xff" * 8]),
)
WRITES = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.binary(max_size=30))), max_size=12)


@pytest.fixture(scope="module")
def rocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RocksStore]:
    """A store on disk."""
    store = RocksStore(tmp_path_factory.mktemp("store") / "archive")
    yield store
    store.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(batches=st.lists(WRITES, max_size=5), first=KEYS, end=KEYS)
def test_the_store_on_disk_answers_as_the_one_in_memory(
    rocks: RocksStore, batches: list[list[tuple[bytes, bytes | None]]], first: bytes, end: bytes
) -> None:
    """Whatever is written and deleted, both have the same rows in the same order."""
    rocks.clear(b"", b"\xff" * 40)
    memory = MemoryStore()
    for batch in batches:
        puts = {key: row for key, row in batch if row is not None}
        gone = [key for key, row in batch if row is None and key not in puts]
        for store in (rocks, memory):
            store.write(puts.items(), gone)
    assert list(rocks.scan(first, end)) == list(memory.scan(first, end))
    assert list(rocks.scan_back(first, end)) == list(memory.scan_back(first, end))
    for prefix in PREFIXES:
        assert len(prefix) == PREFIX_BYTES
        for at in (prefix, prefix + b"\0" * 7 + b"\1", prefix + b"\xff" * 8):
            assert rocks.first(prefix, at) == memory.first(prefix, at)
            assert rocks.get(at) == memory.get(at)
        assert rocks.first(prefix[:3], prefix) == memory.first(prefix[:3], prefix)


def test_rows_are_there_when_the_store_is_opened_again(tmp_path: Path) -> None:
    """A store keeps what was written, and the last of two rows under a key."""
    key = PREFIXES[0]
    store = RocksStore(tmp_path / "archive")
    store.write([(key, b"a")])
    store.write([(key, b"b")])
    store.close()
    again = RocksStore(tmp_path / "archive")
    assert again.get(key) == b"b"
    again.close()


def test_a_store_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    """Damaged files are no reason not to start: what they held is fetched again."""
    folder = tmp_path / "archive"
    store = RocksStore(folder)
    store.write([(PREFIXES[0], b"a")])
    store.close()
    (folder / "CURRENT").write_bytes(b"MANIFEST-999999\n")
    again = RocksStore(folder)
    assert again.get(PREFIXES[0]) is None
    again.close()


def test_a_store_belongs_to_one_process(tmp_path: Path) -> None:
    """The same folder opened twice is refused in words that name the setting."""
    store = RocksStore(tmp_path / "archive")
    with pytest.raises(SetupError, match="MAPRUN_INSTANCE"):
        RocksStore(tmp_path / "archive")
    store.close()
