"""Result export: streams the accepted entries of runs with a writer into S3 while they go on, beside the fold.

One coroutine a run and generation, on the fold's own frames while it keeps up, else on home read again. All it knows
stands on home: which upload won, which parts are there. A successor makes the same bytes again and uploads only what is
missing.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from maprun.bus.port import Outgoing, Port
from maprun.bus.reading import read_from
from maprun.mapruns.fold.home import Home, frame_of
from maprun.mapruns.results.export import (
    FilePart,
    RunExport,
    Stretch,
    WrittenFile,
    file_key,
    folder,
    manifest,
    manifest_key,
    unreached,
    unwritten,
)
from maprun.mapruns.results.shaping import Shaped
from maprun.mapruns.run import ResultFile, Run
from schemas import topics
from schemas.home import ChildrenEnded, ResultFileOpened, ResultPartWritten, ResultsFailed, ResultsWritten
from schemas.plan import ResultWriterPlan
from schemas.wire import Fact, encode
from services.scheduler.deps import Deps, ResultTroubleError, UploadGoneError, part_etag
from services.scheduler.part_uploads import PartBudget, PartUploads
from services.scheduler.store_calls import StoreCalls

TOPIC = topics.HOME.name
FRAMES_PER_YIELD = 4
"""Frames shaped before the fold gets its turn: a few milliseconds."""

Choose = Callable[[ChildrenEnded], list[tuple[int, int, int]]]
"""The slots of a frame whose children are to be written."""


class _UnprovenError(Exception):
    """A file of several parts is there in the right size, and its ETag tells nothing."""


class _OverError(Exception):
    """The run is over for the fold: somebody else wrote its results."""


class ExportJob:
    """The export of one generation of a run."""

    def __init__(
        self,
        port: Port,
        fold: Home,
        deps: Deps,
        key: tuple[str, int],
        first: int,
        parts: PartBudget,
        on_waiting: Callable[[], None],
    ) -> None:
        self._port = port
        self._fold = fold
        self._deps = deps
        self._run, self._generation = key
        self._frames = port.mailbox()
        self._facts = port.mailbox()
        self._waiting_frames = 0  # frames that wait, and their bytes
        self._waiting_bytes = 0
        # a job that begins with its run misses nothing; every other one has to read home again
        self._reread_from: int | None = first if first <= fold.offset else None
        self._first = first
        self._store = StoreCalls(port, deps, on_waiting)
        self._uploads = PartUploads(port, parts)
        self._etags: dict[tuple[str, int], dict[int, str]] = {}  # by number (1 …) of the part
        self._sizes: dict[tuple[str, int], int] = {}
        self._files: list[tuple[str, WrittenFile]] = []
        self._looking = False  # files may be there already that only their bytes prove
        self._existing_bytes: dict[tuple[str, int], int] = {}  # such files and their sizes
        self.started = False

    @property
    def waiting(self) -> bool:
        """True while a store that is away or slow keeps it waiting."""
        return self._store.waiting

    @property
    def writing(self) -> bool:
        """True once all of the run's children are answered."""
        run = self._found()
        return run is not None and run.phase == "writing"

    def nudge(self) -> None:
        """Something changed on home."""
        self._frames.put(None)
        self._facts.put(None)

    def offer(self, offset: int, frame: ChildrenEnded) -> None:
        """A frame of the run; past the bound it is left on home, to be read again later."""
        if self._reread_from is not None:
            return
        size = sum(map(len, frame.pages))
        if self._waiting_bytes + size > self._deps.limits.export_inbox_bytes_max:
            self.leave_on_home(offset)
            return
        self._waiting_frames += 1
        self._waiting_bytes += size
        self._frames.put(frame)

    def leave_on_home(self, offset: int) -> None:
        """From this offset on nothing is handed over; it is read again."""
        if self._reread_from is None:
            self._reread_from = offset
            self._frames.put(None)

    def _found(self) -> Run | None:
        run = self._fold.state.runs.get(self._run)
        return run if run is not None and run.generation == self._generation else None

    def _state(self) -> Run:
        run = self._found()
        if run is None:
            raise _OverError
        return run

    async def work(self) -> None:
        """Exports the run, or says why it can't be."""
        try:
            try:
                while not await self._exported():
                    await self._begin_again()
            except ResultTroubleError as trouble:
                await self._uploads.settle()
                await self._fail(trouble)
        except _OverError:
            await self._uploads.settle()

    async def _exported(self) -> bool:
        """Exports the run; False when it met a file that only its bytes can tell to be the right one."""
        try:
            await self._export()
        except _UnprovenError:
            return False
        return True

    async def _begin_again(self) -> None:
        """Everything is made once more, from home; files that are there are compared with it."""
        await self._uploads.settle()
        self._looking = True
        self._reread_from = self._first  # nothing more is handed over, and what was is forgotten
        await self._frames.get(0.0)
        self._waiting_frames = self._waiting_bytes = 0
        self._etags, self._sizes, self._files, self._existing_bytes = {}, {}, [], {}

    async def _export(self) -> None:
        run = self._state()
        limits = self._deps.limits
        export = RunExport(run, limits.part_bytes, limits.file_bytes_max)
        await self._take_earlier(export, unwritten(run))
        while not (run.phase == "writing" and export.answered == run.answered):
            if self._reread_from is not None:
                await self._read_again(export, self._reread_from)
            else:
                if not self._waiting_frames and run.phase == "writing":
                    raise ResultTroubleError("An outcome that was counted cannot be found among those on home.")
                await self._take_waiting(export)
            run = self._state()
        await self._take_earlier(export, unreached(run))
        await self._upload(export.finish(run))
        self._deps.metrics.exported(export.children, sum(file.size for _, file in self._files))
        await self._write_manifest(run)

    async def _take_earlier(self, export: RunExport, stretches: list[Stretch]) -> None:
        """Children of earlier generations that belong into these files."""
        for stretch in stretches:
            first = stretch.first
            while first < stretch.end and not stretch.complete:
                first = await self._read(export, first, stretch.end, partial(_slots, stretch))
            if not stretch.complete:
                raise ResultTroubleError(f"Home holds only a part of the outcomes of generation {stretch.generation}.")

    async def _take_waiting(self, export: RunExport) -> None:
        """Frames as the fold hands them over."""
        waiting = [frame for frame in await self._frames.get(None) if frame is not None]
        self._waiting_frames -= len(waiting)
        self._waiting_bytes -= sum(sum(map(len, frame.pages)) for frame in waiting)
        await self._take(export, waiting, self._choosing(export))

    def _choosing(self, export: RunExport) -> Choose:
        return lambda frame: export.choose(frame, self._state().asked)

    async def _take(self, export: RunExport, frames: list[ChildrenEnded], choose: Choose) -> None:
        """Frames in order: the records of some are being made while those of the first are put."""
        begun: deque[tuple[ChildrenEnded, Awaitable[Shaped]]] = deque()
        for i, frame in enumerate(frames):
            if len(begun) >= self._deps.limits.shaped_ahead_max:
                await self._put(export, *begun.popleft())
            with self._failing(frame):
                begun.append((frame, self._deps.shaping.begin(export.shape, frame, choose(frame))))
            if i % FRAMES_PER_YIELD == FRAMES_PER_YIELD - 1:
                await self._port.sleep(0)
        while begun:
            await self._put(export, *begun.popleft())

    async def _put(self, export: RunExport, frame: ChildrenEnded, shaped: Awaitable[Shaped]) -> None:
        with self._failing(frame):
            parts = export.put(await shaped)
        await self._upload(parts)

    @contextmanager
    def _failing(self, frame: ChildrenEnded) -> Iterator[None]:
        """A frame that can't be shaped fails this run's results, not the scheduler."""
        try:
            yield
        except _OverError:
            raise
        except Exception as bug:
            self._deps.metrics.unexpected(f"shaping outcomes of {self._run}", bug)
            cause = f"The outcomes from position {frame.ranges[0]} on cannot be written: {type(bug).__name__}: {bug}"
            raise ResultTroubleError(cause) from bug

    async def _read_again(self, export: RunExport, first: int) -> None:
        """Frames that were not handed over, from home, up to where the fold is; never past it."""
        if self._waiting_frames:  # what was handed over before the gap comes first
            await self._take_waiting(export)
        while first <= self._fold.offset:
            run = self._state()
            end = self._fold.offset + 1
            if run.phase == "writing":  # what comes after the end was not accepted
                end = min(end, run.answered_offset + 1)
            if first >= end:
                break
            first = await self._read(export, first, end, self._choosing(export))
        self._reread_from = None  # no await since the fold was asked where it is: from here on it hands over

    async def _read(self, export: RunExport, first: int, end: int, choose: Choose) -> int:
        """Some records of home from `first` on, before `end`: the run's frames are taken. Where to go on."""
        end = min(end, first + self._deps.limits.export_read_records)
        pauses_seconds = self._deps.limits.export_pauses_seconds
        records = await read_from(self._port, TOPIC, self._fold.state.home, first, end, pauses_seconds)
        if not records:
            raise ResultTroubleError(f"Home no longer holds the outcomes from offset {first} on.")
        frames = [frame_of(record.value) for record in records]
        await self._take(export, [frame for frame in frames if frame and frame.run == self._run], choose)
        return records[-1].offset + 1

    async def _upload(self, parts: list[FilePart]) -> None:
        for part in parts:
            await self._upload_part(part)

    async def _upload_part(self, part: FilePart) -> None:
        run = self._state()
        writer = run.plan.writer
        assert writer is not None
        lines = writer.output_type == "JSONL"
        key = file_key(self._folder(writer), part.status, part.file, lines=lines)
        name = (part.status, part.file)
        first = self._sizes.get(name, 0)
        size = self._sizes[name] = first + len(part.body)
        if self._looking and not part.part and (existing := await self._store.size_of(writer.bucket, key)) is not None:
            self._existing_bytes[name] = existing
        if name in self._existing_bytes:
            await self._compare(writer.bucket, key, part, first, self._existing_bytes[name])
        else:
            file = await self._file(run, writer.bucket, key, part)
            await self._uploads.start(self._uploaded(file, writer.bucket, key, part))
            if part.last:
                await self._uploads.all_done()
                self._state()
                await self._complete(file, writer.bucket, key, part, size)
        if part.last:
            self._files.append((part.status, WrittenFile(key, size)))

    async def _uploaded(self, file: ResultFile, bucket: str, key: str, part: FilePart) -> None:
        etag = await self._part_etag(file, bucket, key, part)
        self._etags.setdefault((part.status, part.file), {})[part.part + 1] = etag

    async def _compare(self, bucket: str, key: str, part: FilePart, first: int, existing_bytes: int) -> None:
        """What is there, with so many bytes, must be what is made now."""
        end = first + len(part.body)
        if existing_bytes < end or (part.last and existing_bytes > end):
            cause = f"The object s3://{bucket}/{key} exists with other content: {existing_bytes} bytes, not {end}"
            raise ResultTroubleError(cause if part.last else f"{cause} or more")
        await self._store.compare(bucket, key, first, part.body)

    async def _complete(self, file: ResultFile, bucket: str, key: str, part: FilePart, size: int) -> None:
        etags = sorted(self._etags[part.status, part.file].items())
        if await self._store.complete(bucket, key, file.upload_id, etags, size):
            return
        if part.part:  # the parts before are no longer here
            raise _UnprovenError
        await self._store.compare(bucket, key, 0, part.body)

    async def _file(self, run: Run, bucket: str, key: str, part: FilePart) -> ResultFile:
        """The upload of this file: the one that was first on home, whoever began it."""
        file = _find(run, part)
        if file is not None:
            return file
        upload = await self._store.create_upload(bucket, key)
        await self._say(ResultFileOpened(self._run, self._generation, part.status, part.file, upload))
        while (file := self._opened(part)) is None:
            if self._found() is None:
                await self._drop(bucket, key, upload)
                raise _OverError
            await self._facts.get(None)
        if file.upload_id != upload:
            await self._drop(bucket, key, upload)
        return file

    def _opened(self, part: FilePart) -> ResultFile | None:
        run = self._found()
        return _find(run, part) if run is not None else None

    async def _drop(self, bucket: str, key: str, upload: str) -> None:
        """Drops an upload that nobody will complete. Where S3 refuses that too, the bucket's lifecycle rules do it."""
        with suppress(ResultTroubleError):
            await self._store.abort(bucket, key, upload)

    async def _part_etag(self, file: ResultFile, bucket: str, key: str, part: FilePart) -> str:
        """Uploads a part unless home says that it is there.

        The last one's fact matters too: without it, who comes after a completion would upload into nothing.
        """
        known = file.parts.get(part.part)
        if known is not None and known[1] == len(part.body):
            return known[0]
        body = part.body
        began = self._port.monotonic()
        try:
            etag = await self._store.upload_part(bucket, key, file.upload_id, part.part + 1, body)
        except UploadGoneError:
            return part_etag(body)  # somebody completed it: completing it again looks at what is there
        if not part.last:  # which may be of any size
            self._uploads.took(self._port.monotonic() - began)
        self._state()  # a run that is over needs no more facts
        await self._say(
            ResultPartWritten(self._run, self._generation, part.status, part.file, part.part, etag, len(body))
        )
        return etag

    async def _write_manifest(self, run: Run) -> None:
        writer = run.plan.writer
        assert writer is not None
        key = manifest_key(self._folder(writer))
        earlier = [("SUCCEEDED", WrittenFile(*file)) for file in run.succeeded_files]
        body = manifest(writer.bucket, run.arn, [*earlier, *self._files])
        await self._store.put_manifest(writer.bucket, key, body)
        succeeded = tuple(n for status, file in self._files if status == "SUCCEEDED" for n in (file.key, file.size))
        await self._say(ResultsWritten(self._run, self._generation, writer.bucket, key, succeeded))

    def _folder(self, writer: ResultWriterPlan) -> str:
        return folder(writer.prefix, self._run, self._generation)

    async def _fail(self, trouble: ResultTroubleError) -> None:
        """Says it at once, so that the run closes, and again once all are answered, so that it ends.

        Before that its uploads are dropped: parts of an upload that is never completed are stored, and paid for.
        """
        self._deps.metrics.export_failed()
        said, dropped = "", False
        while True:
            run = self._state()
            to_say = run.phase in {"open", "writing"} and said != run.phase
            if to_say and self._port.lease_ok():
                if run.phase == "writing" and not dropped:
                    dropped = True
                    await self._drop_uploads(run)
                    continue
                said, to_say = run.phase, False
                fact = ResultsFailed(self._run, self._generation, "States.ResultWriterFailed", trouble.cause)
                await self._say(fact)
            await self._facts.get(self._deps.limits.lease_retry_seconds if to_say else None)

    async def _drop_uploads(self, run: Run) -> None:
        writer = run.plan.writer
        assert writer is not None
        lines = writer.output_type == "JSONL"
        for file in list(run.files):
            key = file_key(self._folder(writer), file.status, file.file, lines=lines)
            await self._drop(writer.bucket, key, file.upload_id)

    async def _say(self, fact: Fact) -> None:
        await self._port.send([Outgoing(TOPIC, self._fold.state.home, encode(fact))])


def _slots(stretch: Stretch, frame: ChildrenEnded) -> list[tuple[int, int, int]]:
    return list(stretch.slots(frame))


def _find(run: Run, part: FilePart) -> ResultFile | None:
    return next((f for f in run.files if f.status == part.status and f.file == part.file), None)
