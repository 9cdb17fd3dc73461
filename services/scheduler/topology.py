"""What the scheduler reads and writes."""

from schemas import groups, topics

SERVICE = "scheduler"
OWNED = topics.HOME.name
GATED = topics.EXECUTION_REQUESTS.name
GROUP = groups.SCHEDULER.name
GATE_GROUP = groups.SCHEDULER_GATE.name
CONSUMES: tuple[str, ...] = (
    topics.HOME.name,
    topics.HOME_SNAPSHOTS.name,
    topics.SCHEDULER_ARCHIVE.name,
    topics.EXECUTION_REQUESTS.name,
    topics.MACHINES.name,
    topics.CLUSTER.name,
)
PRODUCES: tuple[str, ...] = (
    topics.HOME.name,
    topics.HOME_SNAPSHOTS.name,
    topics.SCHEDULER_ARCHIVE.name,
    topics.EXPRESS_REQUESTS.name,
    topics.LANE_SIGNALS.name,
    topics.ITEM_ASKS.name,
    topics.MACHINES.name,
    topics.EXECUTION_EVENTS.name,
    topics.EXECUTION_LOGS.name,
    topics.REJECTED_REQUESTS.name,
    topics.CLUSTER.name,
    topics.PROCESS_REPORTS.name,
)
