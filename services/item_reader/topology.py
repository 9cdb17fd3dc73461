"""What the item-reader reads and writes."""

from schemas import groups, topics

SERVICE = "item-reader"
OWNED = topics.ITEM_ASKS.name
GROUP = groups.ITEM_READER.name
CONSUMES: tuple[str, ...] = (topics.ITEM_ASKS.name, topics.HOME.name, topics.CLUSTER.name)
PRODUCES: tuple[str, ...] = (
    topics.ITEMS.name,
    topics.HOME.name,
    topics.CLUSTER.name,
    topics.PROCESS_REPORTS.name,
)
