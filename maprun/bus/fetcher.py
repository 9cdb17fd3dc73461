"""Fetching for all feeds of a process: a few connections a broker, so that quiet partitions never hold up busy ones.

aiokafka's consumer fetches the partitions of an assignment that must be replaced as a whole, one request at a time,
and not at all while one of them holds records not yet taken. Lanes come and go and differ in pace, so requests are
made here, on aiokafka's client: one long poll a broker over the partitions that were quiet, short ones beside it over
those that were not.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaClient, TopicPartition
from aiokafka.errors import (
    KafkaError,
    NoError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.admin import DeleteRecordsRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest

from maprun.bus.feeds import CorruptRecordError, KafkaFeed, decode
from maprun.bus.limits import BusLimits
from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.mark import BEGIN_ANEW
from maprun.bus.port import BusError, Record
from maprun.runtime import logs
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError

_READS, _OFFSETS, _POLLS = 10, 11, 12  # connections of a broker are told apart by a number; aiokafka uses 0 and 1
_QUIET_CONNECTIONS = (0, 1)
_EARLIEST, _LATEST = -2, -1
_READ_UNCOMMITTED = 0
_SAID_AGAIN_SECONDS = 10.0
_CLOCK_SLACK_SECONDS = 0.005  # timers may ring a little early


class Figures:
    """What the fetcher has done, for metrics."""

    __slots__ = ("answers", "bytes", "errors", "records", "trims_refused")

    def __init__(self) -> None:
        self.answers = 0
        self.records = 0
        self.bytes = 0
        self.errors = 0
        self.trims_refused = 0


class LogCutError(SetupError):
    """A log lost records at its end that were acknowledged: what was kept beside it leads nowhere."""


class _Poll:
    """One fetch request under way, and the feeds it was made for."""

    __slots__ = ("feeds",)

    def __init__(self, feeds: dict[tuple[str, int], KafkaFeed]) -> None:
        self.feeds = feeds


class Fetcher:
    """Serves the feeds of a process from one client. Topics are called as in the registry; Kafka adds the prefix."""

    def __init__(self, client: AIOKafkaClient, prefix: str, limits: Limits, own: BusLimits) -> None:
        self._client = client
        self._prefix = prefix
        self._limits = limits
        self._own = own
        self._loop = asyncio.get_running_loop()
        self._polls: defaultdict[int, dict[int, _Poll]] = defaultdict(dict)  # node -> connection -> request under way
        self._tasks: set[asyncio.Task[None]] = set()
        self._kicked = False
        self._closed = False
        self._trouble = ""
        self._trouble_said = -_SAID_AGAIN_SECONDS
        self._trims_refused: set[str] = set()
        self._beyond: dict[tuple[str, int], float] = {}  # partitions that end before what is read of them: since when
        self.feeds: list[KafkaFeed] = []
        self.figures = Figures()

    def feed(self, topic: str, partition: int, offset: int, mailbox: KafkaMailbox) -> KafkaFeed:
        """A new feed from `offset` on; an offset before the log's start begins at its start."""
        feed = KafkaFeed(self, topic, partition, offset, mailbox, self._own.feed_bytes_max)
        self.feeds.append(feed)
        self.kick()
        return feed

    def kick(self) -> None:
        """Looks for something to fetch, soon and once."""
        if not self._kicked and not self._closed:
            self._kicked = True
            self._loop.call_soon(self._dispatch)

    async def close(self) -> None:
        """Ends all requests."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------------ feeds

    def _dispatch(self) -> None:
        """Starts a request for every feed that may be fetched, as far as connections are free."""
        self._kicked = False
        if self._closed:
            return
        if any(feed.closed for feed in self.feeds):
            self.feeds = [feed for feed in self.feeds if not feed.closed]
        now = self._loop.time()
        ready: defaultdict[int, list[KafkaFeed]] = defaultdict(list)
        for feed in self.feeds:
            if not feed.ready():
                continue
            if feed.not_before > now + _CLOCK_SLACK_SECONDS:
                continue  # `_back_off` has ordered a kick
            node = self._leader(feed.topic, feed.partition)
            if node is None:
                self._back_off([feed])
                continue
            ready[node].append(feed)
        for node, feeds in ready.items():
            self._poll_node(node, feeds)

    def _poll_node(self, node: int, feeds: list[KafkaFeed]) -> None:
        polls = self._polls[node]
        quiet = [feed for feed in feeds if feed.quiet]
        free = next((c for c in _QUIET_CONNECTIONS if c not in polls), None)
        if quiet and free is not None:
            # Partitions that fall quiet one after the other end up in one long poll: a newer request takes over what
            # the one under way waits for, whose answer is passed over when it comes.
            for connection in _QUIET_CONNECTIONS:
                poll = polls.get(connection)
                if poll is not None:
                    quiet += [feed for feed in poll.feeds.values() if feed.poll is poll and feed.wants()]
            left = self._poll(node, free, quiet, self._own.quiet_poll_ms)
            feeds = [feed for feed in feeds if not feed.quiet] + [feed for feed in left if feed.poll is None]
        for connection in range(len(_QUIET_CONNECTIONS), self._own.fetch_connections_max):
            if feeds and connection not in polls:
                feeds = self._poll(node, connection, feeds, self._own.busy_poll_ms)

    def _poll(self, node: int, connection: int, feeds: list[KafkaFeed], wait_ms: int) -> list[KafkaFeed]:
        """Starts a request for feeds and answers those left out: it names a partition once, two feeds may read it."""
        chosen: dict[tuple[str, int], KafkaFeed] = {}
        left = [feed for feed in feeds if chosen.setdefault((feed.topic, feed.partition), feed) is not feed]
        poll = self._polls[node][connection] = _Poll(chosen)
        for feed in chosen.values():
            feed.poll = poll
        task = self._loop.create_task(self._fetch(node, connection, poll, wait_ms))
        self._tasks.add(task)
        task.add_done_callback(self._polled)
        return left

    def _polled(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug here must not leave owners waiting for ever.
            logs.logger("bus").error("fetch_failed", exc_info=error)
            for feed in self.feeds:
                feed.failed(BusError(f"fetching failed: {error!r}"))

    async def _fetch(self, node: int, connection: int, poll: "_Poll", wait_ms: int) -> None:
        """One request and its answer."""
        try:
            wanted = [(f.topic, f.partition, f.position) for f in poll.feeds.values()]
            answer = await self._client.send(node, self._request(wanted, wait_ms), group=_POLLS + connection)
        except KafkaError as error:
            self.figures.errors += 1
            self._troubled(node, repr(error))
            self._back_off([feed for feed in poll.feeds.values() if feed.poll is poll])
        else:
            self._answered(poll, answer)
        finally:
            for feed in poll.feeds.values():
                if feed.poll is poll:
                    feed.poll = None
            self._polls[node].pop(connection, None)
            self.kick()

    def _request(self, wanted: Iterable[tuple[str, int, int]], wait_ms: int) -> FetchRequest:
        topics: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for topic, partition, position in wanted:
            topics[self._prefix + topic].append((partition, position, self._own.partition_fetch_bytes_max))
        return FetchRequest(wait_ms, 1, self._limits.fetch_bytes_max, _READ_UNCOMMITTED, list(topics.items()))

    def _troubled(self, node: int, error: str) -> None:
        """A broker does not answer; others may, again and again, so it is said once in a while only."""
        self._trouble = error
        if self._loop.time() - self._trouble_said > _SAID_AGAIN_SECONDS:
            self._trouble_said = self._loop.time()
            logs.logger("bus").warning("fetching_stopped", node=node, error=error)

    def trouble(self) -> str:
        """Empty, or why nothing, or not all that is wanted, can be fetched at present."""
        if self._trouble:
            return self._trouble
        wanted = {(feed.topic, feed.partition) for feed in self.feeds if not feed.closed}
        leaderless = sorted(self._name(*each) for each in wanted if self._leader(*each) is None)
        return f"Kafka has no leader for {', '.join(leaderless)}" if leaderless else ""

    def _answered(self, poll: "_Poll", answer: Any) -> None:
        self._trouble = ""
        self.figures.answers += 1
        for topic, partitions in answer.topics:
            for partition, code, end, *rest in partitions:
                feed = poll.feeds[topic.removeprefix(self._prefix), partition]
                if feed.closed or feed.poll is not poll:
                    continue
                if code:
                    self._refused(feed, for_code(code))
                    continue
                feed.end = end
                data = rest[-1]
                feed.quiet = not data
                if data:
                    self._arrived(feed, data)

    def _arrived(self, feed: KafkaFeed, data: bytes) -> None:
        try:
            records, position = decode(feed.topic, feed.partition, data, feed.position)
        except CorruptRecordError as error:
            self.figures.errors += 1
            logs.logger("bus").warning("records_corrupt", error=str(error))
            self._back_off([feed])
            return
        self.figures.records += len(records)
        self.figures.bytes += len(data)
        feed.arrived(records, position, len(data))

    def _refused(self, feed: KafkaFeed, error: type[KafkaError]) -> None:
        """A broker's no for one partition: out of range is looked into, what may pass is tried again."""
        self.figures.errors += 1
        if error is OffsetOutOfRangeError:
            feed.held = True
            task = self._loop.create_task(self._back_in_range(feed))
            self._tasks.add(task)
            task.add_done_callback(self._polled)
        elif error.retriable:
            self._back_off([feed])
        else:
            feed.failed(BusError(f"{self._name(feed.topic, feed.partition)} can't be read: {error.__name__}"))

    async def _back_in_range(self, feed: KafkaFeed) -> None:
        """Below the log's start: what was there is gone by intent, go on at its start. Beyond its end: never."""
        try:
            feed.position = await self.in_range(feed.topic, feed.partition, feed.position)
        except (BusError, LogCutError) as error:
            feed.failed(error)
        finally:
            feed.held = False
            self.kick()

    def _back_off(self, feeds: list[KafkaFeed]) -> None:
        self._client.force_metadata_update()
        until = self._loop.time() + self._own.fetch_retry_seconds
        for feed in feeds:
            feed.not_before = until
        self._loop.call_at(until, self.kick)

    # ------------------------------------------------------------------ single questions

    async def end_offset(self, topic: str, partition: int) -> int:
        """The offset that the next record of this partition will get."""
        return await self._offset(topic, partition, _LATEST)

    async def start_offset(self, topic: str, partition: int) -> int:
        """The offset of the oldest record kept (or of the end, if none is)."""
        return await self._offset(topic, partition, _EARLIEST)

    async def trim(self, topic: str, partition: int, before: int) -> None:
        """Deletes the records below `before`. What can't be deleted now is deleted with the next: it is only logged."""
        timeout_ms = int(self._own.request_seconds_max * 1000)
        try:
            request = DeleteRecordsRequest([(self._prefix + topic, [(partition, before)])], timeout_ms)
            [(_, [(_, _, code, *_)], *_)] = (await self._tried(topic, partition, request, _OFFSETS)).topics
        except BusError as error:
            logs.logger("bus").warning("records_not_deleted", topic=topic, partition=partition, error=str(error))
            return
        if for_code(code) is TopicAuthorizationFailedError:
            self._trim_refused(self._prefix + topic)
        elif code:
            name = for_code(code).__name__
            logs.logger("bus").warning("records_not_deleted", topic=topic, partition=partition, error=name)

    def _trim_refused(self, name: str) -> None:
        """The right is missing: what is not deleted now is not deleted later either, so that is said, and counted."""
        self.figures.trims_refused += 1
        if name not in self._trims_refused:
            self._trims_refused.add(name)
            why = f"Kafka does not allow this client Delete on topic {name}: its records stay, and the disk fills"
            logs.logger("bus").error("records_not_deleted", topic=name, error=why)

    async def in_range(self, topic: str, partition: int, position: int) -> int:
        """The position, or the log's start if that is later.

        Raises BusError if the log ends before it, as it may seem while another broker takes over; LogCutError when that
        lasts.
        """
        start = await self.start_offset(topic, partition)
        if position < start:
            logs.logger("bus").warning("records_gone", topic=topic, partition=partition, first=position, kept=start)
            return start
        end = await self.end_offset(topic, partition)
        if position > end:
            since = self._beyond.setdefault((topic, partition), self._loop.time())
            said = f"{self._name(topic, partition)} ends at {end}, and {position} was kept as its next offset"
            if self._loop.time() - since > self._own.cut_back_seconds:
                raise LogCutError(f"{said}: Kafka lost records of it. To go on, {BEGIN_ANEW}")
            raise BusError(said)
        self._beyond.pop((topic, partition), None)
        return position

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """The records with offsets in [first, end) that are there now."""
        read: list[Record] = []
        position = first
        until = self._loop.time() + self._own.request_seconds_max
        while position < end:
            [(_, [(_, code, high, *rest)])] = (await self._ask(topic, partition, position)).topics
            error = for_code(code)
            if error is OffsetOutOfRangeError:
                position = await self.in_range(topic, partition, position)
                continue
            if error is not NoError:
                if not error.retriable or self._loop.time() > until:
                    raise BusError(f"{self._name(topic, partition)} can't be read: {error.__name__}")
                await self._wait_for_metadata()
                continue
            until = self._loop.time() + self._own.request_seconds_max
            records, position = decode(topic, partition, rest[-1], position)
            read.extend(records)
            if position >= high:
                break
        while read and read[-1].offset >= end:
            read.pop()
        return read

    async def _ask(self, topic: str, partition: int, position: int) -> Any:
        return await self._tried(
            topic, partition, self._request([(topic, partition, position)], self._own.busy_poll_ms), _READS
        )

    async def _offset(self, topic: str, partition: int, which: int) -> int:
        until = self._loop.time() + self._own.request_seconds_max
        while True:
            request = OffsetRequest(-1, _READ_UNCOMMITTED, [(self._prefix + topic, [(partition, which)])])
            [(_, [(_, code, *rest)])] = (await self._tried(topic, partition, request, _OFFSETS)).topics
            if not code:
                return int(rest[-1])
            error = for_code(code)
            if not error.retriable or self._loop.time() > until:
                raise BusError(f"{self._name(topic, partition)} has no offsets to tell: {error.__name__}")
            await self._wait_for_metadata()

    async def _tried(self, topic: str, partition: int, request: Any, connection: int) -> Any:
        """The answer of the partition's leader; asks again while the time for a request lasts."""
        until = self._loop.time() + self._own.request_seconds_max
        while True:
            node = self._leader(topic, partition)
            try:
                if node is not None:
                    return await self._client.send(node, request, group=connection)
                error: Exception = BusError(f"{self._name(topic, partition)} has no leader")
            except KafkaError as raised:
                error = raised
            if self._loop.time() > until:
                raise BusError(f"{self._name(topic, partition)}: {error!r}") from error
            await self._wait_for_metadata()

    def _leader(self, topic: str, partition: int) -> int | None:
        """The node that leads a partition; None while there is none."""
        node: int | None = self._client.cluster.leader_for_partition(TopicPartition(self._prefix + topic, partition))
        return None if node == -1 else node

    def _name(self, topic: str, partition: int) -> str:
        """A partition as Kafka knows it, for messages."""
        return f"{self._prefix}{topic}/{partition}"

    async def _wait_for_metadata(self) -> None:
        self._client.force_metadata_update()
        await asyncio.sleep(self._own.fetch_retry_seconds)
