"""What each process says of itself every few seconds, for people and alarms: nothing is decided by it."""

from typing import Final

from schemas.wire import Fact

OWNED_TOPICS: Final = {
    "scheduler": "home",
    "item-reader": "item-asks",
    "child-runner": "items",
    "maprun-tracker": "home",
}
"""By service: the topic whose partitions its processes share out among them. One that nobody has stands still."""


class ProcessReported(Fact, frozen=True):
    """How a process is doing. Key: "service/instance"; the newest counts, and its age says whether the process lives.

    `trouble` is what keeps it from its work, empty when nothing does. `owns` are the partitions that it was given, by
    topic; `behind` the records of a topic that it has not fetched yet, where there are any. `errors` are the error
    events of its log within the last hour, by name. `figures` are a service's own, about its partitions: the sum over
    its processes is the whole. `stopped`: it ends in good order.
    """

    service: str
    instance: str
    host: str
    pid: int
    started_ms: int
    trouble: str
    owns: dict[str, tuple[int, ...]]
    behind: dict[str, int]
    errors: dict[str, int]
    figures: dict[str, int]
    stopped: bool = False
