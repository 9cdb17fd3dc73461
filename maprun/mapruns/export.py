"""Result files of one run as parts with fixed byte edges: whoever streams the same entries makes the same bytes."""

from collections.abc import Iterable, Sequence

import msgspec

from maprun.mapruns.intervals import Intervals
from maprun.mapruns.ledger import accept
from maprun.mapruns.run import Run
from maprun.mapruns.shaping import FILES, Shaper
from schemas.arns import Names
from schemas.home import ChildrenEnded
from schemas.pages import Pages


class FilePart(msgspec.Struct, frozen=True):
    """Part `part` (0 …) of file `file` (0 …) of a status; `last`: the file is complete with it."""

    status: str
    file: int
    part: int
    body: bytes
    last: bool


class WrittenFile(msgspec.Struct, frozen=True):
    """A result file as the manifest lists it."""

    key: str
    size: int


class FileStream:
    """The files of one status: records in, parts out. A file begins with its first record."""

    def __init__(self, status: str, *, lines: bool, part_bytes: int, file_bytes_max: int) -> None:
        self._status = status
        self._part_bytes = part_bytes
        self._file_bytes_max = file_bytes_max
        self._opening, self._between, self._closing = (b"", b"\n", b"\n") if lines else (b"[", b",", b"]")
        self._file = 0
        self._part = 0
        self._size = 0  # of the open file, 0 = none is open
        self._buffer = bytearray()

    @property
    def buffered(self) -> int:
        """Bytes that wait for their part to be full."""
        return len(self._buffer)

    def add(self, records: Sequence[bytes]) -> list[FilePart]:
        """Appends records; the parts that are full now."""
        parts: list[FilePart] = []
        joined = self._between.join(records)
        if not records:
            return parts
        if self._size + len(joined) + len(self._between) + len(self._closing) <= self._file_bytes_max:
            self._append(joined)
        else:
            for record in records:  # the edge of a file lies among these
                size = self._size + len(record) + len(self._between) + len(self._closing)
                if self._size and size > self._file_bytes_max:
                    parts += self.finish()
                self._append(record)
        return parts + self._full_parts()

    def finish(self) -> list[FilePart]:
        """Closes the open file, if one is; its remaining parts."""
        if not self._size:
            return []
        self._buffer += self._closing
        parts = self._full_parts()
        parts.append(FilePart(self._status, self._file, self._part, bytes(self._buffer), last=True))
        self._buffer.clear()
        self._file, self._part, self._size = self._file + 1, 0, 0
        return parts

    def _append(self, text: bytes) -> None:
        lead = self._between if self._size else self._opening
        self._buffer += lead
        self._buffer += text
        self._size += len(lead) + len(text)

    def _full_parts(self) -> list[FilePart]:
        """Cuts at the edges, but leaves at least a byte: the last part must not be empty."""
        parts: list[FilePart] = []
        while len(self._buffer) > self._part_bytes:
            body = bytes(memoryview(self._buffer)[: self._part_bytes])
            del self._buffer[: self._part_bytes]
            parts.append(FilePart(self._status, self._file, self._part, body, last=False))
            self._part += 1
        return parts


class RunExport:
    """One run's entries in log order, into its files."""

    def __init__(self, run: Run, names: Names, pages: Pages, part_bytes: int, file_bytes_max: int) -> None:
        self._generation = run.generation
        self._shaper = Shaper(run, names, pages)
        self._streams = {
            status: FileStream(status, lines=self._shaper.lines, part_bytes=part_bytes, file_bytes_max=file_bytes_max)
            for status in FILES
        }
        self.answered = Intervals()
        self.children = 0

    def take(self, frame: ChildrenEnded, asked: int) -> list[FilePart]:
        """A frame of the run, by the rule of the fold: the first answer to each position below `asked` counts."""
        if frame.generation != self._generation:
            return []
        pieces = accept(self.answered, asked, frame.ranges)
        self.children += sum(piece.count for piece in pieces)
        parts: list[FilePart] = []
        for status, records in self._shaper.shape(frame, pieces).items():
            parts += self._streams[status].add(records)
        return parts

    def finish(self) -> list[FilePart]:
        """All entries were taken: what remains."""
        return [part for status in FILES for part in self._streams[status].finish()]


def folder(prefix: str, run: str) -> str:
    """Where a run's files are: `<prefix>/<run>/`, without an empty step for a missing prefix or its own slash."""
    bare = prefix.removesuffix("/")
    return f"{bare}/{run}/" if bare else f"{run}/"


def file_key(prefix: str, run: str, status: str, file: int, *, lines: bool) -> str:
    """The key of a result file."""
    return f"{folder(prefix, run)}{status}_{file}.{'jsonl' if lines else 'json'}"


def manifest_key(prefix: str, run: str) -> str:
    """The key of the manifest."""
    return f"{folder(prefix, run)}manifest.json"


def manifest(bucket: str, map_run_arn: str, files: Iterable[tuple[str, WrittenFile]]) -> bytes:
    """manifest.json of (status, file) in file order; all three lists are there, empty ones too."""
    listed: dict[str, list[dict[str, object]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, file in files:
        listed[status].append({"Key": file.key, "Size": file.size})
    return msgspec.json.encode({"DestinationBucket": bucket, "MapRunArn": map_run_arn, "ResultFiles": listed})
