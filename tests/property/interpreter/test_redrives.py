"""Random machines whose Tasks fail, are stopped or run out of time, redriven until they succeed."""

import random
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from maprun.interpreter import (
    Ended,
    Execution,
    ExecutionHead,
    Step,
    advance,
    begin,
    decode_execution,
    decode_remains,
    encode_execution,
    encode_remains,
    redrive,
)
from maprun.interpreter.history_bytes import event_bytes
from maprun.language import Machine, compile_machine
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
HEAD = ExecutionHead(ARN, "e", "arn:m", "m", "arn:role", 1_000, b'{ "items": [1, {"a": 2}, "three"], "a": {"b": 1}}')
STEPS_MAX = 300
REDRIVES = 3
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class World:
    """Answers effects by a seed. Once it is `well`, Tasks succeed and nothing runs out of time."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.well = False
        self.outstanding: dict[str, Any] = {}
        self.asked: set[str] = set()
        self.told: list[Happening] = []

    def hear(self, effects: list[Any]) -> None:
        """Takes over what is asked for and what is no longer."""
        for effect in effects:
            if isinstance(effect, EffectCancelled):
                del self.outstanding[effect.ref]
            else:
                assert effect.ref not in self.asked, "a ref names one effect for ever, redrives or not"
                self.asked.add(effect.ref)
                self.outstanding[effect.ref] = effect

    def next(self) -> Happening:
        """Something happens."""
        if not self.well and self.chance.random() < 0.05:
            return StopAsked("Stopped", "by hand")
        ref = self.chance.choice([ref for ref in sorted(self.outstanding) if not (self.well and _is_timeout(ref))])
        effect = self.outstanding.pop(ref)
        happening: Happening
        if isinstance(effect, TimerRequested):
            happening = TimerFired(ref)
        else:
            assert isinstance(effect, TaskRequested)
            if self.well or self.chance.random() < 0.7:
                happening = TaskSucceeded(ref, effect.parameters)
            else:
                errors = ["Boom", "Other", "States.Timeout", "States.DataLimitExceeded", "States.Runtime"]
                happening = TaskFailed(ref, self.chance.choice(errors), "because")
        self.told.append(happening)
        return happening


def _is_timeout(ref: str) -> bool:
    return ref.endswith((":timeout", "TimeoutSeconds"))


class Life:
    """One execution in one world."""

    def __init__(self, definition: bytes, seed: int, *, how: str = "as it is", late: bool = False) -> None:
        """`how` the execution passes from step to step and redrive to redrive; `late`: old news comes again."""
        self.machine: Machine = compile_machine(definition)
        self.world = World(seed)
        self.how = how
        self.late = late
        self.now_ms = 1_000
        self.events: list[HistoryEvent] = []
        self.effects: list[Any] = []
        self._take(begin(self.machine, HEAD, self.now_ms))

    def _take(self, step: Step) -> None:
        self.step = step
        self.events += step.events
        self.effects += step.effects
        self.world.hear(step.effects)

    def run(self) -> Ended | None:
        """Lets things happen until the execution ends; None when it lives too long."""
        for _ in range(STEPS_MAX):
            if self.step.execution is None:
                return self.step.ended
            execution = self.step.execution
            if self.how != "as it is":
                execution = decode_execution(encode_execution(execution))
            if self.late and self.world.told:
                again = advance(self.machine, execution, self.world.chance.choice(self.world.told), self.now_ms)
                assert (again.events, again.effects, again.ended) == ([], [], None)
            self.now_ms += 500
            self._take(advance(self.machine, execution, self.world.next(), self.now_ms))
        return None

    def redrive(self) -> None:
        """Redrives it, an hour later."""
        remains: Execution | None = self.step.remains
        assert remains is not None
        self.now_ms += 3_600_000
        if self.how == "as a root":
            remains = decode_execution(encode_execution(remains))
        elif self.how == "as a child":
            head = remains.head
            size = sum(event_bytes(event.details) for event in self.events)
            remains = decode_remains(encode_remains(remains), head, len(self.events), size)
            assert remains.head == head
        self._take(redrive(self.machine, remains, self.now_ms))

    def through(self, redrives: int) -> Ended | None:
        """Runs it and redrives it so often while things go wrong."""
        ended = self.run()
        for _ in range(redrives):
            if ended is None or ended.status == "SUCCEEDED":
                break
            assert self.world.outstanding == {}
            self.redrive()
            ended = self.run()
        return ended


@SLOW
@given(machines(), st.integers(0, 2**32), st.sampled_from(["as a root", "as a child"]))
def test_what_remains_can_be_stored(definition: bytes, seed: int, how: str) -> None:
    """A redrive from stored remains brings the same events, effects and end as one from memory, byte for byte."""
    kept, stored = Life(definition, seed), Life(definition, seed, how=how)
    assert kept.through(REDRIVES) == stored.through(REDRIVES)
    assert encode_events(kept.events) == encode_events(stored.events)
    assert kept.effects == stored.effects


@SLOW
@given(machines(), st.integers(0, 2**32))
def test_news_from_before_a_redrive_changes_nothing(definition: bytes, seed: int) -> None:
    """Whatever was told once, in this life or the one before the redrive, meets nobody when it is told again."""
    Life(definition, seed, late=True).through(REDRIVES)


@SLOW
@given(machines(), st.integers(0, 2**32), st.integers(1, REDRIVES))
def test_an_execution_that_recovers_ends_as_if_nothing_had_failed(definition: bytes, seed: int, redrives: int) -> None:
    """Tasks fail, the user stops it, time runs out; once all is well a redrive gives the output of a life without."""
    definition = definition.replace(b"States.UUID()", b"States.Array()").replace(b"MathRandom", b"MathAdd")
    good = Life(definition, seed)
    good.world.well = True
    wanted = good.run()
    assume(wanted is not None and wanted.status == "SUCCEEDED")
    bad = Life(definition, seed)
    ended = bad.through(redrives - 1)
    assume(ended is not None)
    assert ended is not None
    if ended.status != "SUCCEEDED":
        bad.world.well = True
        bad.redrive()
        ended = bad.run()
    assert ended == wanted


@SLOW
@given(machines(), st.integers(0, 2**32))
def test_the_history_of_a_redriven_execution_is_well_formed(definition: bytes, seed: int) -> None:
    """Each life ends with one end and begins with ExecutionRedriven, which points at it."""
    life = Life(definition, seed)
    life.through(REDRIVES)
    events = life.events
    assert decode_events(encode_events(events)) == events
    ends = {EventType.EXECUTION_FAILED, EventType.EXECUTION_ABORTED, EventType.EXECUTION_TIMED_OUT}
    count = 0
    for event_id, event in enumerate(events, 1):
        assert event.previous_id < event_id
        event_to_api(event, event_id)
        if event.type == EventType.EXECUTION_REDRIVEN:
            count += 1
            assert (event.previous_id, event.details) == (event_id - 1, (count,))
            assert events[event_id - 2].type in ends
        else:
            assert event_id == 1 or events[event_id - 2].type not in ends
