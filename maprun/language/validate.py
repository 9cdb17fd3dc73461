"""Validation of definitions with AWS's codes and texts: everything that is wrong is reported, each thing once.

Texts: facts, section 4.3, and what `validate-state-machine-definition` was measured to say. A finding hides no other;
what follows from one alone (a state whose type is unknown has no fields to judge) is not reported beside it.
"""

from collections.abc import Iterator
from typing import Any

from maprun.language.diagnostics import Diagnostic, error, schema_error
from maprun.language.validate_fields import KINDS, check_state
from maprun.language.validate_graph import check_graph
from maprun.language.validate_values import (
    EMPTY,
    enumerated,
    is_object,
    number,
    only_one,
    required,
    typed,
    unknown,
    wrong_type,
)

STATE_NAME_LENGTH_MAX = 80
SCOPES_DEPTH_MAX = 40
LABEL_LENGTH_MAX = 40
LABEL_REFUSED = set(' \t\r\n<>{}[]?*"#%\\^|~$&,;:/`')
LANGUAGES = ("JSONPath", "JSONata")
MODES = ("INLINE", "DISTRIBUTED")
_MACHINE_FIELDS = {"StartAt", "States", "Comment", "Version", "TimeoutSeconds", "QueryLanguage"}
_SCOPE_FIELDS = {"StartAt", "States", "Comment"}
_PROCESSOR_FIELDS = _SCOPE_FIELDS | {"ProcessorConfig"}
_DISTRIBUTED_FIELDS = ("ItemReader", "ItemBatcher", "ResultWriter", "Label")
_TYPES = {"StartAt": typed(str), "Comment": typed(str), "TimeoutSeconds": number(1)}


def validate(document: Any, machine_type: str = "STANDARD") -> Iterator[Diagnostic]:
    """Everything found about a decoded definition, warnings too, in document order; lazily."""
    if not is_object(document):
        yield error("INVALID_JSON_DESCRIPTION", "The definition must be a JSON object", "")
        return
    yield from enumerated(document, "QueryLanguage", LANGUAGES, "")
    yield from enumerated(document, "Version", ("1.0",), "")
    jsonata = _is_jsonata(document, inherited=False)
    yield from _Scope(machine_type, jsonata, set(), set()).check(document, "", _MACHINE_FIELDS, 1)


def _is_jsonata(holder: dict[str, Any], *, inherited: bool) -> bool:
    """Measured: whatever is not "JSONPath" to the letter is JSONata, beside being refused for what it is."""
    return bool(holder["QueryLanguage"] != "JSONPath") if "QueryLanguage" in holder else inherited


class _Scope:
    """One walk over a document: names and labels seen so far belong to the whole of it."""

    def __init__(self, machine_type: str, jsonata: bool, names: set[str], labels: set[str]) -> None:
        self.machine_type = machine_type
        self.jsonata = jsonata
        self.names = names
        self.labels = labels

    def check(self, document: Any, pointer: str, fields: set[str], depth: int) -> Iterator[Diagnostic]:
        """A machine, a branch or an item processor."""
        if not is_object(document):
            yield wrong_type(dict, pointer)
            return
        if depth > SCOPES_DEPTH_MAX:
            yield error("TOO_DEEPLY_NESTED", f"States are nested deeper than {SCOPES_DEPTH_MAX} levels", pointer)
            return
        yield from required(document, ("StartAt", "States"), pointer)
        yield from unknown(document, fields, pointer)
        for field, expected in _TYPES.items():
            if field in document and field in fields:
                yield from expected(document[field], f"{pointer}/{field}", False)
        if "States" in document:
            yield from self._states(document, pointer, depth)

    def _states(self, document: dict[str, Any], pointer: str, depth: int) -> Iterator[Diagnostic]:
        states = document["States"]
        if not is_object(states):
            yield wrong_type(dict, f"{pointer}/States")
        elif not states:
            yield schema_error(EMPTY, f"{pointer}/States")
        else:
            for name, state in states.items():
                yield from self._state(name, state, f"{pointer}/States/{name}", depth)
            yield from check_graph(document, pointer, whole=depth == 1)

    def _state(self, name: str, state: Any, pointer: str, depth: int) -> Iterator[Diagnostic]:
        if not name or len(name) > STATE_NAME_LENGTH_MAX:
            text = f"State names must have between 1 and {STATE_NAME_LENGTH_MAX} characters"
            yield error("INVALID_STATE_NAME", text, pointer)
        if name in self.names:
            yield error("DUPLICATE_STATE_NAME", f"State name '{name}' is used more than once", pointer)
        self.names.add(name)
        if not is_object(state):
            yield wrong_type(dict, pointer)
            return
        yield from required(state, ("Type",), pointer)
        kind = state.get("Type")
        if kind in KINDS:
            yield from self._known(state, kind, pointer, depth)
        elif "Type" in state:
            yield schema_error(
                f"The field 'Type' should have one of these values: [{', '.join(KINDS)}]", f"{pointer}/Type"
            )

    def _known(self, state: dict[str, Any], kind: str, pointer: str, depth: int) -> Iterator[Diagnostic]:
        """A state whose type is known."""
        jsonata = _is_jsonata(state, inherited=self.jsonata)
        mixed = self.jsonata and not jsonata
        if mixed:
            text = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
            yield schema_error(text, pointer)
        yield from check_state(state, pointer, jsonata=jsonata, mixed=mixed, machine_type=self.machine_type)
        if kind == "Parallel" and isinstance(state.get("Branches"), list):
            for at, branch in enumerate(state["Branches"]):
                yield from self.check(branch, f"{pointer}/Branches[{at}]", _SCOPE_FIELDS, depth + 1)
        elif kind == "Map":
            yield from self._map(state, pointer, depth)

    def _map(self, state: dict[str, Any], pointer: str, depth: int) -> Iterator[Diagnostic]:
        given = [field for field in ("ItemProcessor", "Iterator") if field in state]
        if not given:
            yield from required(state, ("ItemProcessor",), pointer)
        elif len(given) > 1:
            yield schema_error(only_one(given), pointer)
        for field in given:
            yield from self._processor(state, field, pointer, depth)

    def _processor(self, state: dict[str, Any], field: str, pointer: str, depth: int) -> Iterator[Diagnostic]:
        place, processor = f"{pointer}/{field}", state[field]
        config = processor.get("ProcessorConfig", {}) if is_object(processor) else {}
        inner = self
        if not is_object(config):
            yield wrong_type(dict, f"{place}/ProcessorConfig")
        else:
            yield from enumerated(config, "Mode", MODES, f"{place}/ProcessorConfig")
            if config.get("Mode") == "DISTRIBUTED":
                yield from self._distributed(state, config, pointer, f"{place}/ProcessorConfig")
                inner = _Scope(str(config.get("ExecutionType", "")), self.jsonata, self.names, self.labels)
            elif config.get("Mode", "INLINE") == "INLINE":
                yield from unknown(dict.fromkeys(name for name in _DISTRIBUTED_FIELDS if name in state), (), pointer)
        yield from inner.check(processor, place, _PROCESSOR_FIELDS, depth + 1)

    def _distributed(
        self, state: dict[str, Any], config: dict[str, Any], pointer: str, place: str
    ) -> Iterator[Diagnostic]:
        yield from required(config, ("ExecutionType",), place)
        yield from enumerated(config, "ExecutionType", ("STANDARD", "EXPRESS"), place)
        if self.machine_type == "EXPRESS":
            yield schema_error("Express state machine does not support Distributed Map", place)
        label = state.get("Label")
        if not isinstance(label, str):
            return  # absent, or reported already
        if not label or len(label) > LABEL_LENGTH_MAX or not _label_ok(label):
            text = f"Label must have between 1 and {LABEL_LENGTH_MAX} characters and hold no special characters"
            yield error("INVALID_LABEL_NAME", text, f"{pointer}/Label")
        elif label in self.labels:
            yield error("DUPLICATE_LABEL_NAME", f"Label '{label}' is used more than once", f"{pointer}/Label")
        self.labels.add(label)


def _label_ok(label: str) -> bool:
    return not any(sign in LABEL_REFUSED or sign.isspace() or not sign.isprintable() for sign in label)
