"""Bent definitions of every state type, lived twice: restored at every step, told everything twice, and neither."""

import random

from maprun.interpreter import ExecutionHead, advance, begin, decode_execution, encode_execution
from maprun.language import DefinitionError, Machine, compile_machine
from schemas.effects import Effect, EffectCancelled, Happening
from schemas.history import encode_events
from tests.fuzz.corpus import INPUTS, definitions
from tests.fuzz.run import ARN, LIMITS, STEPS_MAX, answers, definition

Life = tuple[bytes, list[Effect], str, bytes]
"""Events packed, effects in order, how it ended ("" while running), output."""
CASES = range(2_000_000, 2_001_500)


def life(machine: Machine, seed: int, *, restore: bool, repeat: bool) -> Life:
    """One life in a world that depends on the seed alone."""
    chance, now_ms = random.Random(seed), 1_700_000_000_000
    step = begin(
        machine, ExecutionHead(ARN, "e", "arn:m", "m", "arn:role", now_ms, chance.choice(INPUTS)), now_ms, LIMITS
    )
    events, effects, told = list(step.events), list(step.effects), list[Happening]()
    waiting = {effect.ref: effect for effect in step.effects}
    for _ in range(STEPS_MAX):
        if step.ended is not None or not waiting:
            break
        now_ms += 1_000
        for happening in answers(machine, waiting.pop(chance.choice(sorted(waiting))), chance):
            execution = step.execution
            if execution is None:
                break
            if restore:
                execution = decode_execution(encode_execution(execution))
            if repeat and told:
                again = advance(machine, execution, told[-1], now_ms, LIMITS)
                assert (again.events, again.effects, again.ended) == ([], [], None)
            step = advance(machine, execution, happening, now_ms, LIMITS)
            told.append(happening)
            events += step.events
            effects += step.effects
            for effect in step.effects:
                if isinstance(effect, EffectCancelled):
                    waiting.pop(effect.ref, None)
                else:
                    waiting[effect.ref] = effect
    ended = step.ended
    return encode_events(events), effects, ended.status if ended else "", ended.output if ended else b""


def test_restored_repeated_or_neither_a_life_is_the_same() -> None:
    """1,500 bent definitions: restoring at every step, and telling what was told before, change no byte."""
    documents, lived = definitions(), 0
    for seed in CASES:
        try:
            machine = compile_machine(definition(seed, documents))
        except DefinitionError:
            continue
        lived += 1
        plain = life(machine, seed, restore=False, repeat=False)
        assert life(machine, seed, restore=False, repeat=False) == plain, seed
        assert life(machine, seed, restore=True, repeat=False) == plain, seed
        assert life(machine, seed, restore=False, repeat=True) == plain, seed
    assert lived > 400
