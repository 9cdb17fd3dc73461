"""The keyed store in RocksDB: its memory is bounded whatever it holds."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    SliceTransform,
    WriteBatch,
)

from maprun.archive.store import Row
from maprun.runtime import logs
from maprun.runtime.process import SetupError

PREFIX_BYTES = 19
"""Of a key: home, kind and a digest. A filter tells which of these there are: to look for what is missing is cheap."""
WRITE_BUFFER_BYTES, WRITE_BUFFERS_MAX = 2 << 20, 2
CACHE_BYTES = 6 << 20
"""Of blocks, indexes and filters together."""
OPEN_FILES_MAX = 64
FILTER_BITS = 10
INFO_LOGS_MAX = 2
INFO_LOG_BYTES = 1 << 20


class RocksStore:
    """Rows in a folder. Not thread-safe; one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Opens the store, or makes an empty one. One that can't be read is made anew: it is filled again.

        Raises SetupError when another process has it open.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = Rdict(str(folder), _options())
        except Exception as error:
            if "LOCK" in str(error) or "lock" in str(error):
                raise SetupError(
                    f"{folder} is open in another process: no two processes of a service may share a MAPRUN_INSTANCE"
                ) from error
            logs.logger("archive").warning("store_made_anew", folder=str(folder), error=str(error))
            shutil.rmtree(folder, ignore_errors=True)
            self._db = Rdict(str(folder), _options())
        self._alike = ReadOptions()
        self._alike.set_prefix_same_as_start(True)
        self._all = ReadOptions()
        self._all.set_total_order_seek(True)

    def get(self, key: bytes) -> bytes | None:
        """The row under a key."""
        row: bytes | None = self._db.get(key)
        return row

    def first(self, prefix: bytes, at: bytes) -> Row | None:
        """The row with the lowest key that begins with `prefix` and is not below `at`."""
        found = self._db.iter(self._alike if len(prefix) >= PREFIX_BYTES else self._all)
        found.seek(at)
        if not found.valid():
            return None
        key: bytes = found.key()
        return (key, found.value()) if key.startswith(prefix) else None

    def scan(self, first: bytes, end: bytes) -> Iterator[Row]:
        """The rows with keys in [first, end), ascending."""
        found: Any = self._db.iter(self._all)
        found.seek(first)
        while found.valid() and found.key() < end:
            yield found.key(), found.value()
            found.next()

    def scan_back(self, first: bytes, end: bytes) -> Iterator[Row]:
        """The same, descending."""
        found: Any = self._db.iter(self._all)
        found.seek_for_prev(end)
        if found.valid() and found.key() == end:
            found.prev()
        while found.valid() and found.key() >= first:
            yield found.key(), found.value()
            found.prev()

    def write(self, rows: Iterable[Row], deleted: Iterable[bytes] = ()) -> None:
        """Deletes rows and puts others, all of it or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key in deleted:
            batch.delete(key)
        for key, row in rows:
            batch.put(key, row)
        self._db.write(batch)

    def clear(self, first: bytes, end: bytes) -> None:
        """Deletes all rows with keys in [first, end)."""
        self._db.delete_range(first, end)

    def close(self) -> None:
        """Writes what is in memory and closes the files."""
        self._db.close()


def _options() -> Options:
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(CACHE_BYTES))
    blocks.set_bloom_filter(FILTER_BITS, block_based=False)
    blocks.set_cache_index_and_filter_blocks(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_prefix_extractor(SliceTransform.create_fixed_prefix(PREFIX_BYTES))
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(WRITE_BUFFERS_MAX)
    options.set_max_open_files(OPEN_FILES_MAX)
    options.set_compression_type(DBCompressionType.none())  # rows are compressed already
    options.set_keep_log_file_num(INFO_LOGS_MAX)
    options.set_max_log_file_size(INFO_LOG_BYTES)
    return options
