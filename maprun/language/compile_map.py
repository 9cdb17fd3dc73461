"""Map states: the processor, the items, and for distributed ones reader, batcher and writer."""

from typing import Any

from maprun.language import jsonata, jsontext
from maprun.language.errors import runtime_error
from maprun.language.expression import Expression, field_value
from maprun.language.fields import Source, amount, payload
from maprun.language.model import BatcherWork, MapWork, ReaderWork, WriterWork
from maprun.language.scope import Evaluate, Scope
from maprun.language.template import parse_template


def map_work(source: Source) -> MapWork:
    """Map, inline or distributed; `Iterator` and `Parameters` are the older names of ItemProcessor and ItemSelector."""
    state = source.state
    document = state["ItemProcessor"] if "ItemProcessor" in state else state["Iterator"]
    config = document.get("ProcessorConfig") or {}
    distributed = config.get("Mode", "INLINE") == "DISTRIBUTED"
    child_type = config.get("ExecutionType", "STANDARD") if distributed else ""
    template = state.get("ItemSelector", state.get("Parameters"))
    has_selector = "ItemSelector" in state or "Parameters" in state
    selector = parse_template(template) if has_selector and not source.jsonata else None
    return MapWork(
        processor=source.sub_machine(document, child_type),
        distributed=distributed,
        child_type=child_type,
        label=state.get("Label", ""),
        items=_items(source),
        selector=selector,
        select=payload(source, template, "ItemSelector") if has_selector else None,
        selector_text=jsontext.encode(template).decode() if has_selector else "",
        max_concurrency=amount(source, state, "MaxConcurrency"),
        tolerated_count=amount(source, state, "ToleratedFailureCount"),
        tolerated_percentage=amount(source, state, "ToleratedFailurePercentage"),
        reader=_reader(source, state["ItemReader"]) if state.get("ItemReader") else None,
        batcher=_batcher(source, state["ItemBatcher"]) if state.get("ItemBatcher") else None,
        writer=_writer(source, state["ResultWriter"]) if state.get("ResultWriter") else None,
    )


def _items(source: Source) -> Evaluate:
    state = source.state
    processor = state.get("ItemProcessor") or state.get("Iterator") or {}
    objects = (processor.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED"
    if source.jsonata:
        return jsonata.compile_items(state, objects=objects)
    text = state.get("ItemsPath", "$")
    read = field_value(Expression(text), "ItemsPath")
    kinds: tuple[type, ...] = (list, dict) if objects else (list,)

    def items(root: Any, scope: Scope) -> Any:
        value = read(root, scope)
        if not isinstance(value, kinds):
            raise runtime_error(f'Reference path "{text}" must point to array.')
        return value

    return items


def _parameters(source: Source, holder: dict[str, Any], field: str) -> Evaluate | None:
    name = "Arguments" if source.jsonata else "Parameters"
    return payload(source, holder[name], f"{field}/{name}") if name in holder else None


def _reader(source: Source, reader: dict[str, Any]) -> ReaderWork:
    config = reader.get("ReaderConfig") or {}
    parameters = _parameters(source, reader, "ItemReader")
    return ReaderWork(
        resource=reader["Resource"],
        parameters=parameters or (lambda _root, _scope: {}),
        config=config,
        max_items=amount(source, config, "MaxItems"),
    )


def _batcher(source: Source, batcher: dict[str, Any]) -> BatcherWork:
    return BatcherWork(
        items_max=amount(source, batcher, "MaxItemsPerBatch"),
        bytes_max=amount(source, batcher, "MaxInputBytesPerBatch"),
        batch_input=payload(source, batcher["BatchInput"], "ItemBatcher/BatchInput")
        if "BatchInput" in batcher
        else None,
    )


def _writer(source: Source, writer: dict[str, Any]) -> WriterWork:
    config = writer.get("WriterConfig") or {}
    return WriterWork(
        parameters=_parameters(source, writer, "ResultWriter"),
        transformation=config.get("Transformation", ""),
        output_type=config.get("OutputType", ""),
    )


def shown_json(value: Any) -> str:
    """A value as messages about amounts show it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else jsontext.encode(value).decode()
