"""Records of the topic `cluster`: which topics are maprun's, since when, and which processes use them.

What the first three say is the *mark*: a topic that it does not name with Kafka's own id of it is somebody else's.
"""

from schemas.wire import Fact


class ClusterBegan(Fact, frozen=True):
    """All topics under the prefix begin here, with so many homes and lanes for good. Identity: its own offset.

    `after` is the offset of the ClusterBegan that this one follows (-1 = none): of several that follow the same one
    only the first counts.
    """

    after: int
    homes: int
    lanes: int


class TopicsIntended(Fact, frozen=True):
    """These topics (names of the registry) are about to be made.

    Written first, so that what a killed maker left behind is known as its own.
    """

    began: int
    topics: tuple[str, ...]


class TopicsNamed(Fact, frozen=True):
    """These topics are this cluster's: name in the registry → Kafka's id of the topic."""

    began: int
    topics: dict[str, str]


class LimitsSet(Fact, frozen=True):
    """What all processes of this maprun judge by, since `maprun topics apply` ran with these. The newest counts."""

    began: int
    payload_bytes_max: int
    history_events_max: int
    retention_days: float
    open_executions_max: int = 0  # 0 = no bound
    open_map_runs_max: int = 1_000


class TokenSecretSet(Fact, frozen=True):
    """The secret that task tokens are signed with. The first after a beginning counts, for good."""

    began: int
    secret: bytes


class ProcessStarted(Fact, frozen=True):
    """A process took its name. Key: "process/service/instance"; the newest of a key owns it, an older one ends."""

    service: str
    instance: str
    host: str
    pid: int
    started_ms: int


ClusterRecord = ClusterBegan | TopicsIntended | TopicsNamed | ProcessStarted | LimitsSet | TokenSecretSet
