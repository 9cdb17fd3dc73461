"""Result files of one run as parts with fixed byte edges: whoever streams the same entries makes the same bytes."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from maprun.mapruns.intervals import Intervals
from maprun.mapruns.ledger import accept, indexed
from maprun.mapruns.results.shaping import FILES, Shaped, shape_of
from maprun.mapruns.results.stages import StageLedger
from maprun.mapruns.run import Run
from schemas.asks import RedriveStage
from schemas.home import ChildrenEnded


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

    def finish(self, *, even_empty: bool = False) -> list[FilePart]:
        """Closes the open file, if one is; its remaining parts. `even_empty`: there is a first file whatever is in it.

        An empty file of lines has no bytes, which no upload can be made of: there is none.
        """
        if not self._size:
            empty = self._opening + self._closing if even_empty and not self._file and self._opening else b""
            return [FilePart(self._status, 0, 0, empty, last=True)] if empty else []
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
    """One run's entries in log order, into its files.

    Which entries of a frame count is chosen in that order, and their records are put in it. In between they may be
    shaped anywhere, several frames at once.
    """

    def __init__(self, run: Run, part_bytes: int, file_bytes_max: int) -> None:
        self._generation = run.generation
        self.shape = shape_of(run)
        self._streams = [
            FileStream(status, lines=self.shape.lines, part_bytes=part_bytes, file_bytes_max=file_bytes_max)
            for status in FILES
        ]
        self.answered = Intervals()
        self.children = 0

    def choose(self, frame: ChildrenEnded, asked: int) -> list[tuple[int, int, int]]:
        """The entries of a frame that count, by the rule of the fold: the first answer to a position below `asked`."""
        if frame.generation != self._generation:
            return []
        pieces = accept(self.answered, asked, frame.ranges)
        self.children += sum(piece.count for piece in pieces)
        return list(indexed(frame, pieces))

    def put(self, records: Shaped) -> list[FilePart]:
        """The records of the next frame; the parts that are full now."""
        return [part for stream, some in zip(self._streams, records, strict=True) for part in stream.add(some)]

    def finish(self, run: Run) -> list[FilePart]:
        """All entries were taken: what remains.

        A redrive that fails without a success of its own, when there were some before, has an empty file of successes
        (recorded on AWS of one that failed at once).
        """
        failed = run.verdict is not None and run.verdict.status == "FAILED"
        empty = failed and run.generation > 0 and run.succeeded_before.children > 0
        return [
            part
            for status, stream in zip(FILES, self._streams, strict=True)
            for part in stream.finish(even_empty=empty and status == FILES[0])
        ]


class Stretch:
    """Frames of an earlier generation, of which some children are to stand in this generation's files."""

    def __init__(self, ledger: StageLedger, stage: RedriveStage, base: int, answered: Intervals) -> None:
        self.first, self.end = stage.first_offset, stage.end_offset
        self.generation = stage.generation
        self._ledger = ledger
        self._base = base
        self._answered = answered

    @property
    def complete(self) -> bool:
        """True when no further frame can hold one."""
        return self._ledger.complete

    def slots(self, frame: ChildrenEnded) -> Iterator[tuple[int, int, int]]:
        """(slot, child index, count) of those children of a frame."""
        for run in self._ledger.take(frame):
            rank = self._base + run.rank
            for first, count in self._answered.missing(rank, run.count):
                yield run.slot + first - rank, run.index + first - rank, count


def unwritten(run: Run) -> list[Stretch]:
    """The successes of earlier generations that stand in no file, because writing theirs failed."""
    return [Stretch(StageLedger.succeeded(run.run, stage), stage, 0, Intervals()) for stage in run.unwritten]


def unreached(run: Run) -> list[Stretch]:
    """The children of earlier generations that this one, which is over, did not reach: they are what they were.

    So are those that were not chosen for it.
    """
    out: list[Stretch] = []
    base = 0
    for stage in run.stages:
        if not run.answered.covers(base, stage.count):
            out.append(Stretch(StageLedger(run.run, stage), stage, base, run.answered))
        base += stage.count
    out += [Stretch(StageLedger(run.run, stage), stage, 0, Intervals()) for stage in run.aside]
    return out


def folder(prefix: str, run: str, generation: int = 0) -> str:
    """Where a run's files are: `<prefix>/<run>/`, without an empty step for a missing prefix or its own slash.

    Each redrive has its own folder in it, `Redrive-<n>/`.
    """
    bare = prefix.removesuffix("/")
    own = f"{run}/Redrive-{generation}/" if generation else f"{run}/"
    return f"{bare}/{own}" if bare else own


def file_key(folder_: str, status: str, file: int, *, lines: bool) -> str:
    """The key of a result file in its run's folder."""
    return f"{folder_}{status}_{file}.{'jsonl' if lines else 'json'}"


def manifest_key(folder_: str) -> str:
    """The key of the manifest."""
    return f"{folder_}manifest.json"


def manifest(bucket: str, map_run_arn: str, files: Iterable[tuple[str, WrittenFile]]) -> bytes:
    """manifest.json of (status, file) in file order; all three lists are there, empty ones too."""
    listed: dict[str, list[dict[str, object]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, file in files:
        listed[status].append({"Key": file.key, "Size": file.size})
    return msgspec.json.encode({"DestinationBucket": bucket, "MapRunArn": map_run_arn, "ResultFiles": listed})
