"""Executions and Tasks in figures, named as CloudWatch names them in its namespace AWS/States, for Prometheus.

Each is counted once, by the process that decides it or brings it home: root executions of STANDARD machines by the
scheduler, children and EXPRESS executions by the child-runner, calls of Tasks by whoever makes them. The sum over all
processes is the whole. Times are in seconds, where AWS has milliseconds.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.effects import SubmissionFailed, TaskFailed, TaskOutcome, TaskRequested

BUCKETS_SECONDS: Final = (0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
LABELS_MAX: Final = 500
"""Machines, or Resources, that a process tells apart; what comes later is counted under `others`."""
OTHERS: Final = "others"
_STARTED, _REDRIVEN = "aws_states_executions_started", "aws_states_executions_redriven"
_ENDED: Final = {
    "SUCCEEDED": ("aws_states_executions_succeeded", "aws_states_redriven_executions_succeeded"),
    "FAILED": ("aws_states_executions_failed", "aws_states_redriven_executions_failed"),
    "TIMED_OUT": ("aws_states_executions_timed_out", "aws_states_redriven_executions_timed_out"),
    "ABORTED": ("aws_states_executions_aborted", "aws_states_redriven_executions_aborted"),
}
_TIME: Final = "aws_states_execution_time_seconds"
_INTEGRATION: Final = (
    "aws_states_service_integrations_started",
    "aws_states_service_integrations_succeeded",
    "aws_states_service_integrations_failed",
    "aws_states_service_integrations_timed_out",
    "aws_states_service_integration_run_time_seconds",
)
_FUNCTION: Final = (
    "aws_states_lambda_functions_started",
    "aws_states_lambda_functions_succeeded",
    "aws_states_lambda_functions_failed",
    "aws_states_lambda_functions_timed_out",
    "aws_states_lambda_function_run_time_seconds",
)
_INTEGRATION_PREFIX: Final = "arn:aws:states:::"
RunTask = Callable[[TaskRequested, str], Awaitable[TaskOutcome]]
Done = Callable[[Any, TaskOutcome], None]
Begin = Callable[[TaskRequested, str, Done, Any], Any]
"""Begins a call that `done` hears the end of, with what it is of; None for a call that it does not make."""


class Times:
    """A histogram of one label's times."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_SECONDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """So many took so long each."""
        self.counts[bisect_left(BUCKETS_SECONDS, seconds)] += count
        self.seconds += seconds * count

    def buckets(self) -> list[tuple[str, float]]:
        """Prometheus's: each counts all that is below its bound."""
        bounds, below, found = [*map(str, BUCKETS_SECONDS), "+Inf"], 0, []
        for bound, count in zip(bounds, self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


class AwsMetrics(Collector):
    """The figures of one process, to be registered where Prometheus asks. An increment is two look-ups, no lock."""

    def __init__(self) -> None:
        self._counts: dict[str, defaultdict[str, int]] = {}
        self._times: dict[str, defaultdict[str, Times]] = {}

    # ------------------------------------------------------------------ what is counted

    def started(self, machine_arn: str, count: int = 1) -> None:
        """So many executions began."""
        self._add(_STARTED, machine_arn, count)

    def redriven(self, machine_arn: str, count: int = 1) -> None:
        """So many executions were redriven."""
        self._add(_REDRIVEN, machine_arn, count)

    def ended(self, machine_arn: str, status: str, count: int = 1, *, redriven: bool = False) -> None:
        """So many executions ended so; if they had been redriven, that is counted beside."""
        plain, again = _ENDED[status]
        self._add(plain, machine_arn, count)
        if redriven:
            self._add(again, machine_arn, count)

    def lasted(self, machine_arn: str, milliseconds: int, count: int = 1) -> None:
        """So many executions took so long each, from their start, or last redrive, to their end."""
        self._time(_TIME, machine_arn, milliseconds / 1000, count)

    def measured(self, run_task: RunTask, monotonic: Callable[[], float]) -> RunTask:
        """The same calls of Tasks, counted and timed. One that is given up has started, and nothing else."""

        async def run(request: TaskRequested, key: str) -> TaskOutcome:
            self._call_started(request.resource)
            began = monotonic()
            outcome = await run_task(request, key)
            self._call_over(request.resource, outcome, monotonic() - began)
            return outcome

        return run

    def measured_begin(self, begin: Begin, monotonic: Callable[[], float]) -> Begin:
        """The same of calls that take no coroutine: those that `begin` begins, the others are none of its."""

        def over(call: tuple[Done, Any, str, float], outcome: TaskOutcome) -> None:
            done, of, resource, began = call
            self._call_over(resource, outcome, monotonic() - began)
            done(of, outcome)

        def begun(request: TaskRequested, key: str, done: Done, of: Any) -> Any:
            call = begin(request, key, over, (done, of, request.resource, monotonic()))
            if call is not None:
                self._call_started(request.resource)
            return call

        return begun

    def _call_started(self, resource: str) -> None:
        self._add(_names(resource)[0], resource, 1)

    def _call_over(self, resource: str, outcome: TaskOutcome, seconds: float) -> None:
        _, succeeded, failed, timed_out, run_time = _names(resource)
        if not isinstance(outcome, TaskFailed | SubmissionFailed):
            self._add(succeeded, resource, 1)
        else:
            self._add(timed_out if outcome.error == "States.Timeout" else failed, resource, 1)
        self._time(run_time, resource, seconds, 1)

    def _add(self, name: str, label: str, count: int) -> None:
        counts = self._counts.get(name)
        if counts is None:
            counts = self._counts[name] = defaultdict(int)
        counts[label if label in counts or len(counts) < LABELS_MAX else OTHERS] += count

    def _time(self, name: str, label: str, seconds: float, count: int) -> None:
        times = self._times.get(name)
        if times is None:
            times = self._times[name] = defaultdict(Times)
        times[label if label in times or len(times) < LABELS_MAX else OTHERS].add(seconds, count)

    # ------------------------------------------------------------------ what Prometheus reads

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not collect once to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        for name, counts in self._counts.items():
            counter = CounterMetricFamily(name, _told(name), labels=[_label_of(name)])
            for label, value in list(counts.items()):
                counter.add_metric([label], value)
            yield counter
        for name, times in self._times.items():
            histogram = HistogramMetricFamily(name, _told(name), labels=[_label_of(name)])
            for label, each in list(times.items()):
                histogram.add_metric([label], each.buckets(), each.seconds)
            yield histogram


def _names(resource: str) -> tuple[str, str, str, str, str]:
    """A Resource that is a function's own ARN counts under Lambda's names."""
    return _INTEGRATION if resource.startswith(_INTEGRATION_PREFIX) else _FUNCTION


def _label_of(name: str) -> str:
    """The dimension that CloudWatch has for it."""
    if "integration" in name:
        return "service_integration_resource_arn"
    return "lambda_function_arn" if "lambda" in name else "state_machine_arn"


def _told(name: str) -> str:
    """What CloudWatch calls it."""
    words = name.removeprefix("aws_states_").removesuffix("_seconds").split("_")
    return f"AWS/States {''.join(word.capitalize() for word in words)}"
