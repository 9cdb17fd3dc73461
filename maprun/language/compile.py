"""From the JSON of a definition to a Machine: the fields that all states share, and the machine itself."""

from typing import Any

import msgspec

from maprun.language.compile_states import COMPILERS
from maprun.language.errors import DefinitionError
from maprun.language.examine import FINDINGS_MAX, examine
from maprun.language.expression import Expression, whole_value
from maprun.language.fields import Source, assignments, catchers, payload, put_at, retriers
from maprun.language.model import Machine, State
from schemas.history import EventType

_ENTERED = {
    "Task": EventType.TASK_STATE_ENTERED,
    "Pass": EventType.PASS_STATE_ENTERED,
    "Choice": EventType.CHOICE_STATE_ENTERED,
    "Wait": EventType.WAIT_STATE_ENTERED,
    "Parallel": EventType.PARALLEL_STATE_ENTERED,
    "Map": EventType.MAP_STATE_ENTERED,
    "Succeed": EventType.SUCCEED_STATE_ENTERED,
    "Fail": EventType.FAIL_STATE_ENTERED,
}
_EXITED = {
    "Task": EventType.TASK_STATE_EXITED,
    "Pass": EventType.PASS_STATE_EXITED,
    "Choice": EventType.CHOICE_STATE_EXITED,
    "Wait": EventType.WAIT_STATE_EXITED,
    "Parallel": EventType.PARALLEL_STATE_EXITED,
    "Map": EventType.MAP_STATE_EXITED,
    "Succeed": EventType.SUCCEED_STATE_EXITED,
}


def compile_machine(definition: bytes, machine_type: str = "STANDARD", *, accepted: bool = False) -> Machine:
    """Compiles a definition, the JSON text of a whole machine. Costs milliseconds: callers cache by digest.

    `accepted` says that it passed when its machine was made, with this release or one before: then it is not examined
    again, and what would be refused of it today stands. Raises DefinitionError, with everything that is wrong.
    """
    document = msgspec.json.decode(definition) if accepted else _examined(definition, machine_type)
    return _machine(document, machine_type, document.get("QueryLanguage", "JSONPath"), {})


def _examined(definition: bytes, machine_type: str) -> Any:
    examined = examine(definition, machine_type)
    if examined.errors:
        raise DefinitionError(examined.errors[:FINDINGS_MAX])
    return examined.document


def _machine(document: dict[str, Any], machine_type: str, language: str, maps: dict[str, State]) -> Machine:
    states = {
        name: _state(Source(name, state, machine_type, language, maps, _machine))
        for name, state in document["States"].items()
    }
    timeout = document.get("TimeoutSeconds")
    return Machine(
        start_at=document["StartAt"],
        states=states,
        comment=document.get("Comment", ""),
        timeout_seconds=None if timeout is None else int(timeout),
        query_language=language,
        machine_type=machine_type,
        source=document,
        _maps=maps,
    )


def _state(source: Source) -> State:
    state, kind = source.state, source.state["Type"]
    work = COMPILERS[kind](source)
    compiled = State(
        name=source.name,
        kind=kind,
        next=state.get("Next"),
        entered_type=_ENTERED[kind],
        exited_type=_EXITED.get(kind, 0),
        work=work,
        jsonata=source.jsonata,
        assign=assignments(source, state),
        retry=retriers(state),
        catch=catchers(source),
    )
    if source.jsonata:
        _jsonata_fields(source, compiled)
    else:
        _jsonpath_fields(source, compiled)
    compiled.plain = (
        kind in ("Pass", "Succeed")
        and not compiled.assign
        and all(field is None for field in (compiled.input, compiled.parameters, compiled.output, compiled.put))
        and getattr(work, "result", None) is None
    )
    if kind == "Map" and getattr(work, "distributed", False):
        source.maps[source.name] = compiled
    return compiled


def _jsonata_fields(source: Source, compiled: State) -> None:
    state = source.state
    if "Arguments" in state:
        compiled.parameters = payload(source, state["Arguments"], "Arguments")
    if "Output" in state:
        compiled.output = payload(source, state["Output"], "Output")


def _jsonpath_fields(source: Source, compiled: State) -> None:
    state = source.state
    if state.get("InputPath", "$") != "$":
        compiled.input = whole_value(_path(source, "InputPath"))
    if state.get("OutputPath", "$") != "$":
        compiled.output = whole_value(_path(source, "OutputPath"))
    if "Parameters" in state and compiled.kind != "Map":
        compiled.parameters = payload(source, state["Parameters"], "Parameters")
    if "ResultSelector" in state:
        compiled.selector = payload(source, state["ResultSelector"], "ResultSelector")
    if state.get("ResultPath", "$") != "$":
        compiled.put = put_at(state["ResultPath"])


def _path(source: Source, field: str) -> Expression | None:
    text = source.state[field]
    return None if text is None else Expression(text)
