"""A tiny host for the interpreter: virtual time, Map Runs in the same process, Tasks answered from the record."""

import csv
import hashlib
import io
import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from maprun.interpreter import (
    ExecutionHead,
    Step,
    advance,
    begin,
    decode_execution,
    encode_execution,
    input_builder,
)
from maprun.language.errors import StatesError
from maprun.language.model import Machine
from schemas.effects import (
    Happening,
    MapRunFailed,
    MapRunRequested,
    MapRunStarted,
    MapRunSucceeded,
    TaskFailed,
    TaskRequested,
    TaskSucceeded,
    TimerFired,
    TimerRequested,
)
from schemas.history import HistoryEvent, event_to_api
from schemas.plan import ItemReaderPlan, MapRunPlan

START_MS = 1_700_000_000_000


class Store:
    """S3 objects by (bucket, key)."""

    def __init__(self, objects: list[Mapping[str, str]]) -> None:
        self.objects = {(o["bucket"], o["key"]): o["body"].encode("latin1") for o in objects}

    def read(self, reader: ItemReaderPlan) -> tuple[list[tuple[str | None, bytes]], str]:
        """The items and their source. Raises StatesError like the item-reader."""
        if reader.max_items < 0:
            raise StatesError("States.ItemReaderFailed", "field MaxItems must be positive")
        if reader.resource.endswith("listObjectsV2"):
            rows: list[Any] = [
                {
                    "Etag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"',
                    "Key": key,
                    "LastModified": START_MS / 1000,
                    "Size": len(body),
                    "StorageClass": "STANDARD",
                }
                for (bucket, key), body in sorted(self.objects.items())
                if bucket == reader.bucket and key.startswith(reader.prefix)
            ]
            source = f"s3://{reader.bucket}"
        else:
            rows = self._rows(reader, self.objects[reader.bucket, reader.key].decode())
            source = f"s3://{reader.bucket}/{reader.key}"
        return [(None, json.dumps(row).encode()) for row in rows[: reader.max_items or None]], source

    @staticmethod
    def _rows(reader: ItemReaderPlan, text: str) -> list[Any]:
        """The items of a CSV or JSON object."""
        if reader.input_type == "JSON":
            value = json.loads(text)
            if not isinstance(value, list):
                raise StatesError("States.ItemReaderFailed", "Attempting to map over non-iterable node.")
            return value
        lines = list(csv.reader(io.StringIO(text)))
        headers = list(reader.csv_headers) if reader.csv_header_location == "GIVEN" else lines.pop(0)
        if len(set(headers)) < len(headers):
            raise StatesError("States.ItemReaderFailed", "CSV headers cannot contain duplicates.")
        return [
            {header: line[at] if at < len(line) else "" for at, header in enumerate(headers)} for line in lines if line
        ]


class Host:
    """Runs one execution to its end; time jumps to the next timer when nothing else can happen."""

    def __init__(
        self, machine: Machine, store: Store, recorded: deque[tuple[str, Mapping[str, Any]]], *, restore: bool = False
    ) -> None:
        self.machine = machine
        self.store = store
        self.recorded = recorded
        self.restore = restore
        self.now_ms = START_MS

    def run(self, head: ExecutionHead) -> tuple[list[HistoryEvent], Step]:
        """All events, and the last step."""
        step = begin(self.machine, head, self.now_ms)
        events = list(step.events)
        due: list[tuple[int, int, Happening]] = []
        order = 0
        while True:
            for effect in step.effects:
                match effect:
                    case TaskRequested():
                        answers = [self._task(effect)]
                    case MapRunRequested():
                        answers = [MapRunStarted(effect.ref, self._run_arn(head, effect)), self._map_run(head, effect)]
                    case TimerRequested():
                        order += 1
                        due.append((effect.due_ms, order, TimerFired(effect.ref)))
                        answers = []
                    case _:
                        answers = []
                for answer in answers:
                    order += 1
                    due.append((self.now_ms, order, answer))
            if step.ended is not None:
                return events, step
            due.sort(key=lambda entry: entry[:2])
            at_ms, _, happening = due.pop(0)
            self.now_ms = max(self.now_ms, at_ms)
            execution = step.execution
            assert execution is not None
            if self.restore:
                execution = decode_execution(encode_execution(execution))
            step = advance(self.machine, execution, happening, self.now_ms)
            events += step.events

    def _task(self, effect: TaskRequested) -> Happening:
        """The recorded outcome of the next Task."""
        kind, details = self.recorded.popleft()
        if kind.endswith("Failed"):
            return TaskFailed(effect.ref, details["error"], details["cause"])
        return TaskSucceeded(effect.ref, json.dumps(details["output"]).encode())

    @staticmethod
    def _run_arn(head: ExecutionHead, effect: MapRunRequested) -> str:
        """A Map Run's ARN."""
        return f"arn:aws:states:us-east-1:123456789012:mapRun:{head.machine_name}/{effect.plan.label or 'auto'}:run"

    def _map_run(self, head: ExecutionHead, effect: MapRunRequested) -> Happening:
        """A whole Map Run, child after child."""
        plan = effect.plan
        try:
            items, source = self._items(plan)
            build = input_builder(self.machine, plan)
            inputs = [build(index, key, item, source) for index, (key, item) in enumerate(items)]
        except StatesError as error:
            return MapRunFailed(effect.ref, error.error, error.cause)
        outputs = []
        for index, text in enumerate(inputs):
            child = Host(self.machine.processor(plan.state), self.store, self.recorded, restore=self.restore)
            name = f"child-{index}"
            arn = f"{head.arn}/{name}"
            _, last = child.run(
                ExecutionHead(arn, name, head.machine_arn, head.machine_name, head.role_arn, self.now_ms, text)
            )
            assert last.ended is not None
            if last.ended.status != "SUCCEEDED":
                cause = "The specified tolerated failure threshold was exceeded"
                return MapRunFailed(effect.ref, "States.ExceedToleratedFailureThreshold", cause)
            outputs.append(last.ended.output)
        return MapRunSucceeded(effect.ref, b"[" + b",".join(outputs) + b"]")

    def _items(self, plan: MapRunPlan) -> tuple[list[tuple[str | None, bytes]], str]:
        """The items with their keys, and where they come from."""
        if plan.reader is not None:
            return self.store.read(plan.reader)
        value = json.loads(plan.items)
        if isinstance(value, dict):
            return [(key, json.dumps(inner).encode()) for key, inner in value.items()], "STATE_DATA"
        return [(None, json.dumps(inner).encode()) for inner in value], "STATE_DATA"


def shown(events: list[HistoryEvent]) -> list[dict[str, Any]]:
    """The events as the API shows them."""
    return [event_to_api(event, at) for at, event in enumerate(events, 1)]
