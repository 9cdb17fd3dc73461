"""Homes in the midst of their executions, as the fold of each version stored them, and how they go on.

`python -m tests.architecture.stored_homes` writes the bytes of today's fold version, if they are missing; a file that
is there is never changed. The first part of the story is told before the home is stored, the second one after.
"""

import json
import sys
from pathlib import Path
from typing import Any

import zstandard

from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.outputs import Output, Send
from maprun.mapruns.fold.state import FOLD_VERSION, HomeState, decode_state, encode_state
from schemas import topics
from schemas.arns import Names
from schemas.effects import TaskSucceeded
from schemas.history import EventType, HistoryEvent, encode_events
from schemas.home import (
    SUCCEEDED,
    ChildrenEnded,
    ExecutionRequested,
    ItemsRead,
    ParentTaskEnded,
    RedriveRequested,
    SourceEnded,
    SourceOpened,
    TimerDue,
)
from schemas.machines import AliasRequested, MachineRequested, MachineSpec
from schemas.pages import Pages

FOLDER = Path(__file__).parent / "snapshots"
NAMES = Names()
BEGIN_MS, LATER_MS = 1_790_000_000_000, 1_790_000_900_000
ROLE = "arn:aws:iam::123456789012:role/r"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
WAIT = {"Type": "Wait", "Seconds": 600, "Next": "End"}
END = {"Type": "Pass", "End": True}


def machine(states: dict[str, Any], start: str, **more: Any) -> bytes:
    """A definition."""
    return json.dumps({"StartAt": start, "States": states, **more}).encode()


def map_state(mode: dict[str, str], states: dict[str, Any], start: str, **more: Any) -> dict[str, Any]:
    """A Map state."""
    processor = {"ProcessorConfig": mode, "StartAt": start, "States": states}
    return {"Type": "Map", "ItemProcessor": processor, "End": True, **more}


INLINE, DISTRIBUTED = {"Mode": "INLINE"}, {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
RETRY = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}]
PROGRAMS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "waits": (machine({"Wait": WAIT, "End": END}, "Wait"), {"a": [1, 2]}),
    "calls": (
        machine(
            {
                "Call": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Parameters": {"FunctionName": FUNCTION, "Payload.$": "$"},
                    "ResultSelector": {"got.$": "$.Payload"},
                    "ResultPath": "$.call",
                    "TimeoutSeconds": 3600,
                    "Retry": RETRY,
                    "End": True,
                }
            },
            "Call",
        ),
        {"a": 1},
    ),
    "branches": (
        machine(
            {
                "Both": {
                    "Type": "Parallel",
                    "Branches": [
                        {"StartAt": "Wait", "States": {"Wait": WAIT, "End": END}},
                        {"StartAt": "Now", "States": {"Now": {"Type": "Pass", "Result": {"b": 2}, "End": True}}},
                    ],
                    "End": True,
                }
            },
            "Both",
        ),
        {},
    ),
    "iterations": (
        machine(
            {"Each": map_state(INLINE, {"Wait": WAIT, "End": END}, "Wait", MaxConcurrency=2, ItemsPath="$.items")},
            "Each",
        ),
        {"items": [1, 2, 3]},
    ),
    "variables": (
        machine(
            {
                "Set": {"Type": "Pass", "Assign": {"n": "{% $states.input.n * 2 %}"}, "Next": "Wait"},
                "Wait": {**WAIT, "Next": "Get"},
                "Get": {"Type": "Succeed", "Output": {"twice": "{% $n %}"}},
            },
            "Set",
            QueryLanguage="JSONata",
        ),
        {"n": 21},
    ),
    "runs": (
        machine({"Map": map_state(DISTRIBUTED, {"End": END}, "End", Label="L", ToleratedFailureCount=1)}, "Map"),
        {},
    ),
    "fails": (machine({"No": {"Type": "Fail", "Error": "E", "Cause": "c"}}, "No"), {}),
}
READER = {
    "Resource": "arn:aws:states:::s3:getObject",
    "ReaderConfig": {"InputType": "JSONL"},
    "Parameters": {"Bucket": "b", "Key": "k"},
}


def requests() -> list[ExecutionRequested]:
    """The starts of all programs."""
    out = []
    for name, (definition, given) in PROGRAMS.items():
        text = definition
        if name == "runs":
            whole = json.loads(definition)
            whole["States"]["Map"]["ItemReader"] = READER
            text = json.dumps(whole).encode()
        arn, made = NAMES.execution("m", name), NAMES.machine("m")
        start = json.dumps(given).encode()
        out.append(ExecutionRequested(name, arn, name, made, "m", "STANDARD", "rev", ROLE, text, start))
    return out


class Story:
    """A home with one partition and two lanes, told record by record."""

    def __init__(self, state: HomeState | None = None, now_ms: int = BEGIN_MS) -> None:
        self.interpreter = RootInterpreter()
        self.home = Home(state or HomeState(home=0), self.interpreter, NAMES, 1, 2)
        self.now_ms = now_ms
        self.ended: dict[str, tuple[str, Any]] = {}

    def put(self, record: Any) -> None:
        """Folds a record in and notes what ended with it."""
        self.now_ms += 10
        for output in self.home.apply(self.home.state.offset + 1, self.now_ms, record):
            self._note(output)

    def _note(self, output: Output) -> None:
        if (
            isinstance(output, Send)
            and output.topic == topics.EXECUTION_EVENTS.name
            and isinstance(output.message, bytes)
        ):
            detail = json.loads(output.message)["detail"]
            if detail["status"] != "RUNNING":
                shown = json.loads(detail["output"]) if detail["output"] else (detail["error"], detail["cause"])
                self.ended[detail["name"]] = (detail["status"], shown)

    def begin(self) -> None:
        """A machine is made and published, everything starts; a Map Run has read three items, the first has ended."""
        arn, spec = NAMES.machine("m"), MachineSpec(PROGRAMS["waits"][0], ROLE)
        self.put(MachineRequested("make", "create", arn, "m", spec, publish=True, description="first"))
        self.put(AliasRequested("alias", "create", arn, "live", (1, 100), "all of it"))
        for request in requests():
            self.put(request)
        [run] = self.home.state.runs
        self.put(SourceOpened(run, 0, b"pin"))
        self.put(ItemsRead(run, 0, 0, 3, 3, 30, b"place"))
        self.put(self._frame(0, 1))

    def go_on(self) -> None:
        """All that is waited for happens, until nothing is."""
        for run in list(self.home.state.runs):
            self.put(self._frame(1, 2))
            self.put(SourceEnded(run, 0, 3))
        self.put(RedriveRequested("again", NAMES.execution("m", "fails")))
        while self.home.state.roots:
            for name in PROGRAMS:
                arn = NAMES.execution("m", name)
                root = self.home.state.roots.get(arn)
                for ref in [] if root is None else list(root.tasks):
                    answer = b'{"ExecutedVersion":"$LATEST","Payload":{"x":[1]},"StatusCode":200}'
                    self.put(ParentTaskEnded(arn, TaskSucceeded(ref, answer)))
                for ref in self._timers(name):
                    self.put(TimerDue(arn, ref))

    def _timers(self, name: str) -> list[str]:
        root = self.home.state.roots.get(NAMES.execution("m", name))
        return [] if root is None else sorted(root.timers)

    def _frame(self, first: int, count: int) -> ChildrenEnded:
        """Children that succeeded with their positions as outputs."""
        [run] = self.home.state.runs
        entries = []
        for position in range(first, first + count):
            text = b"%d" % position
            began = HistoryEvent(EventType.EXECUTION_STARTED, 0, BEGIN_MS, (text, ROLE))
            ended = HistoryEvent(EventType.EXECUTION_SUCCEEDED, 1, BEGIN_MS + 1, (text,))
            entries.append(encode_events([began, ended]))
        pages = Pages().pack(entries)
        return ChildrenEnded(run, 0, 0, (first, count), bytes([SUCCEEDED] * count), (), pages, 0)


def stored(version: int) -> bytes:
    """The bytes of a home as the fold of this version stored it."""
    return zstandard.ZstdDecompressor().decompress((FOLDER / f"home.v{version}.zst").read_bytes())


def load(version: int) -> Story:
    """The story, stored by this version, about to go on."""
    return Story(decode_state(stored(version), RootInterpreter()), LATER_MS)


def main() -> None:
    """Writes today's version unless it is there."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"home.v{FOLD_VERSION}.zst"
    if not file.exists():
        story = Story()
        story.begin()
        file.write_bytes(zstandard.compress(encode_state(story.home.state, story.interpreter)))
        sys.stdout.write(f"{file.name}\n")


if __name__ == "__main__":
    main()
