"""What the owners of lanes count, and the same for Prometheus."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter

from maprun.runtime import logs
from maprun.runtime.aws_metrics import AwsMetrics
from maprun.runtime.otlp import Spans
from schemas.home import STATUS_NAMES, ChildrenEnded
from schemas.spans import Span
from services.child_runner.tally import ChildTally, ExpressTally
from services.child_runner.topology import CONSUMES

_STATUSES: Final = tuple(STATUS_NAMES.items())


class Metrics:
    """What an owner counts; here nobody listens."""

    def children_said(self, tallies: Iterable[ChildTally], frames: Iterable[tuple[str, ChildrenEnded]]) -> None:
        """These frames are on home, each with its machine's ARN ("" = its run is over); others tell who began."""

    def express_said(self, tally: ExpressTally) -> None:
        """These root executions of EXPRESS machines began and ended."""

    def tasks_started(self, count: int) -> None:
        """So many Task attempts were started."""

    def unreadable(self, topic: str, partition: int, offset: int) -> None:
        """A record that can't be read was passed over."""

    def logs_given_up(self, group: str, why: str, events: int) -> None:
        """So many events could not be brought to a log group of CloudWatch Logs."""


class Counted(Metrics):
    """The same, for Prometheus."""

    def __init__(self, spans: Spans, registry: CollectorRegistry = REGISTRY) -> None:
        self.aws, self._spans = AwsMetrics(), spans
        registry.register(self.aws)
        registry.register(spans)
        self._ended = Counter("maprun_children_ended", "Children answered on home.", registry=registry)
        self._tasks = Counter("maprun_tasks_started", "Task attempts started.", registry=registry)
        self._given_up = Counter(
            "maprun_log_events_given_up", "Events that CloudWatch Logs did not take.", registry=registry
        )
        self._unreadable = Counter("maprun_records_unreadable", "Records passed over.", ["topic"], registry=registry)
        for topic in CONSUMES:
            self._unreadable.labels(topic)  # Prometheus sees a counter rise only if it was there before

    def children_said(self, tallies: Iterable[ChildTally], frames: Iterable[tuple[str, ChildrenEnded]]) -> None:
        """These frames are on home, each with its machine's ARN ("" = its run is over); others tell who began."""
        for arn, frame in frames:
            self._ended.inc(len(frame.statuses))
            for status, name in _STATUSES if arn else ():
                count = frame.statuses.count(status)
                if count:
                    self.aws.ended(arn, name, count)
        for tally in tallies:
            if tally.began:
                self.aws.started(tally.machine_arn, tally.began)
            if tally.redriven:
                self.aws.redriven(tally.machine_arn, tally.redriven)
            if tally.at_once:
                self.aws.lasted(tally.machine_arn, 0, tally.at_once)
            tally.began = tally.redriven = tally.at_once = 0
            for lasted_ms in tally.lasted_ms:
                self.aws.lasted(tally.machine_arn, lasted_ms)
            tally.lasted_ms.clear()
            self._take(tally.spans)

    def express_said(self, tally: ExpressTally) -> None:
        """These root executions of EXPRESS machines began and ended."""
        for arn, count in tally.began.items():
            self.aws.started(arn, count)
        for (arn, status), count in tally.ended.items():
            self.aws.ended(arn, status, count)
        for arn, lasted_ms in tally.lasted_ms:
            self.aws.lasted(arn, lasted_ms)
        self._take(tally.spans)

    def _take(self, spans: list[Span]) -> None:
        for span in spans:
            self._spans.add(span)
        spans.clear()

    def tasks_started(self, count: int) -> None:
        """So many Task attempts were started."""
        self._tasks.inc(count)

    def unreadable(self, topic: str, partition: int, offset: int) -> None:
        """A record that can't be read was passed over."""
        del partition, offset
        self._unreadable.labels(topic).inc()

    def logs_given_up(self, group: str, why: str, events: int) -> None:
        """So many events could not be brought to a log group of CloudWatch Logs."""
        logs.logger("child-runner").warning("logs_given_up", log_group=group, error=why, events=events)
        self._given_up.inc(events)
