"""Validation of definitions with AWS's codes and texts: the document, its scopes, and how states lead to each other.

Texts: facts, section 4.3, and what `validate-state-machine-definition` was measured to say.
"""

from collections.abc import Iterator
from typing import Any

from maprun.language.diagnostics import Diagnostic, error, schema_error
from maprun.language.validate_fields import KINDS, check_state
from maprun.language.validate_values import is_object

STATE_NAME_LENGTH_MAX = 80
SCOPES_DEPTH_MAX = 40
LABEL_LENGTH_MAX = 40
LABEL_REFUSED = set(' \t\r\n<>{}[]?*"#%\\^|~$&,;:/`')
_MACHINE_FIELDS = {"StartAt", "States", "Comment", "Version", "TimeoutSeconds", "QueryLanguage"}
_SCOPE_FIELDS = {"StartAt", "States", "Comment"}
_PROCESSOR_FIELDS = _SCOPE_FIELDS | {"ProcessorConfig"}
_LANGUAGES = ("JSONPath", "JSONata")


def validate(document: Any, machine_type: str = "STANDARD") -> Iterator[Diagnostic]:
    """Everything found wrong with a decoded definition, in document order; lazily."""
    if not is_object(document):
        yield error("INVALID_JSON_DESCRIPTION", "The definition must be a JSON object", "/")
        return
    language = document.get("QueryLanguage", "JSONPath")
    if language not in _LANGUAGES:
        yield schema_error(_one_of("QueryLanguage", _LANGUAGES), "/QueryLanguage")
        return
    if "Version" in document and document["Version"] != "1.0":
        yield schema_error(_one_of("Version", ("1.0",)), "/Version")
    timeout = document.get("TimeoutSeconds")
    if timeout is not None and (not isinstance(timeout, int) or isinstance(timeout, bool)):
        yield schema_error("Expected value of type Integer", "/TimeoutSeconds")
    elif timeout is not None and timeout < 1:
        yield schema_error("Minimum value is 1", "/TimeoutSeconds")
    yield from _Scope(machine_type, language, set(), set()).check(document, "", _MACHINE_FIELDS, 1)


def _one_of(field: str, values: tuple[str, ...]) -> str:
    return f"The field '{field}' should have one of these values: [{', '.join(values)}]"


class _Scope:
    """One walk over a document: names and labels seen so far belong to the whole of it."""

    def __init__(self, machine_type: str, language: str, names: set[str], labels: set[str]) -> None:
        self.machine_type = machine_type
        self.language = language
        self.names = names
        self.labels = labels

    def check(self, document: dict[str, Any], pointer: str, fields: set[str], depth: int) -> Iterator[Diagnostic]:
        """A machine, a branch or an item processor."""
        if depth > SCOPES_DEPTH_MAX:
            yield error("TOO_DEEPLY_NESTED", f"States are nested deeper than {SCOPES_DEPTH_MAX} levels", pointer)
            return
        missing = [field for field in ("StartAt", "States") if field not in document]
        if missing:
            yield schema_error(f"These fields are required: [{', '.join(missing)}]", pointer or "/")
            return
        for field in document:
            if field not in fields:
                yield schema_error(f"Field '{field}' is not supported", pointer or "/")
        states, start = document["States"], document["StartAt"]
        if not isinstance(start, str):
            yield schema_error("Expected value of type String", f"{pointer}/StartAt")
            return
        if not isinstance(document.get("Comment", ""), str):
            yield schema_error("Expected value of type String", f"{pointer}/Comment")
        if not is_object(states):
            yield schema_error("Expected value of type Object", f"{pointer}/States")
            return
        if not states:
            yield schema_error("Value cannot be empty", f"{pointer}/States")
            return
        broken = False
        for name, state in states.items():
            for found in self._state(name, state, f"{pointer}/States/{name}", depth):
                broken |= found.severity == "ERROR"
                yield found
        if not broken:
            yield from _graph(document, pointer)

    def _state(self, name: str, state: Any, pointer: str, depth: int) -> Iterator[Diagnostic]:
        if not name or len(name) > STATE_NAME_LENGTH_MAX:
            text = f"State names must have between 1 and {STATE_NAME_LENGTH_MAX} characters"
            yield error("INVALID_STATE_NAME", text, pointer)
        if name in self.names:
            yield error("DUPLICATE_STATE_NAME", f"State name '{name}' is used more than once", pointer)
        self.names.add(name)
        if not is_object(state):
            yield schema_error("Expected value of type Object", pointer)
            return
        if "Type" not in state:
            yield schema_error("These fields are required: [Type]", pointer)
            return
        if state["Type"] not in KINDS:
            yield schema_error(_one_of("Type", KINDS), f"{pointer}/Type")
            return
        own = state.get("QueryLanguage", self.language)
        if own not in _LANGUAGES:
            yield schema_error(_one_of("QueryLanguage", _LANGUAGES), f"{pointer}/QueryLanguage")
            return
        if own == "JSONPath" and self.language == "JSONata":
            text = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
            yield schema_error(text, pointer)
            return
        yield from check_state(state, pointer, jsonata=own == "JSONata", machine_type=self.machine_type)
        if state["Type"] == "Parallel":
            yield from self._branches(state.get("Branches"), pointer, depth)
        elif state["Type"] == "Map":
            yield from self._map(state, pointer, depth)

    def _branches(self, branches: Any, pointer: str, depth: int) -> Iterator[Diagnostic]:
        if not isinstance(branches, list):
            return
        for at, branch in enumerate(branches):
            place = f"{pointer}/Branches[{at}]"
            if is_object(branch):
                yield from self.check(branch, place, _SCOPE_FIELDS, depth + 1)
            else:
                yield schema_error("Expected value of type Object", place)

    def _map(self, state: dict[str, Any], pointer: str, depth: int) -> Iterator[Diagnostic]:
        given = [field for field in ("ItemProcessor", "Iterator") if field in state]
        if len(given) != 1:
            text = "There should only be one of the following fields: [ItemProcessor, Iterator]"
            yield schema_error(text if given else "These fields are required: [ItemProcessor]", pointer)
            return
        place, processor = f"{pointer}/{given[0]}", state[given[0]]
        if not is_object(processor):
            yield schema_error("Expected value of type Object", place)
            return
        config = processor.get("ProcessorConfig", {})
        if not is_object(config):
            yield schema_error("Expected value of type Object", f"{place}/ProcessorConfig")
            return
        mode = config.get("Mode", "INLINE")
        if mode not in ("INLINE", "DISTRIBUTED"):
            yield schema_error(_one_of("Mode", ("INLINE", "DISTRIBUTED")), f"{place}/ProcessorConfig/Mode")
        inner = self
        if mode == "DISTRIBUTED":
            yield from self._distributed(state, config, pointer, place)
            inner = _Scope(str(config.get("ExecutionType", "")), self.language, self.names, self.labels)
        else:
            for field in ("ItemReader", "ItemBatcher", "ResultWriter", "Label"):
                if field in state:
                    yield schema_error(f"Field '{field}' is not supported", pointer)
        yield from inner.check(processor, place, _PROCESSOR_FIELDS, depth + 1)

    def _distributed(
        self, state: dict[str, Any], config: dict[str, Any], pointer: str, place: str
    ) -> Iterator[Diagnostic]:
        kinds = ("STANDARD", "EXPRESS")
        if "ExecutionType" not in config:
            yield schema_error("These fields are required: [ExecutionType]", f"{place}/ProcessorConfig")
        elif config["ExecutionType"] not in kinds:
            yield schema_error(_one_of("ExecutionType", kinds), f"{place}/ProcessorConfig/ExecutionType")
        if self.machine_type == "EXPRESS":
            yield schema_error("Express state machine does not support Distributed Map", f"{place}/ProcessorConfig")
        label = state.get("Label")
        if label is None:
            return
        if not isinstance(label, str) or not label or len(label) > LABEL_LENGTH_MAX or not _label_ok(label):
            text = f"Label must have between 1 and {LABEL_LENGTH_MAX} characters and hold no special characters"
            yield error("INVALID_LABEL_NAME", text, f"{pointer}/Label")
        elif label in self.labels:
            yield error("DUPLICATE_LABEL_NAME", f"Label '{label}' is used more than once", f"{pointer}/Label")
        else:
            self.labels.add(label)


def _label_ok(label: str) -> bool:
    return not any(sign in LABEL_REFUSED or sign.isspace() or not sign.isprintable() for sign in label)


def _graph(document: dict[str, Any], pointer: str) -> Iterator[Diagnostic]:
    """Every target exists, some state ends the scope, every state can be reached."""
    states, start = document["States"], document["StartAt"]
    if start not in states:
        yield error("MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {start}", f"{pointer}/StartAt")
    for name, state in states.items():
        for target, place in _targets(state):
            if target not in states:
                text = f"Missing 'Next' target: {target}"
                yield error("MISSING_TRANSITION_TARGET", text, f"{pointer}/States/{name}{place}")
    if not any(state.get("End") is True or state["Type"] in ("Succeed", "Fail") for state in states.values()):
        yield error("MISSING_END_STATE", "Workflow has no terminal state", "")
        return
    reached, front = {start}, [start]
    while front:
        for target, _ in _targets(states.get(front.pop(), {})):
            if target not in reached:
                reached.add(target)
                front.append(target)
    for name in states:
        if name not in reached:
            text = f'State "{name}" is not reachable.'
            yield error("MISSING_TRANSITION_TARGET", text, f"{pointer}/States/{name}")


def _targets(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, where it stands within the state) of each state this one may go to."""
    if "Next" in state:
        yield state["Next"], "/Next"
    for at, rule in enumerate(state.get("Choices", ())):
        yield rule["Next"], f"/Choices[{at}]/Next"
    if "Default" in state:
        yield state["Default"], "/Default"
    for at, catcher in enumerate(state.get("Catch") or ()):
        yield catcher["Next"], f"/Catch[{at}]/Next"
