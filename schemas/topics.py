"""The registry of topics: key, partition count, retention, who writes, who reads, what travels."""

from typing import Literal

import msgspec

from schemas import activities, archives, asks, cluster, express, home, lanes, machines, reports, requests, snapshots

PartitionedBy = Literal["user", "homes", "lanes", "one"]
Service = Literal["user", "scheduler", "item-reader", "child-runner", "maprun-tracker"]
DAY_MS = 86_400_000


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic. `retention_ms` -1 keeps for ever (what is trimmed is deleted by offset); `compacted` keeps by key.

    `replaceable`: deleted, it is made again, for nobody keeps a position in it. `tombstones_within_ms`: what is deleted
    by key has left the disk so long after it, however little else changes. `trimmed_by`: who deletes records behind it.

    `key` says what the record key is made of; partitions are always chosen by number, never by hashing the key
    (except by users on `execution-requests`).
    """

    name: str
    partitioned_by: PartitionedBy
    key: str
    writers: tuple[Service, ...]
    readers: tuple[Service, ...]
    messages: tuple[type, ...] = ()
    retention_ms: int = -1
    compacted: bool = False
    broker_timestamps: bool = False
    replaceable: bool = False
    tombstones_within_ms: int = 0
    trimmed_by: tuple[Service, ...] = ()


ALL_SERVICES: tuple[Service, ...] = ("scheduler", "item-reader", "child-runner", "maprun-tracker")

EXECUTION_REQUESTS = Topic(
    name="execution-requests",
    partitioned_by="user",
    key="the user's own",
    writers=("user",),
    readers=("scheduler",),
    retention_ms=7 * DAY_MS,
)
REJECTED_REQUESTS = Topic(
    name="rejected-requests",
    partitioned_by="one",
    key="origin",
    writers=("scheduler",),
    readers=("user",),
    messages=(requests.RequestRejected,),
    retention_ms=30 * DAY_MS,
    replaceable=True,
)
EXECUTION_EVENTS = Topic(
    name="execution-events",
    partitioned_by="homes",
    key="execution ARN",
    writers=("scheduler",),
    readers=("user",),
    retention_ms=7 * DAY_MS,
    replaceable=True,
)
EXECUTION_LOGS = Topic(
    name="execution-logs",
    partitioned_by="homes",
    key="execution ARN",
    writers=("scheduler", "child-runner"),
    readers=("user", "child-runner"),
    retention_ms=7 * DAY_MS,
    replaceable=True,
)
HOME = Topic(
    name="home",
    partitioned_by="homes",
    key="none",
    writers=ALL_SERVICES,
    readers=("scheduler", "item-reader", "maprun-tracker"),
    messages=home.HomeRecord.__args__,
    retention_ms=91 * DAY_MS,  # MAPRUN_RETENTION_DAYS and one day
    broker_timestamps=True,
)
HOME_SNAPSHOTS = Topic(
    name="home-snapshots",
    partitioned_by="homes",
    key="home, offset, fold version, chunk",
    writers=("scheduler",),
    readers=("scheduler",),
    messages=(snapshots.SnapshotChunk,),
    compacted=True,
)
SCHEDULER_ARCHIVE = Topic(
    name="scheduler-archive",
    partitioned_by="homes",
    key="none",
    writers=("scheduler",),
    readers=("scheduler",),
    messages=(archives.ExecutionsArchived,),
    retention_ms=91 * DAY_MS,  # MAPRUN_RETENTION_DAYS and one day
)
ITEM_ASKS = Topic(
    name="item-asks",
    partitioned_by="homes",
    key="none",
    writers=("scheduler",),
    readers=("item-reader",),
    messages=asks.ItemAsk.__args__,
    retention_ms=7 * DAY_MS,
)
ITEMS = Topic(
    name="items",
    partitioned_by="lanes",
    key="none",
    writers=("item-reader",),
    readers=("child-runner",),
    messages=(lanes.ItemFrame,),
    trimmed_by=("child-runner",),
)
LANE_SIGNALS = Topic(
    name="lane-signals",
    partitioned_by="lanes",
    key="none",
    writers=("scheduler",),
    readers=("child-runner",),
    messages=lanes.LaneSignal.__args__,
    trimmed_by=("child-runner",),
)
LANE_JOURNAL = Topic(
    name="lane-journal",
    partitioned_by="lanes",
    key="none",
    writers=("child-runner",),
    readers=("child-runner",),
    messages=lanes.JournalRecord.__args__,
    broker_timestamps=True,
    trimmed_by=("child-runner",),
)
EXPRESS_REQUESTS = Topic(
    name="express-requests",
    partitioned_by="lanes",
    key="none",
    writers=("maprun-tracker", "scheduler", "child-runner"),
    readers=("child-runner",),
    messages=express.ExpressRequest.__args__,
    trimmed_by=("child-runner",),
)
EXPRESS_ANSWERS = Topic(
    name="express-answers",
    partitioned_by="homes",
    key="who asked",
    writers=("child-runner",),
    readers=("maprun-tracker",),
    messages=express.ExpressAnswer.__args__,
    retention_ms=3_600_000,
    replaceable=True,  # nobody reads an answer twice
)
MACHINES = Topic(
    name="machines",
    partitioned_by="homes",
    key="ARN, home offset",
    writers=("scheduler",),
    readers=("scheduler", "maprun-tracker"),
    messages=(machines.MachineWritten, activities.ActivityWritten),
    compacted=True,
)
TRACKER_CHANGELOG = Topic(
    name="maprun-tracker-state-changelog",  # Faust's own way to call it
    partitioned_by="homes",
    key="home, kind of row, what it is of",
    writers=("maprun-tracker",),
    readers=("maprun-tracker",),
    compacted=True,
    replaceable=True,  # the table is folded again from home
    tombstones_within_ms=DAY_MS,
)
TRACKER_ARCHIVE = Topic(
    name="tracker-archive",
    partitioned_by="homes",
    key="none",
    writers=("maprun-tracker",),
    readers=("maprun-tracker",),
    messages=(archives.RowsArchived,),
    retention_ms=91 * DAY_MS,  # MAPRUN_RETENTION_DAYS and one day
)
CLUSTER = Topic(
    name="cluster",
    partitioned_by="one",
    key="what it tells of",
    writers=ALL_SERVICES,
    readers=ALL_SERVICES,
    messages=cluster.ClusterRecord.__args__,
    compacted=True,
)
PROCESS_REPORTS = Topic(
    name="process-reports",
    partitioned_by="one",
    key="service/instance",
    writers=ALL_SERVICES,
    readers=("maprun-tracker",),
    messages=(reports.ProcessReported,),
    retention_ms=3_600_000,
    broker_timestamps=True,
    replaceable=True,  # each process says the same again a few seconds later
)

TOPICS: tuple[Topic, ...] = (
    EXECUTION_REQUESTS,
    REJECTED_REQUESTS,
    EXECUTION_EVENTS,
    EXECUTION_LOGS,
    HOME,
    HOME_SNAPSHOTS,
    SCHEDULER_ARCHIVE,
    ITEM_ASKS,
    ITEMS,
    LANE_SIGNALS,
    LANE_JOURNAL,
    EXPRESS_REQUESTS,
    EXPRESS_ANSWERS,
    MACHINES,
    TRACKER_CHANGELOG,
    TRACKER_ARCHIVE,
    CLUSTER,
    PROCESS_REPORTS,
)
