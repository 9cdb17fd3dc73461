"""What a child costs in the interpreter, in microseconds of CPU, and where they go.

Run: python -m tests.bench.bench_interpreter [--profile]
"""

import cProfile
import json
import pstats
import sys
import time
from collections.abc import Callable
from typing import Any

from maprun.interpreter import ExecutionHead, advance, begin, input_builder
from maprun.language import compile_machine
from maprun.language.model import Machine
from schemas.effects import MapRunRequested, TaskRequested, TaskSucceeded
from schemas.history import encode_events

ROUNDS = 20_000
ITEM = b'{"userId":"1","movieId":"307","rating":"3.5","timestamp":"1256677221"}'
SELECTOR = {"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value"}
Document = dict[str, Any]
ONE: Document = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}}
SHAPED: Document = {
    "StartAt": "Only",
    "States": {"Only": {"Type": "Pass", "Parameters": {"n.$": "$.index", "movie.$": "$.value.movieId"}, "End": True}},
}
TASK: Document = {
    "StartAt": "Only",
    "States": {
        "Only": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "echo", "Payload.$": "$"},
            "OutputPath": "$.Payload",
            "End": True,
        }
    },
}
FIVE: Document = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Pass", "Result": {"threshold": 3}, "ResultPath": "$.limits", "Next": "B"},
        "B": {"Type": "Pass", "Parameters": {"n.$": "$.index", "value.$": "$.value"}, "Next": "C"},
        "C": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.n", "NumericLessThan": 0, "Next": "E"}],
            "Default": "D",
        },
        "D": {
            "Type": "Pass",
            "Parameters": {"text.$": "States.Format('{}-{}', $.n, $.value.movieId)"},
            "ResultPath": "$.shown",
            "Next": "E",
        },
        "E": {"Type": "Succeed"},
    },
}


def map_machine(processor: Document) -> Machine:
    """A machine of one distributed Map over its input, with an ItemSelector."""
    processor = {**processor, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}
    state = {"Type": "Map", "ItemProcessor": processor, "ItemSelector": SELECTOR, "End": True}
    return compile_machine(json.dumps({"StartAt": "M", "States": {"M": state}}).encode())


def child(processor: Document) -> Callable[[int], bytes]:
    """A function that runs one child from its item to its packed history."""
    machine = map_machine(processor)
    parent = ExecutionHead("arn:aws:states:us-east-1:1:execution:m:p", "p", "arn:m", "m", "arn:role", 1, b"[]")
    (effect,) = begin(machine, parent, 1).effects
    assert isinstance(effect, MapRunRequested)
    build = input_builder(machine, effect.plan)
    child_machine = machine.processor("M")
    prefix = "arn:aws:states:us-east-1:123456789012:express:m/l:"
    source = "s3://bucket/ratings.csv"

    def one(index: int) -> bytes:
        text = build(index, None, ITEM, source)
        name = "00000000-0000-3000-8000-000000000000"
        head = ExecutionHead(prefix + name, name, "arn:m/l", "m", "arn:role", 1, text, 0, 0, True)
        step = begin(child_machine, head, 1)
        events = step.events
        if step.execution is not None:
            task = next(effect for effect in step.effects if isinstance(effect, TaskRequested))
            answer = b'{"Payload":' + text + b',"StatusCode":200}'
            step = advance(child_machine, step.execution, TaskSucceeded(task.ref, answer), 2)
            events = events + step.events
        assert step.ended is not None
        return encode_events(events)

    return one


def microseconds(call: Callable[[int], object], rounds: int = ROUNDS) -> float:
    """CPU microseconds a call, the best of five."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        for index in range(rounds):
            call(index)
        best = min(best, time.process_time() - start)
    return best / rounds * 1e6


def many(one: Callable[[int], bytes]) -> None:
    """Runs as many children as the profile wants."""
    for index in range(ROUNDS):
        one(index)


def main() -> None:
    """Prints the figures."""
    cases = {"one Pass, ItemSelector": ONE, "one Pass with Parameters": SHAPED, "one Task": TASK, "five states": FIVE}
    for name, processor in cases.items():
        print(f"{name:28} {microseconds(child(processor)):6.1f} us a child")
    machine = map_machine(ONE)
    parent = ExecutionHead("arn:p", "p", "arn:m", "m", "arn:role", 1, b"[]")
    (effect,) = begin(machine, parent, 1).effects
    assert isinstance(effect, MapRunRequested)
    build = input_builder(machine, effect.plan)
    print(f"{'  of it: input built':28} {microseconds(lambda i: build(i, None, ITEM, 's3://b/k')):6.1f} us")
    step = begin(machine.processor("M"), parent, 1)
    print(f"{'  of it: four events packed':28} {microseconds(lambda _: encode_events(step.events)):6.1f} us")
    if "--profile" in sys.argv:
        for name, processor in cases.items():
            print(name)
            profile = cProfile.Profile()
            profile.runcall(many, child(processor))
            pstats.Stats(profile).sort_stats("tottime").print_stats(14)


if __name__ == "__main__":
    main()
