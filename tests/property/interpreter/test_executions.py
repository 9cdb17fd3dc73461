"""Random machines under random worlds: deterministic, restorable, deaf to repeats."""

import json
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maprun.interpreter import (
    Ended,
    ExecutionHead,
    Limits,
    Step,
    advance,
    begin,
    decode_execution,
    encode_execution,
    go_on,
)
from maprun.language import compile_machine
from schemas.effects import (
    EffectCancelled,
    Happening,
    StopAsked,
    TaskFailed,
    TaskRequested,
    TaskSucceeded,
    TimerFired,
    TimerRequested,
)
from schemas.history import EventType, HistoryEvent, decode_events, encode_events, event_to_api
from tests.property.interpreter.documents import machines

ARN = "arn:aws:states:us-east-1:123456789012:execution:m:e"
INPUT = json.dumps({"items": [1, {"a": 2}, "three"], "a": {"b": 1}}).encode()
STEPS_MAX = 400
LIMITS = Limits()


class World:
    """Answers effects in an order and with outcomes drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.outstanding: dict[str, Any] = {}
        self.told: list[Happening] = []

    def hear(self, effects: list[Any]) -> None:
        """Takes over what is asked for and what is no longer."""
        for effect in effects:
            if isinstance(effect, EffectCancelled):
                assert effect.ref in self.outstanding, "only what was asked for is cancelled"
                del self.outstanding[effect.ref]
            else:
                assert effect.ref not in self.outstanding, "a ref names one effect for ever"
                self.outstanding[effect.ref] = effect

    def next(self) -> Happening:
        """Something happens."""
        ref = self.chance.choice(sorted(self.outstanding))
        effect = self.outstanding.pop(ref)
        happening: Happening
        if isinstance(effect, TimerRequested):
            happening = TimerFired(ref)
        else:
            assert isinstance(effect, TaskRequested)
            outcome = self.chance.random()
            if outcome < 0.6:
                happening = TaskSucceeded(
                    ref, self.chance.choice([b"1", b'{ "a" : [] }', b"[null]", effect.parameters])
                )
            else:
                happening = TaskFailed(ref, self.chance.choice(["Boom", "Other", "States.Timeout"]), "because")
        self.told.append(happening)
        return happening


class Cuts:
    """Cuts steps at places drawn from a seed; without one nowhere."""

    def __init__(self, seed: int | None) -> None:
        self.chance = None if seed is None else random.Random(seed)

    def spent(self) -> bool:
        """True where a step is to be cut."""
        return self.chance is not None and self.chance.random() < 0.5

    def through(self, step: Step) -> Step:
        """The step, once it is through."""
        while step.more:
            go_on(step, self.spent)
        return step


def live(
    definition: bytes,
    seed: int,
    *,
    restore: bool = False,
    repeat: bool = False,
    cut: int | None = None,
    limits: Limits = LIMITS,
) -> tuple[list[HistoryEvent], Ended | None, list[Any]]:
    """One life: its events, its end, all effects in order."""
    machine, cuts = compile_machine(definition), Cuts(cut)
    head = ExecutionHead(ARN, "e", "arn:m", "m", "arn:role", 1_000, INPUT)
    world, now_ms = World(seed), 1_000
    step = cuts.through(begin(machine, head, now_ms, limits, cuts.spent))
    events, effects = list(step.events), list(step.effects)
    world.hear(step.effects)
    for _ in range(STEPS_MAX):
        if step.ended is not None:
            break
        execution = step.execution
        assert execution is not None
        assert world.outstanding, "an execution that runs waits for something"
        if restore:
            execution = decode_execution(encode_execution(execution))
        if repeat and world.told:
            again = advance(machine, execution, world.chance.choice(world.told), now_ms)
            assert (again.events, again.effects, again.ended) == ([], [], None)
            assert again.execution is execution
        now_ms += 500
        happening = world.next() if not repeat else _next_quietly(world)
        step = cuts.through(advance(machine, execution, happening, now_ms, limits, cuts.spent))
        events += step.events
        effects += step.effects
        world.hear(step.effects)
    if step.ended is not None:
        assert step.execution is None
        assert world.outstanding == {}, "an end cancels whatever is outstanding"
    return events, step.ended, effects


def _next_quietly(world: World) -> Happening:
    """As `next`; its own method so that a repeat's draw does not shift the seed of the comparison."""
    return world.next()


SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@SLOW
@given(machines(), st.integers(0, 2**32))
def test_the_same_life_twice_is_the_same_to_the_byte(definition: bytes, seed: int) -> None:
    """The same happenings at the same times give the same events, effects and end, byte for byte."""
    first, second = live(definition, seed), live(definition, seed)
    assert encode_events(first[0]) == encode_events(second[0])
    assert first[1:] == second[1:]


@SLOW
@given(machines(), st.integers(0, 2**32))
def test_stopping_and_restoring_anywhere_changes_nothing(definition: bytes, seed: int) -> None:
    """An execution stored and restored before every step ends as one never stopped."""
    assert live(definition, seed, restore=True) == live(definition, seed)


@SLOW
@given(machines(), st.integers(0, 2**32), st.integers(0, 2**32), st.integers(2_000, 40_000))
def test_a_life_cut_anywhere_is_the_same_to_the_byte(definition: bytes, seed: int, cut: int, history: int) -> None:
    """Steps that pause between any two states, stored and restored before each, end as if they had never paused.

    So does a life that ends for the bytes of its history.
    """
    for limits in (LIMITS, Limits(history_bytes_max=history, events_max=400)):
        whole = live(definition, seed, limits=limits)
        parts = live(definition, seed, cut=cut, restore=True, limits=limits)
        assert encode_events(parts[0]) == encode_events(whole[0])
        assert parts[1:] == whole[1:]


@SLOW
@given(machines(), st.integers(0, 2**32))
def test_what_is_told_twice_changes_nothing(definition: bytes, seed: int) -> None:
    """A happening told again, at any later time, brings no event, no effect and no end."""
    live(definition, seed, repeat=True)


@SLOW
@given(machines(), st.integers(0, 2**32))
def test_histories_are_well_formed(definition: bytes, seed: int) -> None:
    """Every event points at an earlier one, the last one is the end, and packing loses nothing."""
    events, ended, _ = live(definition, seed)
    assert decode_events(encode_events(events)) == events
    for event_id, event in enumerate(events, 1):
        assert event.previous_id < event_id
        event_to_api(event, event_id)
    if ended is not None:
        kinds = {
            "SUCCEEDED": EventType.EXECUTION_SUCCEEDED,
            "FAILED": EventType.EXECUTION_FAILED,
            "TIMED_OUT": EventType.EXECUTION_TIMED_OUT,
        }
        assert events[-1].type == kinds[ended.status]


@SLOW
@given(machines(), st.integers(0, 2**32), st.integers(0, 20))
def test_a_stop_ends_at_once_and_cancels_everything(definition: bytes, seed: int, after: int) -> None:
    """StopExecution ends any running execution as ABORTED, with one event that points at nothing."""
    machine = compile_machine(definition)
    step = begin(machine, ExecutionHead(ARN, "e", "arn:m", "m", "arn:role", 1_000, INPUT), 1_000)
    world = World(seed)
    world.hear(step.effects)
    for _ in range(after):
        if step.execution is None:
            return
        step = advance(machine, step.execution, world.next(), 2_000)
        world.hear(step.effects)
    if step.execution is None:
        return
    step = advance(machine, step.execution, StopAsked("E", "C"), 3_000)
    world.hear(step.effects)
    assert step.ended == Ended("ABORTED", b"", "E", "C")
    assert [(event.type, event.previous_id) for event in step.events] == [(EventType.EXECUTION_ABORTED, 0)]
    assert world.outstanding == {}
