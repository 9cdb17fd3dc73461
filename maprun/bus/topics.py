"""How the topics of the registry should stand on a cluster: counts, settings, copies."""

from collections.abc import Sequence

import msgspec

from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings
from schemas.topics import CLUSTER, DAY_MS, EXECUTION_REQUESTS, HOME, SCHEDULER_ARCHIVE, TOPICS, TRACKER_ARCHIVE, Topic

USER_PARTITIONS = 4  # of execution-requests when it is made: gates share them; users may add more, as they like
FLUSH = "flush.messages"
MUST = ("cleanup.policy", "max.message.bytes", "message.timestamp.type", "unclean.leader.election.enable", FLUSH)
"""Settings of a topic that must be the registry's, whoever made the topic."""
_OUTLIVES = (HOME, SCHEDULER_ARCHIVE, TRACKER_ARCHIVE)
"""Topics that tell of executions for as long as those are remembered."""
CLUSTER_SETTING = {"delete.retention.ms": "109112114"}
"""By this odd number (the letters m, p, r) a topic `cluster` is known as ours before its first record is in it."""
_SEGMENT_BYTES = 128 << 20
_TRIMMED_SEGMENT_BYTES = 32 << 20  # the broker deletes whole segments: what a lane's topic keeps beyond need, at most
_COMPACTED_SEGMENT_MS = 600_000
_SEGMENTS_KEPT = 10  # of a topic that is kept for a time: a segment is deleted once its newest record is old enough
_SEGMENT_MS_MIN, _SEGMENT_MS_MAX = 60_000, DAY_MS
REPLICAS = 3
_REPLICAS_IN_SYNC = 2


class TopicsDifferError(SetupError):
    """The topics are not ours, not those that we knew, or not of the settings' sizes; the message says what to do."""


class Standing(msgspec.Struct, frozen=True):
    """One topic that exists, or that may not be looked at (`allowed` is then empty, and so is what else is said)."""

    id: str  # Kafka's own: another one for a topic made again under the same name
    partitions: int
    allowed: frozenset[str]  # operations that this client may do, in Kafka's words
    leaderless: tuple[int, ...] = ()  # partitions that no broker leads at present
    copies: int = 0  # of the partition that has the fewest; 0 = not told


class Wanted(msgspec.Struct, frozen=True):
    """One topic as it should stand on the cluster."""

    name: str  # as Kafka knows it, with the prefix
    partitions: int
    copies: int  # -1 = the cluster's own default
    config: dict[str, str]
    keeps: bool = False  # what histories are told from


def partitions_of(topic: Topic, settings: Settings) -> int:
    """The number of partitions of a topic under these settings."""
    return {"user": USER_PARTITIONS, "homes": settings.homes, "lanes": settings.lanes, "one": 1}[topic.partitioned_by]


def wanted(settings: Settings, limits: Limits, brokers: int = 1, topics: Sequence[Topic] = TOPICS) -> list[Wanted]:
    """Topics of the registry as they should stand on a cluster of so many brokers."""
    copies = replicas(settings, brokers)
    return [
        Wanted(
            settings.prefix + t.name,
            partitions_of(t, settings),
            copies,
            _config(t, settings, limits, brokers),
            t in _OUTLIVES,
        )
        for t in topics
    ]


def replicas(settings: Settings, brokers: int) -> int:
    """Copies of each partition; -1 = as many as the cluster gives a topic that asks for no number."""
    return settings.replicas or min(REPLICAS, max(1, brokers))


def in_sync(settings: Settings, brokers: int) -> int:
    """Copies that must have a record before it is acknowledged; -1 = what the cluster asks of every topic."""
    copies = replicas(settings, brokers)
    return settings.min_insync or (copies if copies < 0 else min(_REPLICAS_IN_SYNC, copies))


def retention_ms_of(topic: Topic, settings: Settings) -> int:
    """How long a topic keeps its records; -1 = until they are trimmed. What tells of executions outlives them."""
    return int((settings.retention_days + 1) * DAY_MS) if topic in _OUTLIVES else topic.retention_ms


def _config(topic: Topic, settings: Settings, limits: Limits, brokers: int) -> dict[str, str]:
    kept_ms = retention_ms_of(topic, settings)
    config = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(kept_ms),
        "max.message.bytes": str(limits.record_bytes_max),
        "message.timestamp.type": "LogAppendTime" if topic.broker_timestamps else "CreateTime",
        # An epoch is an offset (PROTOCOL, rule 4): the log must not be cut back.
        "unclean.leader.election.enable": "false",
        "segment.bytes": str(_TRIMMED_SEGMENT_BYTES if topic.partitioned_by == "lanes" else _SEGMENT_BYTES),
        # Frames are compressed already; the broker must not do it again.
        "compression.type": "producer",
    }
    enough = in_sync(settings, brokers)
    if enough > 0:
        config["min.insync.replicas"] = str(enough)
    if settings.durability == "disk" and not topic.replaceable:
        # Positions are kept only of what was acknowledged: flushed before, it outlives a loss of power with them.
        config[FLUSH] = "1"
    if topic is EXECUTION_REQUESTS:
        # Users choose their clients: what they compress with codecs we don't carry, the broker unpacks.
        config["compression.type"] = "uncompressed"
    if kept_ms > 0:
        config["segment.ms"] = str(min(_SEGMENT_MS_MAX, max(_SEGMENT_MS_MIN, kept_ms // _SEGMENTS_KEPT)))
    if topic.compacted:
        config["segment.ms"] = str(_COMPACTED_SEGMENT_MS)
        config["min.cleanable.dirty.ratio"] = "0.3"
    if topic is CLUSTER:
        config |= CLUSTER_SETTING
    if topic.tombstones_within_ms:
        config["max.compaction.lag.ms"] = str(topic.tombstones_within_ms)
    return config
