"""Topics as they should stand on a cluster, and what keeps a service from running on another one."""

import msgspec
import pytest

from maprun.bus import limits as bus_limits
from maprun.bus import topics
from maprun.bus.limits import BusLimits
from maprun.runtime.limits import Limits, limits_of
from maprun.runtime.settings import Settings
from schemas.topics import TOPICS

PREFIX = "other-team_1."
WANTED = {w.name.removeprefix(PREFIX): w for w in topics.wanted(Settings(homes=3, lanes=5, prefix=PREFIX), Limits())}


def test_every_topic_of_the_registry_is_wanted() -> None:
    """None is forgotten, none invented, and all stand under the prefix."""
    assert {w.name for w in WANTED.values()} == {PREFIX + topic.name for topic in TOPICS}


@pytest.mark.parametrize(
    ("name", "partitions"), [("home", 3), ("items", 5), ("lane-journal", 5), ("rejected-requests", 1), ("machines", 3)]
)
def test_counts_follow_homes_and_lanes(name: str, partitions: int) -> None:
    """Partitions come from the settings by what a topic is partitioned by."""
    assert WANTED[name].partitions == partitions


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("home", "message.timestamp.type", "LogAppendTime"),
        ("lane-journal", "message.timestamp.type", "LogAppendTime"),
        ("items", "message.timestamp.type", "CreateTime"),
        ("home", "cleanup.policy", "delete"),
        ("home", "retention.ms", str(91 * 86_400_000)),
        ("home", "segment.ms", "86400000"),
        ("items", "segment.bytes", str(32 << 20)),
        ("home-snapshots", "cleanup.policy", "compact"),
        ("lane-journal", "cleanup.policy", "delete"),
        ("lane-journal", "retention.ms", "-1"),
        ("rejected-requests", "retention.ms", str(30 * 86_400_000)),
        ("items", "max.message.bytes", str(10 << 20)),
        ("execution-requests", "compression.type", "uncompressed"),
        ("items", "compression.type", "producer"),
        ("home", "min.insync.replicas", "1"),
        ("home", "unclean.leader.election.enable", "false"),
        ("maprun-tracker-state-changelog", "cleanup.policy", "compact"),
        ("maprun-tracker-state-changelog", "max.compaction.lag.ms", "86400000"),
        ("maprun-tracker-state-changelog", "max.message.bytes", str(10 << 20)),
        ("cluster", "delete.retention.ms", "109112114"),
    ],
)
def test_settings_follow_the_registry(name: str, key: str, value: str) -> None:
    """Timestamps, retention, compaction and sizes of a topic."""
    assert WANTED[name].config[key] == value


def test_home_is_kept_as_long_as_executions_and_a_day() -> None:
    """MAPRUN_RETENTION_DAYS decides what the disk keeps: old segments of home go a day after what they tell of."""
    [home] = [w for w in topics.wanted(Settings(retention_days=0.5), Limits()) if w.name == "maprun.home"]
    assert (home.config["retention.ms"], home.config["segment.ms"]) == ("129600000", "12960000")


def test_more_brokers_keep_more_copies() -> None:
    """With three brokers: three copies, two of which must have a record."""
    [home] = [w for w in topics.wanted(Settings(), Limits(), brokers=3) if w.name == "maprun.home"]
    assert (home.copies, topics.replicas(Settings(), 1)) == (3, 1)
    assert home.config["min.insync.replicas"] == "2"


@pytest.mark.parametrize(
    ("replicas", "min_insync", "brokers", "copies", "in_sync"),
    [
        (0, 0, 1, 1, "1"),
        (0, 0, 2, 2, "2"),
        (0, 0, 5, 3, "2"),
        (2, 0, 3, 2, "2"),
        (2, 1, 3, 2, "1"),
        (-1, 0, 3, -1, None),
        (-1, 2, 3, -1, "2"),
        (0, -1, 3, 3, None),
    ],
)
def test_copies_are_as_asked_or_the_clusters_own(
    replicas: int, min_insync: int, brokers: int, copies: int, in_sync: str | None
) -> None:
    """What is left to the cluster is not named when a topic is made, so a policy of its own decides."""
    settings = Settings(replicas=replicas, min_insync=min_insync)
    for wanted in topics.wanted(settings, Limits(), brokers):
        assert (wanted.copies, wanted.config.get("min.insync.replicas")) == (copies, in_sync)


def test_on_disk_is_what_positions_are_kept_of() -> None:
    """MAPRUN_KAFKA_DURABILITY=disk has each record flushed before it is acknowledged, but where none is read again."""
    flushed = {
        topic.name: wanted.config.get("flush.messages")
        for topic, wanted in zip(TOPICS, topics.wanted(Settings(durability="disk"), Limits()), strict=True)
    }
    assert flushed == {topic.name: None if topic.replaceable else "1" for topic in TOPICS}
    assert all("flush.messages" not in wanted.config for wanted in topics.wanted(Settings(), Limits()))


def test_a_request_may_take_as_long_as_a_slow_cluster_needs() -> None:
    """A record is sent at least three times before the process gives up on it."""
    limits = limits_of(Settings(request_timeout_seconds=60.0))
    own = bus_limits.check(bus_limits.bus_limits_of(limits), limits)
    assert (own.request_seconds_max, own.send_seconds_max) == (60.0, 180.0)


def test_a_lease_that_outlives_a_rebalance_is_refused() -> None:
    """The relation that makes a lease a proof is asserted at the start."""
    bus_limits.check(BusLimits(), Limits())
    with pytest.raises(AssertionError, match="lease"):
        bus_limits.check(BusLimits(rebalance_seconds_max=10.0), Limits())
    with pytest.raises(AssertionError, match="poll"):
        bus_limits.check(msgspec.structs.replace(BusLimits(), quiet_poll_ms=60_000), Limits())


@pytest.mark.parametrize("seconds", [6.0, 8.0, 10.0, 15.0, 30.0, 45.0, 300.0, 3_600.0])
@pytest.mark.parametrize("record_bytes_max", [4 << 20, 8 << 20, 256 << 20])
def test_every_session_timeout_and_record_limit_that_may_be_set_fits(seconds: float, record_bytes_max: int) -> None:
    """All other limits follow from these two, and hold their relations."""
    limits = limits_of(Settings(session_timeout_seconds=seconds, record_bytes_max=record_bytes_max))
    bus_limits.check(bus_limits.bus_limits_of(limits), limits)
    assert (limits.session_timeout_seconds, limits.record_bytes_max) == (seconds, record_bytes_max)


def test_the_defaults_are_the_limits_of_the_default_settings() -> None:
    """Nobody who sets nothing gets something else."""
    assert limits_of(Settings()) == Limits()
    assert bus_limits.bus_limits_of(Limits()) == BusLimits()
