"""A state that tells what its fields give: the interpreter runs it as any other.

Every step of a state's data flow is a function that the compiler made (`State`), or None where a field has its default.
Here each of them is put into one that notes what came out of it. So what is shown of a test is what the interpreter
did, and an execution that nobody looks at pays nothing.
"""

import dataclasses
from typing import Any

from maprun.language.model import Catcher, MapWork, State, TaskWork
from maprun.language.scope import Evaluate, Scope

_SHAPED = ("Task", "Pass", "Parallel")  # by Parameters or Arguments
_RESULTS = ("Task", "Pass", "Parallel", "Map")  # what has a result, with ResultSelector and ResultPath


class Seen:
    """What was noted: `values` by the member of inspectionData, and which Catch took an error."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.catch_index: int | None = None

    def noting(self, field: str, evaluate: Evaluate) -> Evaluate:
        """The function, which also notes what it gives."""

        def noted(root: Any, scope: Scope) -> Any:
            value = self.values[field] = evaluate(root, scope)
            return value

        return noted


def watched(state: State, seen: Seen, *, mocked: bool) -> State:
    """The state, telling `seen`. A Task that is mocked may have a resource that can't run here."""
    changes: dict[str, Any] = _jsonata(state, seen) if state.jsonata else _jsonpath(state, seen)
    changes["catch"] = tuple(_catcher(state, seen, place, one) for place, one in enumerate(state.catch))
    work = state.work
    if isinstance(work, MapWork) and not state.jsonata and work.reader is None:
        changes["work"] = dataclasses.replace(work, items=seen.noting("after_items_path", work.items))
    elif isinstance(work, TaskWork) and mocked:
        changes["work"] = dataclasses.replace(work, refusal="")
    return dataclasses.replace(state, plain=False, **changes)


def _itself(root: Any, _scope: Scope) -> Any:
    return root


def _jsonpath(state: State, seen: Seen) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if state.kind != "Fail":
        changes["input"] = seen.noting("after_input_path", state.input or _itself)
    if state.kind in _SHAPED:
        changes["parameters"] = seen.noting("after_parameters", state.parameters or _itself)
    if state.kind in _RESULTS:
        select, put = seen.noting("after_result_selector", state.selector or _itself), state.put

        def selected(result: Any, scope: Scope) -> Any:
            seen.values["result"] = result
            return select(result, scope)

        def put_in(raw: Any, result: Any) -> Any:
            value = seen.values["after_result_path"] = result if put is None else put(raw, result)
            return value

        changes["selector"], changes["put"] = selected, put_in
    return changes


def _jsonata(state: State, seen: Seen) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if state.kind in ("Task", "Parallel"):
        shaped = state.parameters or (lambda root, _scope: root["input"])
        changes["parameters"] = seen.noting("after_arguments", shaped)
    if state.kind in ("Task", "Parallel", "Map"):
        output = state.output

        def given(root: Any, scope: Scope) -> Any:
            seen.values["result"] = root["result"]
            return root["result"] if output is None else output(root, scope)

        changes["output"] = given
    return changes


def _catcher(state: State, seen: Seen, place: int, catcher: Catcher) -> Catcher:
    output, put = catcher.output, catcher.put
    if state.jsonata:

        def given(root: Any, scope: Scope) -> Any:
            seen.catch_index = place
            return root["errorOutput"] if output is None else output(root, scope)

        return dataclasses.replace(catcher, output=given)

    def put_in(raw: Any, caught: Any) -> Any:
        seen.catch_index = place
        return caught if put is None else put(raw, caught)

    return dataclasses.replace(catcher, put=put_in)
