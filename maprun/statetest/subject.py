"""Which state is tested: a definition of one state, or a state of a machine by its name, at any depth."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from maprun.language import compile_machine
from maprun.language.diagnostics import Diagnostic
from maprun.language.errors import DefinitionError
from maprun.language.examine import FINDINGS_MAX, examine
from maprun.language.jsontext import DECODE_ERRORS
from maprun.language.model import Machine, MapWork, ParallelWork, State
from maprun.requests.checks import Refusal

ALONE = "State"
"""What a state is called whose definition is given without its machine."""
_PLACE = f"/States/{ALONE}"
_TARGET = re.compile(r"/(?:Next|Default|Choices\[\d+\]/Next|Catch\[\d+\]/Next)")
_GRAPH = ("MISSING_TRANSITION_TARGET", "MISSING_END_STATE")
NOT_FOUND = "State not found in definition"


@dataclass(frozen=True, slots=True)
class Subject:
    """The state, the machine (or branch, or processor) it stands in, and whether that is run for items of a Map."""

    machine: Machine
    state: State
    in_map: bool = False

    def states_within(self) -> Iterator[str]:
        """The names of the states below a Map or Parallel."""
        for machine, _ in _below(self.state):
            for found in _all(machine, in_map=False):
                yield found.state.name


def subject_of(definition: str, state_name: str | None) -> Subject:
    """The state to test. Raises Refusal (InvalidDefinition; ValidationException if there is no such state)."""
    text = definition.encode()
    if state_name is None:
        return _alone(text)
    try:
        machine = compile_machine(text)
    except DefinitionError as error:
        raise _refused(str(error)) from error
    found = next((one for one in _all(machine, in_map=False) if one.state.name == state_name), None)
    if found is None:
        raise Refusal("ValidationException", NOT_FOUND)
    return found


def states_of(definition: str) -> list[str]:
    """The names of all states of a machine, at any depth. Raises DefinitionError."""
    return [found.state.name for found in _all(compile_machine(definition.encode()), in_map=False)]


def _alone(text: bytes) -> Subject:
    """A state without its machine: where it leads to can't be known, and isn't asked."""
    try:
        state = msgspec.json.decode(text)
    except DECODE_ERRORS:
        raise _refused(", ".join(found.line for found in examine(text).errors)) from None
    whole = msgspec.json.encode({"StartAt": ALONE, "States": {ALONE: state}})
    wrong = [_placed(found) for found in examine(whole).errors if not _leads_out(found)]
    if wrong:
        raise _refused(", ".join(found.line for found in wrong[:FINDINGS_MAX]))
    machine = compile_machine(whole, accepted=True)
    return Subject(machine, machine.states[ALONE])


def _leads_out(found: Diagnostic) -> bool:
    """True for a finding about where the state itself leads."""
    place = found.location.removeprefix(_PLACE)
    return found.code in _GRAPH and (not place or _TARGET.fullmatch(place) is not None)


def _placed(found: Diagnostic) -> Diagnostic:
    """The finding with its place within the state."""
    return Diagnostic(found.severity, found.code, found.message, found.location.removeprefix(_PLACE) or "/")


def _refused(what: str) -> Refusal:
    return Refusal("InvalidDefinition", f"Invalid State Machine Definition: '{what}'")


def _all(machine: Machine, *, in_map: bool) -> Iterator[Subject]:
    """The states of a machine and all below them."""
    for state in machine.states.values():
        yield Subject(machine, state, in_map)
        for inner, of_items in _below(state):
            yield from _all(inner, in_map=in_map or of_items)


def _below(state: State) -> Iterator[tuple[Machine, bool]]:
    """(machine, whether it is a Map's processor) of each branch of a Parallel, or of a Map."""
    if isinstance(state.work, ParallelWork):
        yield from ((branch, False) for branch in state.work.branches)
    elif isinstance(state.work, MapWork):
        yield state.work.processor, True
