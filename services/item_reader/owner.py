"""The owner of a home's asks: serves its runs side by side, each from one stream, and commits the contiguous prefix."""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import zstandard

from maprun.bus.port import Mailbox, Outgoing, Port, Record
from schemas import topics
from schemas.asks import ItemAsk, ItemsConfirmed, ItemsRequested
from schemas.home import ItemsRead
from schemas.lanes import ItemFrame
from schemas.plan import BuildInput
from schemas.wire import Decoder, Fact, encode
from services.item_reader import handlers, staged
from services.item_reader.handlers import Listed, ReaderLimits
from services.item_reader.open_streams import OpenStreams
from services.item_reader.stage_reader import HomeGoneError, StageReader
from services.item_reader.stream import ItemStream, Positions, Source, decode_checkpoint

_decoder: Decoder[ItemAsk] = Decoder(ItemAsk)


class SourceTroubleError(Exception):
    """Why a source can't be read, for the user. `retriable`: it may go better a moment later."""

    def __init__(self, error: str, cause: str, *, retriable: bool) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause
        self.retriable = retriable


class Metrics:
    """What the owner counts; the composition root gives one that Prometheus reads."""

    def items_read(self, count: int, size: int) -> None:
        """So many items, with so many bytes, were published."""

    def unreadable(self, topic: str, partition: int, offset: int) -> None:
        """A record that can't be read was passed over."""

    def unexpected(self, what: str, error: Exception) -> None:
        """Something raised what it should not; it failed what it was about, and is to be mended."""


class Deps(msgspec.Struct, frozen=True):
    """What an owner needs beside its port.

    `open_source(ask)` gives (source, text of Map.Item.Source) at the ask's own source checkpoint; it blocks. What it,
    or the source's `read`, raises fails the run that reads: SourceTroubleError in its words, all else as unexpected.
    `builder(ask)` gives the ItemSelector of a run with batches.
    """

    open_source: Callable[[ItemsRequested | ItemsConfirmed, bytes], tuple[Source, str]]
    builder: Callable[[ItemsRequested | ItemsConfirmed], BuildInput]
    limits: ReaderLimits = ReaderLimits()
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    streams: OpenStreams = msgspec.field(default_factory=lambda: OpenStreams(ReaderLimits().streams_open_max))


async def own_asks(port: Port, home: int, deps: Deps) -> None:
    """Owns the asks of one home for as long as the group gives them to this process."""
    topic = topics.ITEM_ASKS.name
    mailbox = port.mailbox()
    position = await port.committed(topic, home)
    port.feed(topic, home, position, mailbox)
    serving: dict[str, _Serving] = {}
    open_asks: dict[int, None] = {}  # offsets in order; what stands before the first one is done
    while True:
        for event in await mailbox.get(None):
            match event:
                case Record():
                    position = event.offset + 1
                    ask = _decoded(event, deps)
                    if ask is None:
                        continue
                    open_asks[event.offset] = None
                    served = serving.get(ask.run)
                    if served is None:
                        served = serving[ask.run] = _Serving(port, home, deps, mailbox)
                        port.spawn(served.work(ask.run))
                    served.asks.put((event.offset, ask))
                    served.waiting += 1
                case (str() as run, int() as offset):  # this ask is done
                    open_asks.pop(offset, None)
                    serving[run].waiting -= 1
                case str() as run:  # idle: forget it, unless an ask came in the meantime
                    if not serving[run].waiting:
                        serving.pop(run).asks.put(None)
        port.commit(topic, home, next(iter(open_asks), position))


def _decoded(record: Record, deps: Deps) -> ItemsRequested | ItemsConfirmed | None:
    try:
        return _decoder.decode(record.value or b"")
    except msgspec.DecodeError:
        deps.metrics.unreadable(record.topic, record.partition, record.offset)
        return None


class _Part(msgspec.Struct, frozen=True):
    """Positions that were read together, their frames with their lanes; `direct`: published before they are said."""

    fact: ItemsRead
    frames: list[tuple[int, ItemFrame]]
    direct: bool


class _Place(msgspec.Struct, frozen=True):
    """Where a stream that was closed goes on: at this position, from its own checkpoint, with the item that is next."""

    position: int
    checkpoint: bytes
    item_index: int


class _Serving:
    """One run's asks, in order: of a redrive the first positions from home, the others from one stream."""

    def __init__(self, port: Port, home: int, deps: Deps, done: Mailbox) -> None:
        self.port = port
        self.home = home
        self.deps = deps
        self.done = done
        self.asks = port.mailbox()
        self.waiting = 0
        self.generation = 0
        self.stream: ItemStream | None = None
        self.busy = False  # a thread reads the stream
        self.left: _Place | None = None  # where the stream was when it gave way
        self.stages: StageReader | None = None
        self.position = 0  # the stream's, or that of the stages
        self.served = 0  # positions below this were published and said, by this process
        self.over = False  # the source has ended or failed: what is asked past it is void
        self.listed: deque[Listed] = deque()  # read from a listing, waiting to be confirmed

    async def work(self, run: str) -> None:
        """Serves until nothing was asked for a while."""
        try:
            while True:
                asks = await self.asks.get(self.deps.limits.idle_seconds)
                if not asks:
                    self.done.put(run)
                for ask in asks:
                    if ask is None:
                        return
                    await self._serve(ask[1])
                    self.done.put((run, ask[0]))
        finally:
            self._drop_stream()

    async def _serve(self, ask: ItemsRequested | ItemsConfirmed) -> None:
        if ask.generation < self.generation:
            return  # it is over
        if ask.generation > self.generation:
            self._begin(ask.generation)
        try:
            await (self._requested(ask) if isinstance(ask, ItemsRequested) else self._confirmed(ask))
        except SourceTroubleError as trouble:
            self.over = True
            await self._say(handlers.source_failed(ask, trouble.error, trouble.cause))
            if isinstance(ask, ItemsConfirmed):
                await self.port.send(_outgoing(handlers.void_frames(ask)))

    def _begin(self, generation: int) -> None:
        """Positions count from 0 again."""
        self._drop_stream()
        self.stages = None
        self.generation, self.position, self.served, self.over = generation, 0, 0, False
        self.listed.clear()

    async def _say(self, *facts: Any) -> None:
        await self.port.send([Outgoing(topics.HOME.name, self.home, encode(fact)) for fact in facts])

    async def _calling(self, work: Callable[[], Any]) -> Any:
        """Blocking work on a source in a thread; trouble that may pass is tried again, with growing pauses.

        Whatever it raises is this run's trouble, and no other's.
        """

        def told() -> Any:
            try:
                return work()
            except SourceTroubleError:
                raise
            except Exception as bug:
                self.deps.metrics.unexpected("reading a source", bug)
                cause = f"The source can't be read: {type(bug).__name__}: {bug}"
                raise SourceTroubleError("States.ItemReaderFailed", cause, retriable=False) from bug

        for pause in self.deps.limits.retry_pauses_seconds:
            try:
                return await self.port.call(told)
            except SourceTroubleError as trouble:
                if not trouble.retriable:
                    raise
            await self.port.sleep(pause)
        return await self.port.call(told)

    def _close(self, source: Source) -> None:
        """Lets go of a source of which nothing more is wanted: whatever it raises is said, and changes nothing."""
        try:
            source.close()
        except Exception as bug:  # noqa: BLE001 - raised, it would end the reading of all runs of this home
            self.deps.metrics.unexpected("closing a source", bug)

    def _opening(self, ask: ItemsRequested | ItemsConfirmed, place: _Place) -> ItemStream:
        """The run's stream at a place. Blocks."""
        checkpoint = decode_checkpoint(place.checkpoint)
        build = self.deps.builder(ask) if ask.plan.batcher is not None else None
        source, text = self.deps.open_source(ask, checkpoint.source)
        try:
            return ItemStream(source, text, checkpoint, place.item_index, ask.plan.batcher, build)
        except Exception:
            self._close(source)
            raise

    def give_way(self) -> None:
        """Others need the room: the stream is opened again where it is when it is wanted."""
        stream = self.stream
        self._drop_stream()
        if stream is not None:
            self.left = _Place(self.position, stream.checkpoint(), stream.item_index)

    def _drop_stream(self) -> None:
        self.left = None
        self.deps.streams.closed(self)
        if self.stream is not None:
            self._close(self.stream.source)
            self.stream = None

    async def _read(self, ask: ItemsRequested, part: list[handlers.Window]) -> list[tuple[Positions, int]]:
        """Reads the windows of a part. A stream that broke off is opened anew where the part begins."""

        def reading() -> list[tuple[Positions, int]]:
            if self.stream is None:
                place = _Place(handlers.source_first(ask), ask.checkpoint, ask.item_index)
                if self.left is not None and self.left.position == self.position:
                    place = self.left
                self.stream, position = self._opening(ask, place), place.position
            else:
                position = self.position
            try:
                self.position = position + self.stream.skip_positions(self.position - position)
                return handlers.read_part(self.stream, part, self.deps.limits)
            except (
                Exception
            ):  # also in the midst of what is passed over: then its next item is not that of the position
                self._drop_stream()
                raise

        self.busy = True
        try:
            read: list[tuple[Positions, int]] = await self._calling(reading)
        finally:
            self.busy = False
        self.deps.streams.used(self)
        return read

    async def _requested(self, ask: ItemsRequested) -> None:
        if not ask.windows:
            source, _ = await self._calling(lambda: self.deps.open_source(ask, b""))
            self._close(source)
            await self._say(handlers.source_opened(ask, source.pin))
            return
        windows = handlers.still_to_serve(ask, self.served)
        if not windows or self.over:
            return
        if self.position != windows[0][0]:
            self._drop_stream()
            self.stages = None
            self.position = windows[0][0]
        await self._publish(ask, windows)

    async def _publish(self, ask: ItemsRequested, windows: list[handlers.Window]) -> None:
        """Reads the windows in parts; what was published of one part is said together with the next."""
        said: list[Outgoing] = []
        todo = deque(windows)
        while todo and not self.over:
            end = handlers.border(ask, todo[0][0])
            part = await (self._source_part(ask, todo) if end is None else self._staged_part(ask, todo, end))
            self.position += part.fact.count
            facts: list[Fact] = [part.fact] if part.fact.count else []
            if end is None and self.stream is not None and self.stream.ended:
                self.over = True
                facts.append(handlers.source_ended(ask, self.position))
            outgoing = [Outgoing(topics.HOME.name, self.home, encode(f)) for f in facts]
            if part.direct:
                await self.port.send([*_outgoing(part.frames), *said])
                said = outgoing
                self.deps.metrics.items_read(part.fact.items, part.fact.item_bytes)
            else:
                self.listed.append(Listed(part.fact, part.frames))
                await self.port.send([*said, *outgoing])
                said = []
        if said:
            await self.port.send(said)
        self.served = self.position

    async def _source_part(self, ask: ItemsRequested, todo: deque[handlers.Window]) -> _Part:
        read = await self._read(ask, handlers.take_part(todo, self.deps.limits))
        assert self.stream is not None
        too_large = handlers.item_too_large(read, self.deps.limits)
        if too_large:
            raise SourceTroubleError("States.DataLimitExceeded", too_large, retriable=False)
        listing = handlers.is_listing(ask.plan)
        frames = handlers.frames_of(ask, self.position, read, self.stream.text, self.deps.limits.frame_bytes_max)
        return _Part(handlers.items_read(ask, self.position, read, digest=listing), frames, direct=not listing)

    async def _staged_part(self, ask: ItemsRequested, todo: deque[handlers.Window], end: int) -> _Part:
        """Children of earlier generations, as many as are published at once; the rest of `todo` stays."""
        limits = self.deps.limits
        windows = handlers.take_part(todo, limits, end)
        wanted = sum(count for _, count, _ in windows)
        if self.stages is None:
            self.stages = StageReader(self.port, self.home, ask, limits, self.position)
        lost = self.position < handlers.lost_of(ask)
        try:
            children = await self.stages.read(wanted, limits.home_bytes_max)
            items = [staged.staged_item(child, lost=lost) for child in children]
        except HomeGoneError as gone:
            raise SourceTroubleError("States.ItemReaderFailed", gone.cause, retriable=False) from gone
        except (msgspec.DecodeError, zstandard.ZstdError, LookupError) as bug:
            cause = f"The outcomes of an earlier generation can't be read: {type(bug).__name__}: {bug}"
            raise SourceTroubleError("States.ItemReaderFailed", cause, retriable=False) from bug
        too_large = staged.too_large(items, limits)
        if too_large:
            raise SourceTroubleError("States.DataLimitExceeded", too_large, retriable=False)
        handlers.give_back(todo, windows, len(items))
        frames = staged.frames(ask, windows, items, limits, lost=lost)
        return _Part(staged.read(ask, self.position, items, lost=lost), frames, direct=True)

    async def _confirmed(self, ask: ItemsConfirmed) -> None:
        """Publishes what the fold accepted of a listing; who doesn't hold it lists it again and compares."""
        while self.listed and self.listed[0].fact.first < ask.first:
            self.listed.popleft()
        head = self.listed[0] if self.listed else None
        if head is not None and (head.fact.first, head.fact.count, head.fact.digest) == (
            ask.first,
            ask.count,
            ask.digest,
        ):
            self.listed.popleft()
            await self.port.send(_outgoing(head.frames))
            return

        def listing_again() -> tuple[list[tuple[Positions, int]], str]:
            stream = self._opening(ask, _Place(ask.first, ask.checkpoint, ask.item_index))
            try:
                return handlers.read_part(stream, handlers.windows_of(ask.windows), self.deps.limits), stream.text
            finally:
                self._close(stream.source)

        read, text = await self._calling(listing_again)
        again = handlers.items_read(ask, ask.first, read, digest=True)
        if (again.count, again.digest) != (ask.count, ask.digest):
            raise SourceTroubleError("States.ItemReaderFailed", handlers.LISTING_CHANGED, retriable=False)
        if self.position < ask.first + ask.count and self.stream is not None:
            self._drop_stream()  # it read other keys than the accepted ones
        await self.port.send(
            _outgoing(handlers.frames_of(ask, ask.first, read, text, self.deps.limits.frame_bytes_max))
        )


def _outgoing(frames: list[tuple[int, ItemFrame]]) -> list[Outgoing]:
    """Frames on their lanes; the identity stands in a header too, so an unreadable body can still be told."""
    return [
        Outgoing(
            topics.ITEMS.name,
            lane,
            encode(frame),
            headers=(("positions", f"{frame.run}/{frame.generation}/{frame.first}/{len(frame.items)}".encode()),),
        )
        for lane, frame in frames
    ]
