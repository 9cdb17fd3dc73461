"""State machines of the executions that a seed starts."""

from typing import Any

import msgspec

from tests.simulation.plays import ACTIVITY, BUCKET, FUNCTION, NAMES, Nest, Play

CATCH_ALL = "States.ALL"
SUBMISSION = {
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": FUNCTION, "Payload": {"token.$": "$$.Task.Token", "what.$": "$"}},
}
JOBS = {"once": "arn:aws:states:::batch:submitJob.sync", "repeatable": "arn:aws:states:::ecs:runTask.sync"}
"""Resources that start jobs: without an idempotency token, and with one."""
HEARTBEAT_SECONDS = 3
START = "arn:aws:states:::states:startExecution.sync:2"
CALLEE = "callee"
"""The machine whose executions Tasks start: it waits, and puts out what it was given."""
CALLEE_DEFINITION = msgspec.json.encode(
    {
        "StartAt": "W",
        "States": {
            "W": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "P"},
            "P": {"Type": "Pass", "InputPath": "$.out", "End": True},
        },
    }
)


def definition(play: Play) -> dict[str, Any]:
    """The whole machine: perhaps a Task, the Map, perhaps a Wait."""
    state = _map_state(play)
    states: dict[str, Any] = {}
    if play.before:
        others = play.callbacks or play.jobs or play.activities
        before = _task(play) if others else {"Type": "Task", "Resource": FUNCTION}
        if play.starts:
            before = {"Type": "Task", **_starting(), "Parameters": _started({"i": 0, "kind": "ok"})}
        states["Before"] = {**before, "ResultPath": None, "Next": "Map"}
    states["Map"] = {**state, "End": True}
    start = "Before" if play.before else "Map"
    if play.long_root:
        states["Long"] = {**_long(play.long_root, "Root"), "ResultPath": None, "Next": start}
        start = "Long"
    if play.after:
        states["Map"] = (
            {**state, "ResultPath": "$.result", "Next": "After"}
            if play.source != "state"
            else {**state, "Next": "After"}
        )
        states["After"] = {"Type": "Wait", "Seconds": 1, "End": True}
    return {"StartAt": start, "States": states}


def _map_state(play: Play) -> dict[str, Any]:
    count, percentage = play.tolerance
    state: dict[str, Any] = {
        "Type": "Map",
        "Label": f"label-{play.name}",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": play.child_type},
            **_child(play),
        },
        "MaxConcurrency": play.concurrency,
        **_source(play),
    }
    if play.selector:
        state["ItemSelector"] = {"n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"}
        if play.pad_bytes:  # the input travels with the Map Run, once by itself and once in the context object
            read = {"p.$": "States.ArrayLength($.pads)", "q.$": "States.ArrayLength($$.Execution.Input.pads)"}
            state["ItemSelector"] |= read
    if play.batch:
        state["ItemBatcher"] = {"MaxItemsPerBatch": play.batch}
    if count is not None:
        state["ToleratedFailureCount"] = count
    if percentage is not None:
        state["ToleratedFailurePercentage"] = percentage
    if play.writer:
        state["ResultWriter"] = {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": BUCKET, "Prefix": f"results-{play.name}"},
        }
    if play.retries:
        state["Retry"] = [{"ErrorEquals": [CATCH_ALL], "IntervalSeconds": 1, "MaxAttempts": play.retries}]
    return state


def _source(play: Play) -> dict[str, Any]:
    if play.source == "object":
        reader = {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": BUCKET, "Key": f"{play.name}.jsonl"},
        }
        return {"ItemReader": reader}
    if play.source == "listing":
        listing = {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": BUCKET, "Prefix": f"{play.name}/"},
        }
        return {"ItemReader": listing}
    return {"ItemsPath": "$.items"}


def _task(play: Play) -> dict[str, Any]:
    errors = ["Flaky", "States.Timeout", *(["Batch.SdkClientException"] if play.jobs else [])]  # a start's lost answer
    retry = {"ErrorEquals": errors, "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 20}
    task = {"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": play.timeout_seconds, "Retry": [retry]}
    if play.heartbeats:
        task["HeartbeatSeconds"] = HEARTBEAT_SECONDS
    if play.starts:
        if not play.hangs:  # a word of the end that was lost would be made good by the next attempt
            del task["TimeoutSeconds"]
        return {**task, **_starting(), "OutputPath": "$.Output"}
    if play.jobs:
        return {**task, "Resource": JOBS[play.jobs], "Parameters": {"what.$": "$"}}
    if play.activities:
        return {**task, "Resource": ACTIVITY}
    return {**task, **SUBMISSION} if play.callbacks else task


def _starting() -> dict[str, Any]:
    return {"Resource": START, "Parameters": {**_started(None), "Input.$": "$"}}


def _started(given: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"StateMachineArn": NAMES.machine(CALLEE)}
    return asked if given is None else {**asked, "Input": given}


def _long(iterations: int, name: str) -> dict[str, Any]:
    """An inline Map of so many iterations, which needs nobody and takes its time."""
    items = {"Type": "Pass", "Parameters": {"n.$": f"States.ArrayRange(1, {iterations}, 1)"}, "Next": f"{name}Map"}
    processor = {"StartAt": f"{name}One", "States": {f"{name}One": {"Type": "Pass", "Result": 0, "End": True}}}
    over = {"Type": "Map", "ItemsPath": "$.n", "ItemProcessor": processor, "End": True}
    return {
        "Type": "Parallel",
        "Branches": [{"StartAt": f"{name}Items", "States": {f"{name}Items": items, f"{name}Map": over}}],
    }


def _child(play: Play) -> dict[str, Any]:
    """What each child does, perhaps after a long work."""
    processor = _work(play)
    if play.long_child:
        long = {**_long(play.long_child, "Child"), "ResultPath": None, "Next": processor["StartAt"]}
        processor = {"StartAt": "LongWork", "States": {**processor["States"], "LongWork": long}}
    return processor


def _work(play: Play) -> dict[str, Any]:
    if play.work == "pass":
        return {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    task = _task(play)
    if play.work == "task":
        return {"StartAt": "A", "States": {"A": {**task, "End": True}}}
    if play.nest is not None:
        return _nesting(play, play.nest)
    wait = {"Type": "Wait", "Seconds": play.wait_seconds, "Next": "B"}
    return {"StartAt": "A", "States": {"A": {**task, "Next": "W"}, "W": wait, "B": {**task, "End": True}}}


def _nesting(play: Play, nest: Nest) -> dict[str, Any]:
    """A child with a Map Run of its own: behind a Task, beside one in a Parallel, or alone."""
    inner = {"Type": "Pass", "End": True} if nest.work == "pass" else {**_task(play), "End": True}
    held: dict[str, Any] = {
        "Type": "Map",
        "Label": f"inner-{play.name}",
        "ItemsPath": "$.v.in" if play.selector else "$.in",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": nest.child_type},
            "StartAt": "I",
            "States": {"I": inner},
        },
        "MaxConcurrency": nest.concurrency,
        "End": True,
    }
    states: dict[str, Any] = {"N": held}
    if nest.catch:
        held["Catch"] = [{"ErrorEquals": [CATCH_ALL], "Next": "Caught"}]
        states["Caught"] = {"Type": "Pass", "Result": "caught", "End": True}
    start = "N"
    if nest.parallel:
        branches = [{"StartAt": "N", "States": states}, {"StartAt": "C", "States": {"C": {**_task(play), "End": True}}}]
        states, start = {"Par": {"Type": "Parallel", "Branches": branches, "End": True}}, "Par"
    if nest.first:
        states, start = {"A": {**_task(play), "Next": start}, **states}, "A"
    return {"StartAt": start, "States": states}
