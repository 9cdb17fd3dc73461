"""What the scheduler counts, for Prometheus."""

import msgspec
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from maprun.runtime import logs
from maprun.runtime.aws_metrics import AwsMetrics
from maprun.runtime.otlp import Spans
from schemas.spans import execution_span
from schemas.traces import Trace
from services.scheduler.deps import Metrics
from services.scheduler.topology import CONSUMES

RECORDS = Counter("maprun_scheduler_records_folded", "Records of home folded, their outputs acknowledged.")
SENT = Counter("maprun_scheduler_records_sent", "Records published by the fold, by topic.", ("topic",))
UNREADABLE = Counter(
    "maprun_scheduler_unreadable_records", "Records passed over because they can't be read.", ("topic",)
)
TASKS = Counter("maprun_scheduler_tasks_started", "Tasks of root executions started.")
TIMERS = Counter("maprun_scheduler_timers_fired", "Timers of root executions fired.")
SNAPSHOTS = Counter("maprun_scheduler_snapshots_written", "Snapshots of a home written.")
SNAPSHOT_BYTES = Counter("maprun_scheduler_snapshot_bytes", "Compressed bytes of snapshots written.")
REQUESTS = Counter("maprun_scheduler_requests", "Records of execution-requests, by what became of them.", ("answer",))
EXPORTED = Counter("maprun_scheduler_children_exported", "Children in result files of runs whose export is complete.")
EXPORTED_BYTES = Counter("maprun_scheduler_exported_bytes", "Bytes of these result files.")
UNEXPECTED = Counter("maprun_scheduler_unexpected_errors", "Errors that nobody foresaw; the log has their traces.")
EXPORTS_FAILED = Counter("maprun_scheduler_exports_failed", "Runs whose results can't be written.")


class _Detail(msgspec.Struct, rename="camel"):
    """Of a status event: what is counted."""

    execution_arn: str
    state_machine_arn: str
    status: str
    start_date: int
    stop_date: int | None
    redrive_count: int
    redrive_date: int | None


class _StatusEvent(msgspec.Struct):
    detail: _Detail


class SchedulerMetrics(Metrics):
    """Counts in Prometheus's registry."""

    def __init__(self, spans: Spans, registry: CollectorRegistry = REGISTRY) -> None:
        self.aws, self._spans = AwsMetrics(), spans
        registry.register(self.aws)
        registry.register(spans)
        for topic in CONSUMES:
            UNREADABLE.labels(topic)  # Prometheus sees a counter rise only if it was there before

    def status_changed(self, event: bytes, trace: Trace | None) -> None:
        """The status of a root execution changed: the event that says so was published. `trace` is recorded."""
        told = msgspec.json.decode(event, type=_StatusEvent).detail
        machine, redriven = told.state_machine_arn, told.redrive_count > 0
        if told.stop_date is not None:
            self.aws.ended(machine, told.status, redriven=redriven)
            began_ms = told.redrive_date or told.start_date
            self.aws.lasted(machine, told.stop_date - began_ms)
            if trace is not None:
                times_ms = began_ms, told.stop_date
                arn, redrives = told.execution_arn, told.redrive_count
                self._spans.add(execution_span(trace, machine, arn, times_ms, told.status, redrives=redrives))
        elif redriven:
            self.aws.redriven(machine)
        else:
            self.aws.started(machine)

    def folded(self, home: int, records: int) -> None:  # noqa: ARG002 - homes are too many for a label
        """So many records of home were folded and their outputs acknowledged."""
        RECORDS.inc(records)

    def sent(self, topic: str, count: int) -> None:
        """So many records were published on a topic."""
        SENT.labels(topic).inc(count)

    def unreadable(self, topic: str, partition: int, offset: int) -> None:
        """A record that can't be read was passed over."""
        logs.logger("scheduler").error("record_unreadable", topic=topic, partition=partition, offset=offset)
        UNREADABLE.labels(topic).inc()

    def tasks_started(self, count: int) -> None:
        """So many Tasks of root executions were started."""
        TASKS.inc(count)

    def timers_fired(self, count: int) -> None:
        """So many timers fired."""
        TIMERS.inc(count)

    def snapshot_written(self, home: int, size: int) -> None:  # noqa: ARG002 - homes are too many for a label
        """A snapshot of so many compressed bytes is on its topic."""
        SNAPSHOTS.inc()
        SNAPSHOT_BYTES.inc(size)

    def requests(self, accepted: int, rejected: int) -> None:
        """So many records of `execution-requests` were handed on, so many refused."""
        REQUESTS.labels("accepted").inc(accepted)
        REQUESTS.labels("rejected").inc(rejected)

    def exported(self, children: int, size: int) -> None:
        """So many children, so many bytes of result files, were shaped."""
        EXPORTED.inc(children)
        EXPORTED_BYTES.inc(size)

    def export_failed(self) -> None:
        """The results of a run can't be written."""
        EXPORTS_FAILED.inc()

    def unexpected(self, what: str, error: Exception) -> None:
        """Something raised what it should not: counted, and in the log with its trace."""
        UNEXPECTED.inc()
        logs.logger("scheduler").error("unexpected_error", what=what, exc_info=error)
