"""The check itself: the manifest's files as a stream, then the source by the code that the item-reader reads with."""

from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from maprun.aws.clients import S3
from maprun.aws.errors import SourceError
from maprun.aws.sources import Source, StateInputSource, open_source, source_text
from maprun.aws.sources.contract import load_pin
from maprun.aws.sources.manifest import whole_text
from maprun.aws.sources.object_reads import ObjectName
from maprun.aws.sources.one_object import open_stream
from maprun.interpreter import input_builder
from maprun.language.errors import StatesError
from maprun.language.model import Machine
from maprun.mapruns.batches import fill_batch
from maprun.mapruns.results.export import folder, manifest_key
from maprun.verification.ledger import EXAMPLES_MAX, Ledger, Record, Wrong
from schemas.plan import ItemBatcherPlan, ItemReaderPlan, MapRunPlan

READ_ITEMS, READ_BYTES = 2_000, 1 << 20
GET_OBJECT = "arn:aws:states:::s3:getObject"
_COUNT_OF = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timedOut",
    "ABORTED": "aborted",
    "PENDING": "pending",
}
Say = Callable[[str], object]


class Facts(msgspec.Struct, frozen=True):
    """What DescribeMapRun says of a run that is over, and its id."""

    arn: str
    run: str
    status: str
    generation: int
    children: dict[str, int]  # executionCounts


class Found(msgspec.Struct, frozen=True, rename="camel"):
    """One kind of wrong: how often, and some of them."""

    what: str
    count: int
    examples: list[str]


class Verdict(msgspec.Struct, frozen=True, rename="camel"):
    """What came of the check."""

    right: bool
    manifest: str
    children: int  # that the files hold, or the API tells
    items: int  # that the source holds
    inputs_compared: int
    wrong: list[Found]
    notes: list[str]


class _File(msgspec.Struct, frozen=True):
    Key: str
    Size: int


class _Manifest(msgspec.Struct, frozen=True):
    DestinationBucket: str
    MapRunArn: str
    ResultFiles: dict[str, list[_File]]


_manifest = msgspec.json.Decoder(_Manifest)
_record = msgspec.json.Decoder(Record)


def verify(s3: S3, machine: Machine, plan: MapRunPlan, facts: Facts, say: Say) -> Verdict:
    """Compares results and source. `say` hears how far it is. Raises SourceError for a source that can't be read."""
    return _Check(s3, machine, plan, facts, say).verdict()


class _Check:
    """One check."""

    def __init__(self, s3: S3, machine: Machine, plan: MapRunPlan, facts: Facts, say: Say) -> None:
        self._s3 = s3
        self._machine = machine
        self._plan = plan
        self._facts = facts
        self._say = say
        self._wrong = Wrong()
        self._notes: list[str] = []
        self._ledger = Ledger(facts.run, self._wrong)
        self._records = 0
        self._compared = 0

    def verdict(self) -> Verdict:
        """See `verify`."""
        writer = self._plan.writer
        where = ""
        named = False
        if writer is not None and writer.bucket:
            key = manifest_key(folder(writer.prefix, self._facts.run, self._facts.generation))
            where = f"s3://{writer.bucket}/{key}"
            named = writer.transformation in {"", "NONE"}
            self._results(writer.bucket, key, lines=writer.output_type == "JSONL", named=named)
        items, indexes = self._source(named=named)
        self._judge(indexes, written=bool(where), named=named)
        wrong = [Found(what, count, examples) for what, count, examples in self._wrong]
        return Verdict(not wrong, where, self._records, items, self._compared, wrong, self._notes)

    # ------------------------------------------------------------------ the result files

    def _results(self, bucket: str, key: str, *, lines: bool, named: bool) -> None:
        where = f"s3://{bucket}/{key}"
        try:
            text = whole_text(open_stream(self._s3, ObjectName(bucket, key), None, 0), where)
            listed = _manifest.decode(text)
        except SourceError as error:
            self._wrong.add("no manifest", error.cause)
            return
        except msgspec.DecodeError as error:
            self._wrong.add("no manifest", f"{where} can't be read: {error}")
            return
        if listed.MapRunArn != self._facts.arn:
            self._wrong.add("of another Map Run", f"{where} is of {listed.MapRunArn}")
        for kind, files in listed.ResultFiles.items():
            whole = named or kind != "SUCCEEDED"  # what a transformation leaves of a success has no name
            for file in files:
                self._file(listed.DestinationBucket, kind, file, lines=lines, whole=whole)

    def _file(self, bucket: str, kind: str, file: _File, *, lines: bool, whole: bool) -> None:
        where = f"s3://{bucket}/{file.Key}"
        reader = ItemReaderPlan(GET_OBJECT, bucket, file.Key, input_type="JSONL" if lines else "JSON")
        try:
            source = open_source(self._s3, reader, b"", b"")
            pin = load_pin(source.pin)
            if pin is not None and pin.size_bytes != file.Size:
                self._wrong.add("of another size", f"{where} has {pin.size_bytes} bytes, the manifest says {file.Size}")
            for items in _chunks(source):
                self._records += len(items)
                for text in items if whole else ():
                    self._take(kind, text, where)
                self._say(f"{self._records:,} results of {where}")
        except SourceError as error:
            self._wrong.add("a file that can't be read", error.cause)

    def _take(self, kind: str, text: bytes, where: str) -> None:
        try:
            record = _record.decode(text)
        except msgspec.DecodeError as error:
            self._wrong.add("a record that can't be read", f"{where}: {error}: {text[:80].decode(errors='replace')}")
            return
        self._ledger.take(kind, record, where)

    # ------------------------------------------------------------------ the source

    def _source(self, *, named: bool) -> tuple[int, int]:
        """How many items the source holds, and how many children are made of them."""
        items = index = 0
        for count, child_input in self._inputs():
            if named and child_input is not None and self._ledger.found(index):
                self._compared += 1
                if not self._ledger.has_input(index, child_input.decode(errors="replace")):
                    self._wrong.add("another input than the source's", f"index {index}")
            items += count
            index += 1
            if index % READ_ITEMS == 0:
                self._say(f"{items:,} items of {source_text(self._plan.reader)}")
        return items, index

    def _inputs(self) -> Iterator[tuple[int, bytes | None]]:
        """Items and input of each child, by index; None for an input that can't be made."""
        build = input_builder(self._machine, self._plan)
        text = source_text(self._plan.reader)

        def built(at: int, key: str | None, item: bytes, source: str) -> bytes | None:
            try:
                return build(at, key, item, source or text)
            except StatesError:
                return None

        alone = (built(at, key, item, source) for at, (key, item, source) in enumerate(self._items()))
        if self._plan.batcher is None:
            yield from ((1, child_input) for child_input in alone)
        else:
            yield from _batches(self._plan.batcher, alone)

    def _items(self) -> Iterator[tuple[str | None, bytes, str]]:
        reader = self._plan.reader
        source: Source
        source = StateInputSource(self._plan.items) if reader is None else open_source(self._s3, reader, b"", b"")
        try:
            ended = False
            while not ended:
                chunk = source.read(READ_ITEMS, READ_BYTES)
                for at, item in enumerate(chunk.items):
                    yield chunk.keys[at] if chunk.keys else None, item, chunk.source
                ended = chunk.ended
        finally:
            source.close()

    # ------------------------------------------------------------------ the counts

    def _judge(self, made: int, *, written: bool, named: bool) -> None:
        counts = self._facts.children
        total = counts["total"]
        if made < total or (made > total and self._facts.status == "SUCCEEDED"):
            said = f"the source makes {made:,} children now, the Map Run had {total:,}"
            self._wrong.add("another source", said)
        elif made > total:
            self._notes.append(f"the Map Run ended {self._facts.status} before it took {made - total:,} more children")
        if not written:
            self._notes.append("the Map Run wrote no result files: its children were counted, not looked at")
            return
        if not named:
            self._notes.append("a transformation took the names from the successes: they were counted, not compared")
            self._ledger.statuses["SUCCEEDED"] = self._records - self._ledger.statuses.total()
        for status, member in _COUNT_OF.items():
            held = self._ledger.statuses[status]
            flat = (
                status == "SUCCEEDED"
                and self._plan.writer is not None
                and self._plan.writer.transformation == "FLATTEN"
            )
            if held != counts.get(member, 0) and not flat:
                said = f"{member}: the files hold {held:,}, DescribeMapRun says {counts.get(member, 0):,}"
                self._wrong.add("another count", said)
        if named:
            self._indexes(total)

    def _indexes(self, total: int) -> None:
        for index in self._ledger.beyond(total):
            self._wrong.add("past the last one", f"index {index} of {total:,} children")
        few = list(islice(self._ledger.missing(total), EXAMPLES_MAX))
        missing = sum(1 for _ in self._ledger.missing(total)) if few else 0
        if missing > self._ledger.unnamed:
            self._wrong.add(
                "without a result", ", ".join(f"index {index}" for index in few), missing - self._ledger.unnamed
            )
        elif self._ledger.unnamed:
            self._notes.append(f"{self._ledger.unnamed:,} children never started: they were counted, not compared")


def _chunks(source: Source) -> Iterator[list[bytes]]:
    try:
        ended = False
        while not ended:
            chunk = source.read(READ_ITEMS, READ_BYTES)
            yield chunk.items
            ended = chunk.ended
    finally:
        source.close()


def _batches(batcher: ItemBatcherPlan, inputs: Iterator[bytes | None]) -> Iterator[tuple[int, bytes | None]]:
    """Inputs as an ItemBatcher puts them together."""
    waiting: list[bytes] = []

    def next_item() -> bytes | None:
        if not waiting:
            waiting.extend(found for found in islice(inputs, 1) if found is not None)
        return waiting[0] if waiting else None

    while next_item() is not None:
        batch, count = fill_batch(batcher, next_item, waiting.clear)
        yield count, batch
