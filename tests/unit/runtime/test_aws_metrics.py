"""Metrics under AWS's names, as Prometheus reads them."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from maprun.runtime.aws_metrics import LABELS_MAX, AwsMetrics
from schemas.effects import SubmissionFailed, TaskFailed, TaskOutcome, TaskRequested, TaskSubmitted, TaskSucceeded

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
SQS = "arn:aws:states:::sqs:sendMessage"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


def shown(metrics: AwsMetrics) -> dict[str, float]:
    """Each line that Prometheus would read, comments left out."""
    registry = CollectorRegistry()
    registry.register(metrics)
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_executions_are_counted_by_machine_and_status() -> None:
    """Started, ended, redriven: each under the name that CloudWatch has, with `_total` as Prometheus wants it."""
    metrics = AwsMetrics()
    metrics.started(MACHINE, 3)
    metrics.ended(MACHINE, "SUCCEEDED", 2)
    metrics.redriven(MACHINE)
    metrics.ended(MACHINE, "TIMED_OUT", redriven=True)
    told, label = shown(metrics), f'{{state_machine_arn="{MACHINE}"}}'
    assert told[f"aws_states_executions_started_total{label}"] == 3
    assert told[f"aws_states_executions_succeeded_total{label}"] == 2
    assert told[f"aws_states_executions_redriven_total{label}"] == 1
    assert told[f"aws_states_executions_timed_out_total{label}"] == 1
    assert told[f"aws_states_redriven_executions_timed_out_total{label}"] == 1
    assert not any("failed" in name for name in told)


def test_times_are_a_histogram_in_seconds() -> None:
    """Many that took no time are one addition; a bucket holds what is as long as its bound, and all below."""
    metrics = AwsMetrics()
    metrics.lasted(MACHINE, 0, 10)
    metrics.lasted(MACHINE, 500)
    metrics.lasted(MACHINE, 100_000_000)
    told = shown(metrics)
    buckets = {bound: told[_bucket(bound)] for bound in ("0.01", "0.1", "0.5", "86400.0", "+Inf")}
    assert buckets == {"0.01": 10, "0.1": 10, "0.5": 11, "86400.0": 11, "+Inf": 12}
    assert told[f'aws_states_execution_time_seconds_count{{state_machine_arn="{MACHINE}"}}'] == 12
    assert told[f'aws_states_execution_time_seconds_sum{{state_machine_arn="{MACHINE}"}}'] == 100_000.5


def _bucket(bound: str) -> str:
    return f'aws_states_execution_time_seconds_bucket{{le="{bound}",state_machine_arn="{MACHINE}"}}'


@pytest.mark.parametrize(
    ("resource", "outcome", "counted"),
    [
        (SQS, TaskSucceeded("r", b"1"), "service_integrations_succeeded"),
        (f"{SQS}.waitForTaskToken", TaskSubmitted("r", b"1"), "service_integrations_succeeded"),
        (SQS, TaskFailed("r", "Any", ""), "service_integrations_failed"),
        (SQS, SubmissionFailed("r", "Any", ""), "service_integrations_failed"),
        (SQS, TaskFailed("r", "States.Timeout", ""), "service_integrations_timed_out"),
        (FUNCTION, TaskSucceeded("r", b"1"), "lambda_functions_succeeded"),
        (FUNCTION, TaskFailed("r", "Any", ""), "lambda_functions_failed"),
    ],
)
def test_calls_of_tasks_are_counted_and_timed(resource: str, outcome: TaskOutcome, counted: str) -> None:
    """By how they ended; a Resource that is a function's ARN counts under Lambda's names, as on AWS."""
    metrics, clock = AwsMetrics(), iter((10.0, 12.0))

    async def run_task(_request: TaskRequested, _key: str) -> TaskOutcome:
        return outcome

    run: Any = metrics.measured(run_task, lambda: next(clock))
    assert asyncio.run(run(TaskRequested("r", resource, b"{}"), "key")) is outcome
    told = shown(metrics)
    names = {name.partition("{")[0] for name in told if name.partition("{")[0].endswith("_total")}
    family = counted.rpartition("s_")[0] if "timed" not in counted else "service_integration"
    assert names == {f"aws_states_{family}s_started_total", f"aws_states_{counted}_total"}
    sums = [value for name, value in told.items() if name.startswith(f"aws_states_{family}_run_time_seconds_sum")]
    assert sums == [2.0]


def test_calls_that_take_no_coroutine_are_counted_too() -> None:
    """Those that are begun: from their beginning to their end, which whoever asked hears as before."""
    metrics, clock = AwsMetrics(), iter((10.0, 11.0, 13.5))
    begun: list[tuple[Any, Any]] = []
    heard: list[Any] = []

    def begin(request: TaskRequested, _key: str, done: Any, of: Any) -> object:
        begun.append((done, of))
        return request.resource == SQS or None

    start = metrics.measured_begin(begin, lambda: next(clock))
    assert start(TaskRequested("r", FUNCTION, b"{}"), "key", lambda *told: heard.append(told), "one") is None
    assert shown(metrics) == {}
    assert start(TaskRequested("r", SQS, b"{}"), "key", lambda *told: heard.append(told), "two")
    done, of = begun[1]
    outcome = TaskSucceeded("r", b"1")
    done(of, outcome)
    assert heard == [("two", outcome)]
    told, label = shown(metrics), f'{{service_integration_resource_arn="{SQS}"}}'
    assert told[f"aws_states_service_integrations_started_total{label}"] == 1
    assert told[f"aws_states_service_integrations_succeeded_total{label}"] == 1
    assert told[f"aws_states_service_integration_run_time_seconds_sum{label}"] == 2.5


def test_labels_are_bounded() -> None:
    """However many machines there are, a process tells so many apart, and counts the others together."""
    metrics = AwsMetrics()
    for number in range(LABELS_MAX + 7):
        metrics.started(str(number))
        metrics.lasted(str(number), 5)
    told = shown(metrics)
    assert told['aws_states_executions_started_total{state_machine_arn="others"}'] == 7
    assert told['aws_states_execution_time_seconds_count{state_machine_arn="others"}'] == 7
