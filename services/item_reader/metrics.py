"""What the item-reader counts, for Prometheus."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter

from maprun.runtime import logs
from services.item_reader.owner import Metrics
from services.item_reader.topology import CONSUMES


class Counted(Metrics):
    """The owners' counts, for Prometheus."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._items = Counter("maprun_items_read", "Items published on lanes.", registry=registry)
        self._bytes = Counter("maprun_items_read_bytes", "Bytes of items published on lanes.", registry=registry)
        self._unexpected = Counter(
            "maprun_reader_unexpected_errors",
            "Errors that nobody foresaw; the log has their traces.",
            registry=registry,
        )
        self._unreadable = Counter("maprun_records_unreadable", "Records passed over.", ["topic"], registry=registry)
        for topic in CONSUMES:
            self._unreadable.labels(topic)  # Prometheus sees a counter rise only if it was there before

    def items_read(self, count: int, size: int) -> None:
        """So many items, with so many bytes, were published."""
        self._items.inc(count)
        self._bytes.inc(size)

    def unreadable(self, topic: str, partition: int, offset: int) -> None:
        """A record that can't be read was passed over."""
        del partition, offset
        self._unreadable.labels(topic).inc()

    def unexpected(self, what: str, error: Exception) -> None:
        """Something raised what it should not: counted, and in the log with its trace."""
        self._unexpected.inc()
        logs.logger("item-reader").error("unexpected_error", what=what, exc_info=error)
