"""The item-reader process: put together here, and nowhere else."""

import sys
import time
from functools import partial

from prometheus_client import Counter

from maprun.aws.clients import AwsSettings, make_s3
from maprun.aws.retry import RetryWarnings
from maprun.bus.kafka import Owned
from maprun.bus.service import Composed, run_service
from maprun.runtime import chance, clock, logs
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.arns import Names
from services.item_reader.handlers import ReaderLimits
from services.item_reader.owner import Deps, Metrics, own_asks
from services.item_reader.sources import Sources
from services.item_reader.topology import OWNED, SERVICE


class Counted(Metrics):
    """The owners' counts, for Prometheus."""

    def __init__(self) -> None:
        self._items = Counter("maprun_items_read", "Items published on lanes.")
        self._bytes = Counter("maprun_items_read_bytes", "Bytes of items published on lanes.")
        self._unexpected = Counter(
            "maprun_reader_unexpected_errors", "Errors that nobody foresaw; the log has their traces."
        )
        self._unreadable = Counter("maprun_records_unreadable", "Records passed over.", ["topic"])

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


def compose(settings: Settings, limits: Limits) -> Composed:
    """Owners of asks over one S3."""
    aws = AwsSettings(region=settings.region, s3_endpoint=settings.s3)
    s3 = make_s3(aws, time.sleep, chance.chance, RetryWarnings(clock.monotonic_seconds))
    sources = Sources(s3, Names(settings.region, settings.account))
    reading = ReaderLimits(item_bytes_max=min(ReaderLimits().item_bytes_max, limits.content_bytes_max))
    deps = Deps(open_source=sources.open, builder=sources.builder, limits=reading, metrics=Counted())
    return Composed([Owned(OWNED, SERVICE, partial(own_asks, deps=deps))])


if __name__ == "__main__":
    sys.exit(run_service(SERVICE, compose))
