"""What the topic `cluster` says: the mark by which topics are known as ours, and as the ones we knew. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from maprun.bus.topics import Standing, TopicsDifferError, partitions_of
from maprun.runtime.settings import Settings
from schemas.cluster import (
    ClusterBegan,
    ClusterRecord,
    LimitsSet,
    ProcessStarted,
    TokenSecretSet,
    TopicsIntended,
    TopicsNamed,
)
from schemas.topics import CLUSTER, TOPICS, Topic
from schemas.wire import Decoder

_decoder: Decoder[ClusterRecord] = Decoder(ClusterRecord)
CREATE = "`maprun topics apply`"
ADOPT = "`maprun topics apply --adopt`"
BEGIN_ANEW = (
    "restore this Kafka's disks from a backup, or run `maprun topics apply --begin-anew`, which deletes"
    " what is left of this maprun (all its executions) and makes its topics new"
)


class Mark(msgspec.Struct, frozen=True):
    """All topics of one beginning. Nothing is written, deleted, altered or read that it doesn't name."""

    began: int  # offset of the ClusterBegan
    homes: int
    lanes: int
    intended: frozenset[str] = frozenset()  # names of the registry
    topics: Mapping[str, str] = {}  # name in the registry → Kafka's id
    limits: LimitsSet | None = None  # None = none were set, as before there were any
    token_secret: bytes = b""  # likewise


def fold_mark(records: Iterable[tuple[int, ClusterRecord]]) -> Mark | None:
    """The mark that records at these offsets leave; None before any ClusterBegan."""
    mark: Mark | None = None
    for offset, record in records:
        match record:
            case ClusterBegan():
                if record.after == (-1 if mark is None else mark.began):
                    mark = Mark(offset, record.homes, record.lanes)
            case TopicsIntended():
                if mark is not None and record.began == mark.began:
                    mark = msgspec.structs.replace(mark, intended=mark.intended | set(record.topics))
            case TopicsNamed():
                if mark is not None and record.began == mark.began:
                    mark = msgspec.structs.replace(mark, topics={**mark.topics, **record.topics})
            case LimitsSet():
                if mark is not None and record.began == mark.began:
                    mark = msgspec.structs.replace(mark, limits=record)
            case TokenSecretSet():
                if mark is not None and record.began == mark.began and not mark.token_secret:
                    mark = msgspec.structs.replace(mark, token_secret=record.secret)
            case ProcessStarted():
                pass
    return mark


def decode(value: bytes | None) -> ClusterRecord:
    """A record of the topic `cluster`. Raises msgspec.DecodeError when the bytes are none."""
    return _decoder.decode(value or b"")


# ---------------------------------------------------------------------- judgements


def require(settings: Settings, mark: Mark | None, found: Mapping[str, Standing]) -> Mark:
    """The mark, if these topics (by their names on Kafka) are those it knows. Raises TopicsDifferError."""
    if mark is None and not found:
        raise TopicsDifferError(
            f"on Kafka at {settings.kafka} there is no maprun under the prefix {settings.prefix!r}: run {CREATE}"
        )
    said = strange(settings, mark, found) or (
        "" if mark is None else differing(settings, mark, found) or unlike(settings, mark)
    )
    if said or mark is None:
        raise TopicsDifferError(said)
    missing = [topic for topic in TOPICS if settings.prefix + topic.name not in found]
    if missing:
        raise TopicsDifferError(f"{_named(settings, missing)} {_is(missing)} not there: run {CREATE}")
    if not mark.token_secret:
        raise TopicsDifferError(
            f"{_named(settings, [CLUSTER])} holds no secret for task tokens, which an earlier version did not make: run"
            f" {CREATE}"
        )
    return mark


def not_ours(settings: Settings) -> str:
    """What to say of a topic `cluster` that holds other records than ours, or none and not our settings."""
    return (
        f"{_named(settings, [CLUSTER])} is somebody else's: it doesn't hold what maprun writes first. It is left alone,"
        " and so are all topics of this prefix. Set MAPRUN_PREFIX to a prefix that nobody uses"
    )


def strange(settings: Settings, mark: Mark | None, found: Mapping[str, Standing]) -> str:
    """What to say about topics that stand under our names without our mark; empty if there are none."""
    known = {} if mark is None else mark.topics
    topics = [
        topic
        for topic in TOPICS
        if topic is not CLUSTER  # which is known by what it holds
        and (stands := found.get(settings.prefix + topic.name)) is not None
        # What is made anew is known by its name, unless it was of no worth: then it may be anybody's.
        and (topic.name not in known or (topic.replaceable and known[topic.name] != stands.id))
    ]
    if not topics:
        return ""
    return (
        f"{_named(settings, topics)} {_is(topics)} there already, and nothing says that maprun made"
        f" {_them(topics)}: somebody else's topics are left alone. Set MAPRUN_PREFIX to a prefix that nobody uses, or"
        f" delete {_them(topics)}; topics without records that were made for maprun are taken by {ADOPT}"
    )


def differing(settings: Settings, mark: Mark, found: Mapping[str, Standing]) -> str:
    """What to say when topics are not as the mark knows them; empty if they are, or if what lacks can be made."""
    for name, asked, made in (
        ("MAPRUN_HOMES", settings.homes, mark.homes),
        ("MAPRUN_LANES", settings.lanes, mark.lanes),
    ):
        if asked != made:
            return (
                f"{name} is {asked}, but the topics under {settings.prefix!r} on Kafka at {settings.kafka} were made"
                f" with {made}, for good: set it to {made}"
            )
    stands = {topic: found.get(settings.prefix + topic.name) for topic in TOPICS}
    kept = {topic: now for topic, now in stands.items() if topic.name in mark.topics and not topic.replaceable}
    anew = [topic for topic, now in kept.items() if now is not None and now.id != mark.topics[topic.name]]
    if anew:
        return (
            f"{_named(settings, anew)} {_was(anew)} deleted and made anew: the records are lost, and what was kept"
            f" beside them leads nowhere. To go on, {BEGIN_ANEW}"
        )
    gone = [topic for topic, now in kept.items() if now is None]
    if gone:
        return f"{_named(settings, gone)} {_is(gone)} gone, and the records with {_them(gone)}. To go on, {BEGIN_ANEW}"
    for topic, now in stands.items():
        made = partitions_of(topic, settings)
        if now is not None and now.partitions != made and topic.partitioned_by != "user":
            return (
                f"{_named(settings, [topic])} has {now.partitions} partitions and was made with {made}; Kafka takes"
                f" none away, and with more the records of one execution would be apart. To go on, {BEGIN_ANEW}"
            )
    return ""


def limits_of(settings: Settings, began: int) -> LimitsSet:
    """The limits of these settings that scheduler and tracker must share: each folds home by itself."""
    sizes = settings.payload_bytes_max, settings.history_events_max, settings.retention_days
    return LimitsSet(began, *sizes, settings.open_executions_max, settings.open_map_runs_max)


def unlike(settings: Settings, mark: Mark) -> str:
    """What to say when this process would judge by other limits than the others do; empty if it wouldn't."""
    for name, set_to, asked in changed_limits(settings, mark):
        return (
            f"{name} is {asked} here, and {set_to} for all of this maprun ({settings.prefix!r} on Kafka at"
            f" {settings.kafka}): processes that judge by different limits come to different results. Set it to"
            f" {set_to}, or stop all services, run {CREATE} with the new value, and start them with it"
        )
    return ""


def changed_limits(settings: Settings, mark: Mark) -> list[tuple[str, float, float]]:
    """The limits that are others for all of this maprun than in these settings: variable, value of all, value here."""
    return [
        (name, set_to, asked)
        for name, field in (
            ("MAPRUN_PAYLOAD_BYTES_MAX", "payload_bytes_max"),
            ("MAPRUN_HISTORY_EVENTS_MAX", "history_events_max"),
            ("MAPRUN_RETENTION_DAYS", "retention_days"),
            ("MAPRUN_OPEN_EXECUTIONS_MAX", "open_executions_max"),
            ("MAPRUN_OPEN_MAP_RUNS_MAX", "open_map_runs_max"),
        )
        if mark.limits is not None and (set_to := getattr(mark.limits, field)) != (asked := getattr(settings, field))
    ]


def _named(settings: Settings, topics: Sequence[Topic]) -> str:
    """Some topics of one Kafka, by name, at the beginning of a sentence."""
    names = ", ".join(settings.prefix + topic.name for topic in topics)
    return f"on Kafka at {settings.kafka} the topic{'s' * (len(topics) > 1)} {names}"


def _is(topics: Sequence[Topic]) -> str:
    return "are" if len(topics) > 1 else "is"


def _was(topics: Sequence[Topic]) -> str:
    return "were" if len(topics) > 1 else "was"


def _them(topics: Sequence[Topic]) -> str:
    return "them" if len(topics) > 1 else "it"
