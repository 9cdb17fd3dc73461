"""What the child-runner reads and writes."""

from schemas import groups, topics

SERVICE = "child-runner"
OWNED = topics.ITEMS.name
EXPRESS = topics.EXPRESS_REQUESTS.name
LOGS = topics.EXECUTION_LOGS.name
GROUP = groups.CHILD_RUNNER.name
EXPRESS_GROUP = groups.CHILD_RUNNER_EXPRESS.name
LOGS_GROUP = groups.CHILD_RUNNER_LOGS.name
CONSUMES: tuple[str, ...] = (
    topics.ITEMS.name,
    topics.LANE_SIGNALS.name,
    topics.LANE_JOURNAL.name,
    EXPRESS,
    LOGS,
    topics.CLUSTER.name,
)
PRODUCES: tuple[str, ...] = (
    topics.HOME.name,
    topics.LANE_JOURNAL.name,
    EXPRESS,
    topics.EXPRESS_ANSWERS.name,
    LOGS,
    topics.CLUSTER.name,
    topics.PROCESS_REPORTS.name,
)
