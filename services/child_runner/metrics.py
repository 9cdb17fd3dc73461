"""What the owners of lanes count, and the same for Prometheus."""

from prometheus_client import Counter

from maprun.runtime import logs


class Metrics:
    """What an owner counts; here nobody listens."""

    def children_ended(self, count: int) -> None:
        """So many children were answered on home."""

    def tasks_started(self, count: int) -> None:
        """So many Task attempts were started."""

    def unreadable(self, topic: str, partition: int, offset: int) -> None:
        """A record that can't be read was passed over."""

    def logs_given_up(self, group: str, why: str, events: int) -> None:
        """So many events could not be brought to a log group of CloudWatch Logs."""


class Counted(Metrics):
    """The same, for Prometheus."""

    def __init__(self) -> None:
        self._ended = Counter("maprun_children_ended", "Children answered on home.")
        self._tasks = Counter("maprun_tasks_started", "Task attempts started.")
        self._given_up = Counter("maprun_log_events_given_up", "Events that CloudWatch Logs did not take.")
        self._unreadable = Counter("maprun_records_unreadable", "Records passed over.", ["topic"])

    def children_ended(self, count: int) -> None:
        """So many children were answered on home."""
        self._ended.inc(count)

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
