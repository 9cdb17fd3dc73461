"""The bus in figures for Prometheus, read off when asked for: nothing is counted twice, and no record pays for it."""

import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from maprun.bus.kafka import KafkaHost
from maprun.runtime import logs


class BusMetrics(Collector):
    """What a host's fetcher, producer and groups have done, and how far behind its feeds are."""

    def __init__(self, host: KafkaHost) -> None:
        self._host = host

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not collect once to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        fetched, sender = self._host.fetcher.figures, self._host.sender
        for name, told, value in (
            ("maprun_bus_records_fetched", "Records that came in.", fetched.records),
            ("maprun_bus_fetched_bytes", "Bytes of records that came in.", fetched.bytes),
            ("maprun_bus_fetches", "Answers to fetch requests.", fetched.answers),
            ("maprun_bus_fetch_errors", "Fetches, or partitions in them, that were refused.", fetched.errors),
            ("maprun_bus_trims_refused", "Deletions of records that Kafka does not allow.", fetched.trims_refused),
            ("maprun_bus_records_sent", "Records acknowledged.", sender.records),
            ("maprun_bus_sent_bytes", "Bytes of values given to the producer.", sender.bytes),
        ):
            counter = CounterMetricFamily(name, told)
            counter.add_metric([], value)
            yield counter
        yield from self._process()
        yield GaugeMetricFamily(
            "maprun_bus_oldest_send_seconds", "Age of the oldest record not acknowledged.", sender.oldest_seconds
        )
        lease = GaugeMetricFamily("maprun_bus_lease_seconds", "What is left of a group's lease.", labels=["group"])
        for group, seconds in self._host.leases().items():
            lease.add_metric([group], seconds)
        yield lease
        yield from self._feeds()

    def _process(self) -> Iterator[Metric]:
        """How the process is doing, and what of its topics it was given."""
        doing = self._host.doing()
        yield GaugeMetricFamily("maprun_ready", "1 when nothing keeps the process from its work.", not doing.trouble)
        owned = GaugeMetricFamily("maprun_partitions_owned", "Partitions that the process was given.", labels=["topic"])
        for topic, partitions in doing.owns.items():
            owned.add_metric([topic], len(partitions))
        yield owned
        errors = CounterMetricFamily("maprun_log_errors", "Error events in the process's log.", labels=["event"])
        for event, count in list(logs.ERRORS.total.items()):
            errors.add_metric([event], count)
        yield errors
        free = shutil.disk_usage(existing(self._host.settings.state_dir)).free
        yield GaugeMetricFamily("maprun_state_free_bytes", "Bytes that are free where MAPRUN_STATE_DIR is.", free)

    def _feeds(self) -> Iterator[Metric]:
        waiting: defaultdict[tuple[str, int], int] = defaultdict(int)
        for feed in self._host.fetcher.feeds:
            if not feed.closed:
                waiting[feed.topic, feed.partition] += feed.waiting_bytes
        behind = self._host.lag()
        for name, told, values in (
            ("maprun_bus_lag_records", "Records of a partition not fetched yet by its slowest feed.", behind),
            ("maprun_bus_mailbox_bytes", "Bytes of a partition fetched and not taken yet.", waiting),
        ):
            gauge = GaugeMetricFamily(name, told, labels=["topic", "partition"])
            for (topic, partition), value in values.items():
                gauge.add_metric([topic, str(partition)], value)
            yield gauge


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there already."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
