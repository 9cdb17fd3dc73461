"""Publishing for all owners of a process: one idempotent producer, whose failure ends the process."""

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ClusterAuthorizationFailedError, KafkaError

from maprun.bus.limits import BusLimits
from maprun.bus.port import BusError, Outgoing, TooLargeError
from maprun.bus.rights import NotAllowedError
from maprun.bus.security import client_options
from maprun.runtime import clock
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings

_TICK_SECONDS = 1.0
_BROKER_TIME = 1  # timestamp_type of a record whose topic takes the broker's clock


class BrokerClock:
    """A clock that takes no step of its own, moved as little as the broker's timestamps ask for.

    Were it the wall clock, a process would sleep for a day whose clock is set back by one: what it waits for is due by
    the clock from before, and only what it publishes would tell it.

    A record was stamped after it left and before its acknowledgement came, so the broker's clock is ahead of ours by
    something between two bounds; as long as ours lies between them it is left alone.
    """

    __slots__ = ("_ahead_ms",)

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return clock.steady_ms() + self._ahead_ms

    def seen(self, stamped_ms: int, sent_ms: int, acknowledged_ms: int) -> None:
        """A record sent and acknowledged at these local times carries this timestamp of the broker."""
        self._ahead_ms = min(max(self._ahead_ms, stamped_ms - acknowledged_ms), stamped_ms - sent_ms)


class Sender:
    """The process's producer. `on_broken` is called once, with the reason, when nothing can be published any more.

    An idempotent producer that lost a batch can't go on: what follows would stand in the log without what went before.
    """

    def __init__(
        self, settings: Settings, limits: Limits, own: BusLimits, on_broken: Callable[[BusError], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._servers = settings.kafka
        self._prefix = settings.prefix
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka,
            **client_options(settings),
            client_id=settings.prefix + settings.instance,
            enable_idempotence=True,
            acks="all",
            linger_ms=own.linger_ms,
            max_batch_size=own.batch_bytes_max,
            max_request_size=limits.record_bytes_max,
            request_timeout_ms=int(own.request_seconds_max * 1000),
        )
        self._value_bytes_max = limits.value_bytes_max
        self._on_broken = on_broken
        self._broken: BusError | None = None
        self._ticks_max = int(own.send_seconds_max / _TICK_SECONDS)
        self._tick = 0
        self._timer: asyncio.TimerHandle | None = None
        self._open: dict[int, int] = {}  # number of a send -> tick of its beginning, oldest first
        self._sends = 0
        self.clock = BrokerClock()
        self.records = 0
        self.bytes = 0

    async def start(self) -> None:
        """Connects. Raises BusError, and NotAllowedError when this client may write nowhere."""
        try:
            await self._producer.start()
        except ClusterAuthorizationFailedError as error:
            raise NotAllowedError(
                f"Kafka at {self._servers} does not allow this client to write at all: it takes Write on the topics"
                f" under {self._prefix!r}, and Create to make them"
            ) from error
        except KafkaError as error:
            raise BusError(f"no producer: {error!r}") from error
        self._timer = self._loop.call_later(_TICK_SECONDS, self._watch)

    async def close(self, seconds: float) -> None:
        """Waits a little for what is under way and disconnects."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            await asyncio.wait_for(self._producer.stop(), seconds)
        except (TimeoutError, KafkaError) as error:
            raise BusError(f"records were not acknowledged before the end: {error!r}") from error

    @property
    def broken(self) -> BusError | None:
        """Why nothing can be published any more."""
        return self._broken

    @property
    def oldest_seconds(self) -> float:
        """For how long the oldest record under way has waited."""
        return (self._tick - next(iter(self._open.values()), self._tick)) * _TICK_SECONDS

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publishes in order (per partition) and waits for all acknowledgements: the offsets.

        Raises TooLargeError, and BusError when the producer is broken, which ends the process.
        """
        if self._broken is not None:
            raise self._broken
        for message in messages:
            if len(message.value or b"") + len(message.key or b"") > self._value_bytes_max:
                size = len(message.value or b"")
                raise TooLargeError(f"{size} bytes for {message.topic}/{message.partition}: above the record limit")
        self._sends += 1
        number = self._sends
        self._open[number] = self._tick
        sent_ms = clock.steady_ms()
        futures: list[asyncio.Future[object]] = []
        offsets: list[int] = []
        try:
            publish = self._producer.send
            for message in messages:
                topic, partition = self._prefix + message.topic, message.partition
                value, key = message.value, message.key
                futures.append(await publish(topic, value, key, partition, None, list(message.headers)))
                self.bytes += len(value) if value is not None else 0
            stamped = -1
            for future in futures:
                acknowledged = await future
                offsets.append(acknowledged.offset)  # type: ignore[attr-defined]
                if acknowledged.timestamp_type == _BROKER_TIME:  # type: ignore[attr-defined]
                    stamped = acknowledged.timestamp  # type: ignore[attr-defined]
        except (KafkaError, AssertionError) as error:
            raise self._break(BusError(f"publishing failed: {error!r}"), futures) from error
        finally:
            self._open.pop(number, None)
        if stamped >= 0:
            self.clock.seen(stamped, sent_ms, clock.steady_ms())
        self.records += len(offsets)
        return offsets

    def _break(self, error: BusError, futures: Sequence["asyncio.Future[object]"] = ()) -> BusError:
        for future in futures:
            future.add_done_callback(_look_at)
        if self._broken is None:
            self._broken = error
            self._on_broken(error)
        return error

    def _watch(self) -> None:
        """Counts time in which this process ran: a process that was stopped for an hour has not waited for an hour."""
        self._tick += 1
        if self._open and self._tick - next(iter(self._open.values())) > self._ticks_max:
            self._break(BusError(f"a record was not acknowledged for {self._ticks_max * _TICK_SECONDS:.0f} s"))
            return
        self._timer = self._loop.call_later(_TICK_SECONDS, self._watch)


def _look_at(future: "asyncio.Future[object]") -> None:
    """Takes a future's exception, so that asyncio doesn't report it as forgotten."""
    if not future.cancelled():
        future.exception()
