"""What a lane and the EXPRESS executions of a lane have counted under AWS's names."""

from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest

from maprun.runtime.otlp import Spans
from schemas.effects import TaskSucceeded
from schemas.home import ChildrenEnded
from schemas.spans import (
    CHILDREN_EACH,
    CHILDREN_FIRST,
    CLIENT,
    INTERNAL,
    SERVER,
    Span,
    call_span,
    execution_span_id,
)
from services.child_runner.metrics import Counted
from services.child_runner.tally import ExpressTally
from tests.unit.child_runner.driver import TASK, Driver, opened

PASS = {"A": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNumeric": True, "Next": "F"}], "Default": "S"}}
STATES = {**PASS, "F": {"Type": "Fail"}, "S": {"Type": "Succeed"}}
HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
LABELLED = 'state_machine_arn="machine/M"'


def lane_of(states: dict[str, Any], items: list[bytes]) -> Driver:
    """A lane with a run of these states, and these items."""
    driver = Driver()
    driver.signal(opened(states))
    driver.items(0, items)
    return driver


def counted(driver: Driver) -> dict[str, float]:
    """What Prometheus reads once all frames of the lane are counted; names without `aws_states_`."""
    registry = CollectorRegistry()
    metrics = Counted(Spans("", "", "", lambda: 0), registry)
    tallies = [run.tally for run in driver.lane.runs.values()]
    frames = [fact for fact in driver.home if isinstance(fact, ChildrenEnded)]
    metrics.children_said(tallies, [(tallies[0].machine_arn, frame) for frame in frames])
    metrics.children_said(tallies, [])
    lines = [line for line in generate_latest(registry).decode().splitlines() if LABELLED in line]
    return {line.partition("{")[0].removeprefix("aws_states_"): float(line.rsplit(" ", 1)[1]) for line in lines}


def test_children_are_counted_by_how_they_ended() -> None:
    """Under the ARN of their machine with the label of their Map state, as on AWS; each once."""
    told = counted(lane_of(STATES, [b"1", b'"a"', b"2"]))
    assert told["executions_started_total"] == 3
    assert told["executions_failed_total"] == 2
    assert told["executions_succeeded_total"] == 1
    assert told["execution_time_seconds_count"] == 3


def test_children_that_wait_are_timed_to_their_end() -> None:
    """From the first event to the last; one that an earlier owner began is not counted again as begun."""
    driver = lane_of({"A": TASK}, [b"1"])
    assert counted(driver) == {"executions_started_total": 1}
    driver.take_over()
    driver.turn(3.0)
    driver.answer_tasks()
    told = counted(driver)
    assert "executions_started_total" not in told
    assert told["execution_time_seconds_sum"] == 3.0


def test_express_executions_are_counted() -> None:
    """Those that began, how they ended, and how long they took."""
    registry, tally = CollectorRegistry(), ExpressTally()
    tally.began["m"] += 2
    tally.over("m", "arn", "", (1_000, 2_500), "SUCCEEDED")
    Counted(Spans("", "", "", lambda: 0), registry).express_said(tally)
    text = generate_latest(registry).decode()
    assert 'aws_states_executions_started_total{state_machine_arn="m"} 2.0' in text
    assert 'aws_states_executions_succeeded_total{state_machine_arn="m"} 1.0' in text
    assert 'aws_states_execution_time_seconds_sum{state_machine_arn="m"} 1.5' in text


def spans_of_run(items: int) -> list[Span]:
    """The spans of a traced run of so many items, of which each makes a call."""
    driver = Driver()
    driver.signal(msgspec.structs.replace(opened({"A": TASK}, quota=1_000), trace_header=HEADER))
    driver.items(0, [b"1"] * items)
    starts = [start.request for start in driver.starts]
    driver.answer_tasks()
    (run,) = driver.lane.runs.values()
    called = [call_span(request, TaskSucceeded(request.ref, b"1"), 0, 1) for request in starts]
    return [*run.tally.spans, *(span for span in called if span is not None)]


def test_traced_children_and_their_calls_have_spans() -> None:
    """A child's below its root execution's, a call's below its child's; of many children a share."""
    found = spans_of_run(3)
    children = [span for span in found if span.kind == INTERNAL]
    assert {span.parent_id for span in children} == {execution_span_id("root")}
    assert {span.parent_id for span in found if span.kind == CLIENT} == {span.span_id for span in children}
    assert len(children) == 3
    many = spans_of_run(CHILDREN_FIRST + CHILDREN_EACH)
    assert len(many) == 2 * (CHILDREN_FIRST + 1)


def test_traced_express_executions_have_spans() -> None:
    """Below who started them; what isn't sampled has none."""
    tally = ExpressTally()
    tally.over("machine", "arn", HEADER, (1_000, 2_500), "SUCCEEDED")
    tally.over("machine", "other", HEADER.replace("Sampled=1", "Sampled=0"), (1_000, 2_500), "SUCCEEDED")
    (span,) = tally.spans
    assert (span.span_id, span.kind, span.ended_ms - span.began_ms) == (execution_span_id("arn"), SERVER, 1_500)
