"""What the maprun-tracker reads and writes."""

from schemas import topics

SERVICE = "maprun-tracker"
OWNED = topics.HOME.name
TABLE = "state"
CONSUMES: tuple[str, ...] = (topics.HOME.name, topics.MACHINES.name, topics.ANSWERS.name)
PRODUCES: tuple[str, ...] = (topics.HOME.name,)
