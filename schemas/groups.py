"""The registry of consumer groups: whose each is, and over which topic. Kafka adds the prefix."""

import msgspec

from schemas import topics
from schemas.topics import Service


class Group(msgspec.Struct, frozen=True):
    """One group. Its members are the processes of one service, which share the topic's partitions out."""

    name: str
    service: Service
    topic: str


SCHEDULER = Group("scheduler", "scheduler", topics.HOME.name)
SCHEDULER_GATE = Group("scheduler-gate", "scheduler", topics.EXECUTION_REQUESTS.name)
ITEM_READER = Group("item-reader", "item-reader", topics.ITEM_ASKS.name)
CHILD_RUNNER = Group("child-runner", "child-runner", topics.ITEMS.name)
CHILD_RUNNER_EXPRESS = Group("child-runner-express", "child-runner", topics.EXPRESS_REQUESTS.name)
CHILD_RUNNER_LOGS = Group("child-runner-logs", "child-runner", topics.EXECUTION_LOGS.name)  # for CloudWatch Logs
MAPRUN_TRACKER = Group("maprun-tracker", "maprun-tracker", topics.HOME.name)

GROUPS: tuple[Group, ...] = (
    SCHEDULER,
    SCHEDULER_GATE,
    ITEM_READER,
    CHILD_RUNNER,
    CHILD_RUNNER_EXPRESS,
    CHILD_RUNNER_LOGS,
    MAPRUN_TRACKER,
)
