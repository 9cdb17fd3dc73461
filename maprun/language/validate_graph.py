"""How the states of one scope lead to each other: every target exists, something ends, everything is reached.

Measured: missing targets come first, then the missing end, of the whole machine alone, which keeps silent about what is
not reached; a StartAt that leads nowhere leaves every state unreached.
"""

from collections.abc import Iterator
from typing import Any

from maprun.language.diagnostics import Diagnostic, error

_ENDS = ("Succeed", "Fail")
_CATCHING = ("Task", "Parallel", "Map")


def check_graph(document: dict[str, Any], pointer: str, *, whole: bool) -> Iterator[Diagnostic]:
    """The states of a machine (`whole`), a branch or an item processor, also where some of them are wrong."""
    states, start = document["States"], document.get("StartAt")
    targets = {name: list(_targets(state)) for name, state in states.items()}
    if isinstance(start, str) and start not in states:
        yield _missing(start, f"{pointer}/StartAt")
    for name, found in targets.items():
        for target, place in found:
            if isinstance(target, str) and target not in states:
                yield _missing(target, f"{pointer}/States/{name}{place}")
    if not isinstance(start, str) or not all(map(_leads_somewhere, states.values(), targets.values())):
        return  # what is wrong there is reported already, and where it was meant to lead nobody knows
    if whole and not any(map(_ends, states.values())):
        yield error("MISSING_END_STATE", "Workflow has no terminal state", "")
        return
    reached, front = {start}, [start]
    while front:
        for target, _ in targets.get(front.pop(), ()):
            if target not in reached:
                reached.add(target)
                front.append(target)
    for name in states:
        if name not in reached:
            text = f'State "{name}" is not reachable.'
            yield error("MISSING_TRANSITION_TARGET", text, f"{pointer}/States/{name}")


def _missing(target: str, place: str) -> Diagnostic:
    return error("MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {target}", place)


def _ends(state: dict[str, Any]) -> bool:
    return state["Type"] in _ENDS or state.get("End") is True


def _leads_somewhere(state: Any, targets: list[tuple[Any, str]]) -> bool:
    """True when the state says of each of its ways on where it leads."""
    if not isinstance(state, dict) or not isinstance(state.get("Type"), str):
        return False
    return all(isinstance(target, str) for target, _ in targets) and (bool(targets) or _ends(state))


def _targets(state: Any) -> Iterator[tuple[Any, str]]:
    """(name, where it stands within the state) of each state this one may go to; no text where a name should stand."""
    if not isinstance(state, dict) or state.get("Type") in _ENDS:
        return
    if state.get("Type") == "Choice":
        yield from _each(state.get("Choices"), "/Choices")
        if "Default" in state:
            yield state["Default"], "/Default"
        return
    if "Next" in state:
        yield state["Next"], "/Next"
    elif state.get("End") is not True:
        yield None, "/Next"
    if state.get("Type") in _CATCHING and state.get("Catch") is not None:
        yield from _each(state["Catch"], "/Catch")


def _each(entries: Any, place: str) -> Iterator[tuple[Any, str]]:
    if not isinstance(entries, list):
        yield None, place
        return
    for at, entry in enumerate(entries):
        yield (entry.get("Next") if isinstance(entry, dict) else None), f"{place}[{at}]/Next"
