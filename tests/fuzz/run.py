"""One definition through validation and, where it is taken, through the interpreter with a scripted host."""

import random
import time
from typing import Any, NamedTuple

import msgspec

from maprun.interpreter import ExecutionHead, Limits, Step, advance, begin, decode_execution, encode_execution, go_on
from maprun.interpreter.item_selector import input_builder
from maprun.language import DefinitionError, compile_machine
from maprun.language.errors import StatesError
from maprun.language.model import Machine
from schemas.effects import (
    EffectCancelled,
    Happening,
    MapRunFailed,
    MapRunRequested,
    MapRunStarted,
    MapRunSucceeded,
    TaskFailed,
    TaskRequested,
    TaskSucceeded,
    TimerFired,
)
from schemas.history import encode_events, event_to_api
from tests.fuzz.corpus import INPUTS
from tests.fuzz.mutate import bend, bend_gently, copied, random_json

STEPS_MAX = 40
SECONDS_MAX = 2.5
"""What one slice of a step may take of the processor, where its host asks for slices of 0.05 s: one state, at worst."""
SLICE_SECONDS = 0.05
LIMITS = Limits(events_max=200)
LONG_LIMITS = Limits(history_bytes_max=8 << 20)
"""AWS's 25,000 events, and the bytes that a child's history may take: every so many cases live under these."""
LONG_EVERY = 4
ARN = "arn:aws:states:us-east-1:123456789012:execution:m:e"
OUTPUTS = (b"1", b'{"n": 2, "items": [1], "a": {"b": 1}}', b"[]", b'"text"', b"null")


class Outcome(NamedTuple):
    """What became of one definition: "refused", or how its execution ended ("RUNNING" when cut off).

    `seconds` is what the longest slice took.
    """

    ended: str
    seconds: float


class HangError(AssertionError):
    """Something took longer than a lane may be held."""


def definition(seed: int, documents: list[dict[str, Any]]) -> bytes:
    """The bytes of case number `seed`."""
    chance = random.Random(seed)
    if chance.random() < 0.05:
        return msgspec.json.encode(random_json(chance))
    document = copied(chance.choice(documents))
    gently = chance.random() < 0.6
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        if gently:
            bend_gently(document, chance)
            continue
        if not document:
            break
        bend(document, chance.choice(documents), chance)
    text = msgspec.json.encode(document)
    if chance.random() < 0.02:
        at = chance.randrange(len(text))
        text = text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]
    return text


def tried(text: bytes, seed: int) -> Outcome:
    """Validates and runs it. Raises whatever is neither DefinitionError nor told as an end; HangError when too slow."""
    slices = Slices()
    chance = random.Random(seed)
    try:
        machine = compile_machine(text, "EXPRESS" if seed % 10 == 0 else "STANDARD")
    except DefinitionError as error:
        ended = "refused" if str(error).startswith(f"{error.findings[0].code}: ") else "refused without a code"
    else:
        slices.passed()
        ended = _lived(machine, chance, LIMITS if seed % LONG_EVERY else LONG_LIMITS, slices)
    slices.passed()
    if slices.longest > SECONDS_MAX:
        raise HangError(f"{slices.longest:.1f} seconds")
    return Outcome(ended, slices.longest)


class Slices:
    """A host that lets no step work for longer than a slice, and knows the longest one. Seconds of the processor."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = time.process_time()

    def spent(self) -> bool:
        """True once the slice is used up."""
        return time.process_time() - self._began >= SLICE_SECONDS

    def passed(self) -> None:
        """A slice is over, the next one begins."""
        now = time.process_time()
        self.longest, self._began = max(self.longest, now - self._began), now

    def through(self, step: Step) -> Step:
        """The step, slice by slice."""
        self.passed()
        while step.more:
            go_on(step, self.spent)
            self.passed()
        return step


def _lived(machine: Machine, chance: random.Random, limits: Limits, slices: Slices) -> str:
    now_ms = 1_700_000_000_000
    head = ExecutionHead(ARN, "e", "arn:m", "m", "arn:role", now_ms, chance.choice(INPUTS))
    step = slices.through(begin(machine, head, now_ms, limits, slices.spent))
    waiting = _taken(step, [])
    shown = _checked(step, 0)
    for _ in range(STEPS_MAX):
        if step.ended is not None:
            return step.ended.status
        assert waiting, "an execution that runs waits for something"
        effect = waiting.pop(chance.randrange(len(waiting)))
        execution = step.execution
        assert execution is not None
        if chance.random() < 0.2:
            execution = decode_execution(encode_execution(execution))
        now_ms += 1_000
        for happening in answers(machine, effect, chance):
            if execution is None:
                break
            step = slices.through(advance(machine, execution, happening, now_ms, limits, slices.spent))
            execution = step.execution
            waiting = _taken(step, waiting)
            shown = _checked(step, shown)
    return "RUNNING"


def _taken(step: Step, waiting: list[Any]) -> list[Any]:
    for effect in step.effects:
        if isinstance(effect, EffectCancelled):
            waiting = [other for other in waiting if other.ref != effect.ref]
        else:
            waiting = [*waiting, effect]
    return waiting


def _checked(step: Step, shown: int) -> int:
    """Every event can be packed and shown, and points back."""
    encode_events(step.events)
    for event in step.events:
        shown += 1
        assert event.previous_id < shown
        event_to_api(event, shown)
    return shown


def answers(machine: Machine, effect: Any, chance: random.Random) -> list[Happening]:
    """What the world says to an effect; the first that ends it is the last."""
    match effect:
        case TaskRequested():
            if chance.random() < 0.4:
                return [TaskFailed(effect.ref, chance.choice(["Boom", "States.Timeout", "States.Runtime"]), "why")]
            return [TaskSucceeded(effect.ref, chance.choice(OUTPUTS))]
        case MapRunRequested():
            msgspec.msgpack.encode(effect.plan)
            started = MapRunStarted(effect.ref, "arn:run")
            try:
                input_builder(machine, effect.plan)(0, None, b'{"a": 1}', "STATE_DATA")
            except StatesError as error:
                return [started, MapRunFailed(effect.ref, error.error, error.cause)]
            return [started, MapRunSucceeded(effect.ref, b"[1]")]
        case _:
            return [TimerFired(effect.ref)]
