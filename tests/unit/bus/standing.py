"""Topics as they would stand on a Kafka, for tests of what is made of that."""

import msgspec

from maprun.bus.mark import Mark
from maprun.bus.standing import OPERATIONS
from maprun.bus.topics import Standing, partitions_of
from maprun.runtime.settings import Settings
from schemas.topics import TOPICS

SETTINGS = Settings(prefix="p.", homes=3, lanes=5)
ALL = frozenset(OPERATIONS.values())
MARK = Mark(
    0,
    3,
    5,
    frozenset(),
    {topic.name: f"id-{topic.name}" for topic in TOPICS if topic.name != "cluster"},
    token_secret=b"secret",
)


def standing(**changed: Standing | None) -> dict[str, Standing]:
    """All topics as MARK knows them; those named (`_` for `-`) stand otherwise, or not at all (None)."""
    found = {f"p.{topic.name}": Standing(f"id-{topic.name}", partitions_of(topic, SETTINGS), ALL) for topic in TOPICS}
    for name, stands in changed.items():
        full = f"p.{name.replace('_', '-')}"
        if stands is None:
            del found[full]
        else:
            found[full] = stands
    return found


def other(name: str, **changed: object) -> Standing:
    """One topic, changed in some fields."""
    return msgspec.structs.replace(standing()[f"p.{name}"], **changed)
