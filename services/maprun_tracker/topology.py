"""What the maprun-tracker reads and writes."""

from schemas import topics

SERVICE = "maprun-tracker"
OWNED = topics.HOME.name
TABLE = "state"
CHANGELOG = topics.TRACKER_CHANGELOG.name
ARCHIVE = topics.TRACKER_ARCHIVE.name
CONSUMES: tuple[str, ...] = (
    topics.HOME.name,
    topics.MACHINES.name,
    CHANGELOG,
    ARCHIVE,
    topics.EXPRESS_ANSWERS.name,
    topics.CLUSTER.name,
    topics.PROCESS_REPORTS.name,
)
PRODUCES: tuple[str, ...] = (
    topics.HOME.name,
    CHANGELOG,
    ARCHIVE,
    topics.EXPRESS_REQUESTS.name,
    topics.CLUSTER.name,
    topics.PROCESS_REPORTS.name,
)
