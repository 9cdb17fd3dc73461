"""Fields that several state types share, compiled: templates, assignments, retriers, catchers, paths, amounts.

Validation has found nothing wrong with them: an expression that doesn't parse here is a bug.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maprun.language import jsonata, jsontext
from maprun.language.errors import StatesError
from maprun.language.expression import Expression, field_value
from maprun.language.model import Amount, Assign, Catcher, Computed, Machine, Put, State
from maprun.language.path import Path
from maprun.language.pathsteps import Index, Names
from maprun.language.retry import ATTEMPTS_MAX, BACKOFF_RATE, INTERVAL_SECONDS, Retrier
from maprun.language.scope import Evaluate
from maprun.language.template import compile_node, parse_template

BACKOFF_RATE_MAX = 1e9
"""A larger rate would reach the longest delay at once just the same."""
LONG_LEAST, LONG_MOST = -(2**63), 2**63 - 1
_WHOLE = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_REAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
CompileMachine = Callable[[dict[str, Any], str, str, dict[str, State]], Machine]


@dataclass(frozen=True, slots=True)
class Source:
    """One state of the document on its way to being compiled."""

    name: str
    state: dict[str, Any]
    machine_type: str
    machine_language: str
    maps: dict[str, State]
    compile_machine: CompileMachine

    @property
    def jsonata(self) -> bool:
        """True when this state's expressions are JSONata."""
        return bool(self.state.get("QueryLanguage", self.machine_language) == "JSONata")

    def sub_machine(self, document: dict[str, Any], machine_type: str = "") -> Machine:
        """A branch or an item processor. Its states inherit the machine's language, not this state's (measured)."""
        kind = machine_type or self.machine_type
        return self.compile_machine(document, kind, self.machine_language, self.maps)


def payload(source: Source, value: Any, field: str) -> Evaluate:
    """A payload template in either language."""
    return jsonata.compile_value(value, field) if source.jsonata else compile_node(parse_template(value))


def assignments(source: Source, holder: dict[str, Any], prefix: str = "Assign") -> Assign:
    """The Assign of a state, a catcher or a choice rule."""
    given = holder.get("Assign")
    if not given:
        return ()
    out = []
    for key, value in given.items():
        name = key[:-2] if key.endswith(".$") and not source.jsonata else key
        if source.jsonata:
            out.append((name, payload(source, value, f"{prefix}/{key}")))
        else:
            whole = payload(source, {key: value}, prefix)
            out.append((name, _member(whole, name)))
    return tuple(out)


def _member(whole: Evaluate, name: str) -> Evaluate:
    return lambda root, scope: whole(root, scope)[name]


def retriers(state: dict[str, Any]) -> tuple[Retrier, ...]:
    """The Retry of a state."""
    return tuple(
        Retrier(
            errors=frozenset(entry["ErrorEquals"]),
            interval_seconds=entry.get("IntervalSeconds", INTERVAL_SECONDS),
            attempts_max=entry.get("MaxAttempts", ATTEMPTS_MAX),
            backoff_rate=float(min(entry.get("BackoffRate", BACKOFF_RATE), BACKOFF_RATE_MAX)),
            delay_seconds_max=entry.get("MaxDelaySeconds"),
            jitter=entry.get("JitterStrategy") == "FULL",
        )
        for entry in state.get("Retry") or ()
    )


def catchers(source: Source) -> tuple[Catcher, ...]:
    """The Catch of a state."""
    out = []
    for entry in source.state.get("Catch") or ():
        output = payload(source, entry["Output"], "Output") if source.jsonata and "Output" in entry else None
        put = None if source.jsonata or entry.get("ResultPath", "$") == "$" else put_at(entry["ResultPath"])
        out.append(Catcher(frozenset(entry["ErrorEquals"]), entry["Next"], put, output, assignments(source, entry)))
    return tuple(out)


def put_at(text: str | None) -> Put:
    """ResultPath: puts a result into the raw input, making objects on the way; null drops the result."""
    if text is None:
        return lambda raw, _result: raw
    steps = Path(text).steps

    def put(raw: Any, result: Any) -> Any:
        return _replaced(raw, 0, result)

    def _replaced(value: Any, at: int, result: Any) -> Any:
        if at == len(steps):
            return result
        step = steps[at]
        if isinstance(step, Names):
            name = step.names[0]
            if value is None and at:
                value = {}
            if isinstance(value, dict):
                return {**value, name: _replaced(value.get(name), at + 1, result)}
        elif isinstance(step, Index) and isinstance(value, list):
            place = step.place
            if 0 <= place < len(value):
                return [*value[:place], _replaced(value[place], at + 1, result), *value[place + 1 :]]
        shown = jsontext.encode(value).decode()
        raise StatesError(
            "States.ResultPathMatchFailure", f"Unable to apply the ResultPath '{text}' to the input '{shown}'."
        )

    return put


def whole_number_of(value: Any) -> int | None:
    """The 64-bit integer that a path led to, as a number or as digits in a text; None when it is none.

    AWS reads the value's text (recorded: 1.5 "cannot be parsed as a long value"), so a fraction is none, even 2.0.
    """
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if LONG_LEAST <= value <= LONG_MOST else None


def real_number_of(value: Any) -> float | None:
    """The number that a path led to, as a number or written in a text; None when it is none."""
    if isinstance(value, str):
        return float(value) if _REAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def amount(source: Source, holder: dict[str, Any], field: str) -> Amount:
    """A number given by `field`, by a path in `<field>Path`, or, in JSONata, by an expression."""
    value = holder.get(field)
    if source.jsonata and isinstance(value, str):
        return Computed(payload(source, value, field), value)
    if value is not None:
        return float(value) if isinstance(value, float) else int(value)
    path = holder.get(f"{field}Path")
    if path is None:
        return None
    return Computed(field_value(Expression(path), f"{field}Path"), path)
