"""The bus in figures for Prometheus, read off when asked for: nothing is counted twice, and no record pays for it."""

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from maprun.bus.kafka import KafkaHost


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
        yield GaugeMetricFamily(
            "maprun_bus_oldest_send_seconds", "Age of the oldest record not acknowledged.", sender.oldest_seconds
        )
        lease = GaugeMetricFamily("maprun_bus_lease_seconds", "What is left of a group's lease.", labels=["group"])
        for group, seconds in self._host.leases().items():
            lease.add_metric([group], seconds)
        yield lease
        yield from self._feeds()

    def _feeds(self) -> Iterator[Metric]:
        behind: defaultdict[tuple[str, str], int] = defaultdict(int)
        waiting: defaultdict[tuple[str, str], int] = defaultdict(int)
        for feed in self._host.fetcher.feeds:
            if not feed.closed:
                labels = (feed.topic, str(feed.partition))
                behind[labels] = max(behind[labels], feed.behind)
                waiting[labels] += feed.waiting_bytes
        for name, told, values in (
            ("maprun_bus_lag_records", "Records of a partition not fetched yet by its slowest feed.", behind),
            ("maprun_bus_mailbox_bytes", "Bytes of a partition fetched and not taken yet.", waiting),
        ):
            gauge = GaugeMetricFamily(name, told, labels=["topic", "partition"])
            for labels, value in values.items():
                gauge.add_metric(labels, value)
            yield gauge
