"""A distributed Map: the plan of its Map Run, and what happens to it."""

from typing import Any

from maprun.interpreter.dataflow import complete_text
from maprun.interpreter.execution import Frame, MapRunWait
from maprun.interpreter.failure import attempt_failed
from maprun.interpreter.numbers import real_number, whole_number
from maprun.interpreter.step_builder import StepBuilder, size_error
from maprun.language import jsontext
from maprun.language.errors import StatesError, runtime_error
from maprun.language.model import BatcherWork, MapWork, ReaderWork, State, WriterWork
from maprun.language.scope import Scope
from maprun.language.template import reads
from schemas.effects import MapRunFailed, MapRunRedriven, MapRunRequested, MapRunStarted, MapRunSucceeded
from schemas.history import EventType
from schemas.plan import ItemBatcherPlan, ItemReaderPlan, MapRunPlan, ResultWriterPlan
from schemas.quotas import too_large
from schemas.wire import encode

BATCH_BYTES_MAX = 262_144
PERCENT_MAX = 100


def request(
    step: StepBuilder, frame: Frame, state: State, work: MapWork, root: Any, scope: Scope, at_once: int
) -> None:
    """Resolves everything the Map Run needs and asks for it."""
    items = b""
    length = 0
    if work.reader is None:
        value = work.items(root, scope)
        length = len(value)
        items = jsontext.encode(value)
    frame.last_id = step.emit(EventType.MAP_STATE_STARTED, frame.last_id, (length,))
    count, percentage = tolerated(state, work, root, scope)
    needed = _needed(work)
    plan = MapRunPlan(
        state=state.name,
        label=work.label,
        child_type="EXPRESS" if work.child_type == "EXPRESS" else "STANDARD",
        max_concurrency=at_once,
        tolerated_failure_count=count,
        tolerated_failure_percentage=percentage,
        reader=None if work.reader is None else _reader(work.reader, root, scope),
        items=items,
        has_selector=work.select is not None,
        selector_input=jsontext.encode(root["input"] if state.jsonata else root) if "input" in needed else b"{}",
        context=jsontext.encode(scope.context) if needed & {"context", "chance"} else b"{}",
        variables=jsontext.encode(_read_variables(frame, work)) if "variable" in needed else b"{}",
        batcher=None if work.batcher is None else _batcher(work.batcher, root, scope),
        writer=None if work.writer is None else _writer(work.writer, root, scope),
    )
    if plan_bytes(plan) > step.limits.plan_bytes_max:
        raise size_error(
            too_large(f"The Map Run of the state '{state.name}' is asked for with items, input and variables")
        )
    ref = frame.effect_ref()
    frame.wait = MapRunWait(ref, frame.last_id)
    step.wait_for(frame, ref, MapRunRequested(ref, plan))


def plan_bytes(plan: MapRunPlan) -> int:
    """Bytes of a plan in a record."""
    return len(encode(plan))


def _read_variables(frame: Frame, work: MapWork) -> dict[str, Any]:
    """The variables whose names stand in the ItemSelector: children see none, so no others needn't travel."""
    return {name: value for name, value in frame.variables.items() if f"${name}" in work.selector_text}


def _needed(work: MapWork) -> frozenset[str]:
    """What the ItemSelector reads; the rest needn't travel with the plan to every lane."""
    if work.selector is not None:
        return reads(work.selector)
    return frozenset() if work.select is None else frozenset({"input", "context", "variable"})


def tolerated(state: State, work: MapWork, root: Any, scope: Scope) -> tuple[int | None, float | None]:
    """ToleratedFailureCount and ToleratedFailurePercentage; None when not given. Raises StatesError."""
    assert state.kind == "Map"
    count = whole_number(work.tolerated_count, root, scope, "ToleratedFailureCount")
    if count is not None and count < 0:
        raise runtime_error("ToleratedFailureCount cannot be negative.")
    percentage = real_number(work.tolerated_percentage, root, scope, "ToleratedFailurePercentage")
    if percentage is not None and not 0 <= percentage <= PERCENT_MAX:
        raise runtime_error("ToleratedFailurePercentage must be between 0 and 100.")
    return count, percentage


def _texts(value: Any) -> dict[str, str]:
    """Parameters of a reader or writer: an object whose members are texts."""
    if not isinstance(value, dict):
        raise runtime_error(f"The Parameters '{jsontext.encode(value).decode()}' must be a JSON object.")
    out = {}
    for key, member in value.items():
        if not isinstance(member, str):
            raise runtime_error(f"The value of '{key}' must be a string, but was: {jsontext.encode(member).decode()}")
        out[key] = member
    return out


def _reader(reader: ReaderWork, root: Any, scope: Scope) -> ItemReaderPlan:
    given = _texts(reader.parameters(root, scope))
    config = reader.config
    return ItemReaderPlan(
        resource=reader.resource,
        bucket=given.get("Bucket", ""),
        key=given.get("Key", ""),
        prefix=given.get("Prefix", ""),
        version_id=given.get("VersionId", ""),
        expected_bucket_owner=given.get("ExpectedBucketOwner", ""),
        input_type=config.get("InputType", ""),
        transformation=config.get("Transformation", "NONE"),
        manifest_type=config.get("ManifestType", ""),
        csv_header_location=config.get("CSVHeaderLocation", ""),
        csv_headers=tuple(config.get("CSVHeaders", ())),
        csv_delimiter=config.get("CSVDelimiter", "COMMA"),
        max_items=whole_number(reader.max_items, root, scope, "MaxItems") or 0,
        items_pointer=config.get("ItemsPointer", ""),
    )


def _batcher(batcher: BatcherWork, root: Any, scope: Scope) -> ItemBatcherPlan:
    items_max = whole_number(batcher.items_max, root, scope, "MaxItemsPerBatch") or 0
    bytes_max = whole_number(batcher.bytes_max, root, scope, "MaxInputBytesPerBatch") or 0
    if items_max < 0 or not 0 <= bytes_max <= BATCH_BYTES_MAX:
        raise runtime_error(
            f"MaxItemsPerBatch must be positive and MaxInputBytesPerBatch between 1 and {BATCH_BYTES_MAX}."
        )
    batch_input = b"" if batcher.batch_input is None else jsontext.encode(batcher.batch_input(root, scope))
    return ItemBatcherPlan(items_max, bytes_max, batch_input)


def _writer(writer: WriterWork, root: Any, scope: Scope) -> ResultWriterPlan:
    given = {} if writer.parameters is None else _texts(writer.parameters(root, scope))
    if writer.parameters is not None and not given.get("Bucket"):
        raise runtime_error("The ResultWriter names no Bucket")
    return ResultWriterPlan(given.get("Bucket", ""), given.get("Prefix", ""), writer.transformation, writer.output_type)


def started(step: StepBuilder, frame: Frame, wait: MapRunWait, happening: MapRunStarted) -> None:
    """The Map Run exists; a second word of it changes nothing."""
    if not wait.started_id:
        wait.started_id = frame.last_id = step.emit(EventType.MAP_RUN_STARTED, frame.last_id, (happening.map_run_arn,))


def redriven(step: StepBuilder, frame: Frame, wait: MapRunWait, happening: MapRunRedriven) -> None:
    """The Map Run goes on; a second word of it changes nothing. It points at MapStateStarted (recorded)."""
    if wait.redriving:
        wait.redriving = False
        details = (happening.map_run_arn, happening.redrive_count)
        wait.started_id = frame.last_id = step.emit(EventType.MAP_RUN_REDRIVEN, wait.began_id, details)


def succeeded(step: StepBuilder, frame: Frame, state: State, wait: MapRunWait, happening: MapRunSucceeded) -> None:
    """The Map Run ended well: its result flows on. The exit points at MapRunStarted (AWS since November 2024)."""
    step.execution.waits.pop(wait.ref, None)
    frame.wait = None  # whatever fails from here on, there is nothing to redrive in that run
    ended = step.emit(EventType.MAP_RUN_SUCCEEDED, frame.last_id)
    output = jsontext.compact(happening.output)
    try:
        step.check_size(output, state.name)
        jsontext.decode(output)  # what a host hands in must be JSON before it goes on as text
    except StatesError as error:
        attempt_failed(step, frame, state, error.error, error.cause)
        return
    step.emit(EventType.MAP_STATE_SUCCEEDED, ended)
    complete_text(step, frame, state, output, step.scope(frame, "result"))


def failed(step: StepBuilder, frame: Frame, state: State, wait: MapRunWait, happening: MapRunFailed) -> None:
    """The Map Run failed."""
    step.execution.waits.pop(wait.ref, None)
    details = (happening.error, happening.cause)
    frame.last_id = step.emit(EventType.MAP_RUN_FAILED, frame.last_id, details)
    attempt_failed(step, frame, state, happening.error, happening.cause)
