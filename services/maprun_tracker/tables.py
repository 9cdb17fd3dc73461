"""Faust as the tracker needs it: group, one table with its changelog, and the mends without which it loses rows.

Neither home nor the table's changelog is read through Faust. Home's position would be set by Faust (to what the group
committed, at three places) and by the table's mark, in two threads and no order. Its recovery of a table stood still
now and then, when the group was shared out anew meanwhile. Here Faust's consumer only says who owns which home, and
its table writes the changelog.
"""

import asyncio
import gc
import os
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import faust
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.auth import OAuthCredentials
from faust.tables.recovery import Recovery
from faust.transport.drivers.aiokafka import Consumer, ConsumerRebalanceListener
from faust.transport.producer import ProducerBuffer
from faust.types import AppT

from maprun.bus.security import password_of, tls_of
from maprun.bus.tokens import tokens_of
from maprun.runtime import logs
from maprun.runtime.limits import Limits
from maprun.runtime.process import EXIT_FATAL
from maprun.runtime.settings import Settings
from services.maprun_tracker.rows import home_of_key
from services.maprun_tracker.topology import OWNED, SERVICE, TABLE

BUFFERED_MESSAGES_MAX = 1_000
RECORDS_PER_POLL = 64
"""Rows are up to half a megabyte; Faust's default of 4,096 in each buffer could hold gigabytes."""
STREAM_BUFFER = 64
NEVER_SECONDS = 365 * 86_400.0
"""Faust complains of partitions that it doesn't read: those of home it is not meant to."""
PRODUCER_LINGER_SECONDS = 0.005
PRODUCER_BATCH_BYTES = 512 << 10


def member_name(settings: Settings) -> str:
    """The process's stable name in its group, with the API's address in it.

    The broker gives a member of a known name its old assignment back, and Faust refuses one that was made for another
    address, without a word and for ever.
    """
    place = urlsplit(settings.api)
    return f"{settings.instance}-{place.hostname}-{place.port}"


def credentials(settings: Settings) -> Any:
    """TLS and SASL in Faust's words; None without both."""
    access = settings.access
    tls = tls_of(access) if access.has_tls else None
    if access.has_tokens:
        return OAuthCredentials(oauth_cb=tokens_of(access), ssl_context=tls)
    if access.has_sasl:
        return faust.SASLCredentials(
            username=access.username, password=password_of(access), mechanism=access.mechanism, ssl_context=tls
        )
    return None if tls is None else faust.SSLCredentials(tls)


def make_app(settings: Settings, limits: Limits) -> faust.App:
    """The Faust application. Nothing connects before it is started."""
    data = settings.state_dir.absolute() / "tracker" / settings.instance
    data.mkdir(parents=True, exist_ok=True)  # Faust hangs without a word when its parent is missing
    return faust.App(
        settings.prefix + SERVICE,  # its group, and what the changelog's name begins with
        broker=";".join(f"kafka://{server}" for server in settings.kafka.split(",")),
        broker_credentials=credentials(settings),
        store="memory://",
        datadir=str(data),
        canonical_url=settings.api,
        web_enabled=False,
        autodiscover=False,
        topic_partitions=settings.homes,
        topic_disable_leader=True,
        broker_commit_livelock_soft_timeout=NEVER_SECONDS,
        topic_allow_declare=False,  # `maprun topics apply` makes them all, the changelog too
        broker_session_timeout=limits.session_timeout_seconds,
        broker_heartbeat_interval=limits.heartbeat_interval_seconds,
        broker_max_poll_records=RECORDS_PER_POLL,
        stream_buffer_maxsize=STREAM_BUFFER,
        stream_processing_timeout=NEVER_SECONDS,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=member_name(settings),
        broker_client_id=settings.prefix + settings.instance,
        consumer_max_fetch_size=limits.record_bytes_max,
        producer_acks=-1,
        producer_linger=PRODUCER_LINGER_SECONDS,
        producer_max_batch_size=PRODUCER_BATCH_BYTES,
        producer_max_request_size=limits.record_bytes_max,
        table_standby_replicas=0,
        Table=HomesTable,
    )


class HomesTable(faust.Table[bytes, bytes]):
    """A table whose keys say which partition they belong to, so that it can be written outside of Faust's streams."""

    def partition_for_key(self, key: bytes) -> int:
        """The changelog's partition is the home that the key begins with."""
        return home_of_key(key)


def make_table(app: faust.App, settings: Settings) -> Any:
    """The table `state`, bytes to bytes, in memory."""
    return app.Table(
        TABLE,
        store="memory://",
        key_type=bytes,
        value_type=bytes,
        partitions=settings.homes,
    )


def subscribe(app: faust.App, settings: Settings) -> None:
    """Has the group share out the partitions of home, and the table's with them, though nothing is read from them."""
    app.topics.add(app.topic(home_topic(app), key_type=bytes, value_type=bytes, partitions=settings.homes))


def stored_rows(table: Any) -> MutableMapping[bytes, bytes]:
    """The rows themselves, for reading; writes go through the table."""
    rows: MutableMapping[bytes, bytes] = table.data.data
    assert isinstance(rows, dict), "the table must be in memory"
    return rows


def home_topic(app: AppT) -> str:
    """The name of the topic `home` on Kafka: under the prefix that the application's own name has."""
    return str(app.conf.id).removesuffix(SERVICE) + OWNED


def changelog(app: faust.App) -> str:
    """The name of the table's changelog topic."""
    return f"{app.conf.id}-{TABLE}-changelog"


def homes_of(app: faust.App, assigned: Iterable[Any]) -> frozenset[int]:
    """The homes among assigned partitions."""
    topic = home_topic(app)
    return frozenset(tp.partition for tp in assigned if tp.topic == topic)


def others(app: faust.App) -> dict[str, list[int]]:
    """The other processes of the group, URL → homes, as the last assignment told every member."""
    own = str(app.conf.canonical_url)
    topic = changelog(app)
    return {
        str(url): sorted(topics.get(topic, ()))
        for url, topics in app.assignor.tables_metadata().items()
        if str(url) != own and topics.get(topic)
    }


def settled(app: faust.App) -> bool:
    """True when an assignment stands: no rebalance is under way, and Faust is through with the last one."""
    manager: Any = app.tables
    recovery = manager.recovery
    begins = recovery.signal_recovery_start.is_set()
    return bool(recovery.completed.is_set()) and not begins and not app.in_recovery and not app.rebalancing


def missing(app: faust.App) -> str:
    """What is missing before the table can be read, in words; "" = nothing."""
    consumer = _consumer(app)
    if consumer is None or consumer._coordinator is None or consumer._coordinator.generation < 0:  # noqa: SLF001
        return f"This process is not a member of group {app.conf.id} yet."
    if not settled(app):
        return "The homes are being shared out among the processes of the tracker."
    return ""


def leaderless(app: faust.App) -> str:
    """Which partitions of the changelog have no leader, in words; "" = all have one, as far as is known."""
    consumer, topic = _consumer(app), changelog(app)
    if consumer is None:
        return ""
    cluster = consumer._client.cluster  # noqa: SLF001 - who leads is told nowhere else
    partitions = sorted(cluster.partitions_for_topic(topic) or ())
    lacking = [p for p in partitions if cluster.leader_for_partition(TopicPartition(topic, p)) in {None, -1}]
    return f"Kafka has no leader for {', '.join(f'{topic}/{p}' for p in lacking)}" if lacking else ""


def check_group(app: faust.App) -> None:
    """Raises the KafkaError that ended the group's routine: it waits there for somebody to look."""
    consumer = _consumer(app)
    if consumer is not None and consumer._coordinator is not None:  # noqa: SLF001 - public only through reading
        consumer._coordinator.check_errors()  # noqa: SLF001 - as above


def _consumer(app: faust.App) -> Any:
    """The consumer of aiokafka under Faust's; None before it is made."""
    thread: Any = getattr(app.consumer, "_thread", None)
    return None if thread is None else thread._consumer  # noqa: SLF001 - Faust keeps it to itself


async def commit(app: faust.App, positions: Mapping[int, int]) -> None:
    """Tells the group how far homes are folded. It is for people, who look at lag: nobody goes on from there."""
    consumer: Any = app.consumer
    aio = _consumer(app)
    offsets = {TopicPartition(home_topic(app), home): OffsetAndMetadata(at, "") for home, at in positions.items()}
    try:
        await consumer._thread.call_thread(aio.commit, offsets)  # noqa: SLF001 - Faust's own ends the process on errors
    except (CommitFailedError, IllegalStateError):
        return  # given to somebody else meanwhile
    except KafkaError as error:
        logs.logger("tracker").warning("commit_failed", error=repr(error))


async def room(app: faust.App) -> None:
    """Waits while more rows wait to be sent than should."""
    producer: Any = app.producer
    await producer.buffer.wait_until_ebb()


def die(reason: str, error: BaseException | None = None) -> None:
    """Ends the process at once: what isn't written must not be acknowledged on the way out."""
    logs.logger("tracker").critical(reason, error=repr(error))
    os._exit(EXIT_FATAL)


def mend_faust(fatal: Callable[[str, BaseException | None], None] = die) -> None:
    """Mends Faust 0.15.3 in place; called once, before an application is started.

    Its buffer's flush returns after a pause of 0.1 s with rows unsent, which a recovery then misses; a row that could
    not be sent is only logged; it pauses partitions where it takes records out, but not where they are fetched; and it
    would recover the table by itself.
    """
    in_flight: set[asyncio.Future[Any]] = set()

    def sent(future: "asyncio.Future[Any]") -> None:
        in_flight.discard(future)
        if not future.cancelled() and future.exception() is not None:
            fatal("changelog_send_failed", future.exception())

    async def send_pending(_buffer: Any, message: Any) -> None:
        # Taken from the buffer and not yet handed to the producer, a record would be seen by neither: it is in flight.
        taken = asyncio.get_running_loop().create_future()
        in_flight.add(taken)
        try:
            future = await message.message.channel.publish_message(message, wait=False)
            in_flight.add(future)
            future.add_done_callback(sent)
        finally:
            in_flight.discard(taken)
            taken.set_result(None)

    async def flush_atmost(buffer: Any, max_messages: int | None = None) -> int:
        flushed = 0
        while buffer.size and (max_messages is None or flushed < max_messages):
            if buffer.state != "running":
                raise RuntimeError("the producer is not running")
            buffer.message_sent.clear()
            await buffer.message_sent.wait()
            flushed += 1
        if max_messages is None:
            while in_flight:
                await asyncio.wait(set(in_flight), return_when=asyncio.FIRST_COMPLETED)
        return flushed

    def recover_nothing(_recovery: Any, _table: Any, _partition: Any) -> None:
        """Owners read the changelog themselves."""

    class NothingFetched(ConsumerRebalanceListener):
        """Pauses all partitions as soon as they are assigned, before anything is fetched of them."""

        async def on_partitions_assigned(self, assigned: Any) -> None:
            self._thread._ensure_consumer().pause(*assigned)  # noqa: SLF001 - there is no other way
            await super().on_partitions_assigned(assigned)

    mends: tuple[tuple[type, str, object], ...] = (
        (Consumer, "RebalanceListener", NothingFetched),
        (ProducerBuffer, "max_messages", BUFFERED_MESSAGES_MAX),
        (ProducerBuffer, "_send_pending", send_pending),
        (ProducerBuffer, "flush_atmost", flush_atmost),
        (Recovery, "add_active", recover_nothing),
    )
    for owner, name, mend in mends:
        setattr(owner, name, mend)


def quieten_collector() -> None:
    """Full collections of a heap that only grows by rows cost tens of milliseconds: seldom ones will do."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
