"""One test of one state: the interpreter enters it, it gets its mock or the answer to its call, and that is all.

A state whose work is a call to the world is run twice, with the same clock and the same chance: first up to the call,
which the host makes, then anew with what came of it. So nothing is kept between the two, in no thread.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec

from maprun.interpreter import ExecutionHead, Limits, Spent, never_spent
from maprun.interpreter.dataflow import arguments
from maprun.interpreter.drive import go_on, perform
from maprun.interpreter.execution import (
    ChildrenWait,
    DelayWait,
    Execution,
    Frame,
    MapRunWait,
    RetryWait,
    TaskWait,
)
from maprun.interpreter.failure import attempt_failed, state_failed
from maprun.interpreter.kinds import KINDS
from maprun.interpreter.step import take_happening
from maprun.interpreter.step_builder import StepBuilder, enter, fail
from maprun.language import jsontext
from maprun.language.errors import StatesError
from maprun.language.model import MapWork, PassWork, State
from maprun.language.scope import Scope
from maprun.mapruns.run import TOLERANCE_CAUSE, TOLERANCE_EXCEEDED
from maprun.requests.checks import Refusal
from maprun.statetest.answers import ErrorDetails, Exchange, Inspection, StateOutcome
from maprun.statetest.asked import Asked
from maprun.statetest.checks import Given, check
from maprun.statetest.context import show
from maprun.statetest.maps import MapSeen, ReadItems, Room, distributed_map, inline_map
from maprun.statetest.subject import Subject, subject_of
from maprun.statetest.watching import Seen, watched
from schemas.arns import Names
from schemas.effects import (
    Happening,
    MapRunFailed,
    MapRunRequested,
    MapRunSucceeded,
    TaskFailed,
    TaskRequested,
    TaskSucceeded,
    TimerFired,
    TimerRequested,
)
from schemas.history import EventType
from schemas.plan import MapRunPlan
from schemas.tokens import TokenSecret

SECONDS_MAX = 300
"""A test may take so long (AWS); a state that would take longer fails with States.Timeout."""
TIMEOUT = "States.Timeout"
TOKENS = b"the tokens of a test open nothing"
CheckResult = Callable[[str, Any, bool], str]
"""(Resource, mocked result, whether required members must be there) → what is wrong with it; "" = nothing."""


class World(msgspec.Struct, frozen=True):
    """What a test takes from outside: the names it makes up, its clock, and what knows services and sources."""

    names: Names
    now_ms: int
    check_result: CheckResult
    read_items: ReadItems
    limits: Limits = Limits()
    spent: Spent = never_spent  # True once a test has computed for too long


class Called(msgspec.Struct, frozen=True):
    """What came of a Task's call; of an HTTP Task also what went over the wire."""

    outcome: TaskSucceeded | TaskFailed | TimerFired
    exchange: Exchange | None = None


class _TestStep(StepBuilder):
    """A step that hears of failures, and shows a context of the test's own."""

    __slots__ = ("failure", "given", "item")

    def __init__(self, execution: Execution, world: World, given: Given, item: tuple[Any] | None) -> None:
        super().__init__(execution, world.now_ms, world.limits, KINDS)
        self.given = given
        self.item = item
        self.failure: tuple[str | None, str | None] = (None, None)

    def attempt_failed(self, error: str | None, cause: str | None) -> None:
        self.failure = error, cause

    def scope(self, frame: Frame, phase: str = "") -> Scope:
        scope = super().scope(frame, phase)
        show(scope.context, self.given.context, self.item)
        return scope


def seconds_max(request: TaskRequested) -> int:
    """How long the call of a test may take."""
    return min(request.timeout_seconds or SECONDS_MAX, SECONDS_MAX)


def timed_out(request: TaskRequested) -> TaskFailed | TimerFired:
    """What came of a call that took longer: the state's own timeout, or the end of the test."""
    if request.timeout_seconds == seconds_max(request):
        return TimerFired(f"{request.ref}:timeout")
    return TaskFailed(request.ref, TIMEOUT, f"The test took longer than {SECONDS_MAX} seconds")


def try_state(asked: Asked, world: World, called: Called | None = None) -> StateOutcome | TaskRequested:
    """What becomes of the state, or the call that it makes. Raises Refusal."""
    subject = subject_of(asked.definition, asked.state_name)
    given = check(asked, subject)
    if given.result is not None and given.validated and subject.state.kind == "Task":
        wrong = world.check_result(_resource(subject.state), given.result[1], given.strict)
        if wrong:
            raise Refusal("ValidationException", f"Mock result schema validation error: {wrong}")
    return _Trial(asked, subject, given, world).run(called)


def _resource(state: State) -> str:
    return str(getattr(state.work, "resource", ""))


class _Trial:
    """One run through the state."""

    def __init__(self, asked: Asked, subject: Subject, given: Given, world: World) -> None:
        self.asked = asked
        self.given = given
        self.world = world
        self.seen = Seen()
        self.state = watched(subject.state, self.seen, mocked=asked.mock is not None)
        self.machine = subject.machine
        machine = dataclasses.replace(
            subject.machine, states={**subject.machine.states, subject.state.name: self.state}
        )
        self.frame = frame = Frame(machine, None, 0, "")
        frame.state, frame.input, frame.variables = subject.state.name, given.input, given.variables
        item = (jsontext.decode(given.input),) if subject.in_map else None
        self.step = _TestStep(Execution(self._head(), frame, TokenSecret(TOKENS)), world, given, item)
        self.map: MapSeen | None = None
        self.room = Room(world.limits.payload_bytes_max, world.spent)

    def _head(self) -> ExecutionHead:
        names, name = self.world.names, "TestState"
        prefix = names.machine(name)
        return ExecutionHead(
            arn=f"{prefix.replace(':stateMachine:', ':express:')}:{name}:{self.world.now_ms}",
            name=name,
            machine_arn=prefix,
            machine_name=name,
            role_arn=self.asked.role_arn or names.role(name),
            start_ms=self.world.now_ms,
            input=self.given.input,
            express=True,
        )

    def run(self, called: Called | None) -> StateOutcome | TaskRequested:
        step, frame, state = self.step, self.frame, self.state
        head = step.execution.head
        step.emit(EventType.EXECUTION_STARTED, 0, (head.input, head.role_arn))  # causes name ids behind it
        enter(step, frame, state)
        retries = self.given.configuration.retrier_retry_count or 0
        before = frame.attempts = [retries] * len(state.retry)
        frame.attempts, frame.retry_count = [*before], retries
        if isinstance(state.work, PassWork) and state.work.result is not None and not state.jsonata:
            self._shape_unused_input()
        if frame.wait is None and step.ended is None:
            perform(step, frame, state)
        match frame.wait:
            case TaskWait() as wait:
                request = next(effect for effect in step.effects if isinstance(effect, TaskRequested))
                if self.asked.mock is None and called is None:
                    return request
                happening = called.outcome if called is not None else self._mock(wait.ref)
                wait.submitted = True  # a job's mock is what it ends with
                take_happening(step, frame, happening)
            case DelayWait() as wait:
                self._wait_over(wait)
            case ChildrenWait() as wait:
                self._children_over(wait)
            case MapRunWait() as wait:
                self._map_run_over(wait)
            case RetryWait() | None:
                pass
        return self._answer(before, None if called is None else called.exchange)

    def _shape_unused_input(self) -> None:
        """Pass shapes its input also where its Result stands in for it."""
        try:
            arguments(self.frame, self.state, self.step.scope(self.frame))
        except StatesError as error:
            state_failed(self.step, self.frame, self.state, error)

    def _mock(self, ref: str) -> Happening:
        if self.given.result is not None:
            return TaskSucceeded(ref, self.given.result[0])
        return TaskFailed(ref, *self._mocked_error())

    def _mocked_error(self) -> tuple[str, str]:
        mock = self.asked.mock
        assert mock is not None
        assert mock.error_output is not None
        return mock.error_output.error or "", mock.error_output.cause or ""

    def _wait_over(self, wait: DelayWait) -> None:
        """The moment comes at once, if it would come in time at all."""
        timer = next(effect for effect in self.step.effects if isinstance(effect, TimerRequested))
        if timer.due_ms - self.world.now_ms > SECONDS_MAX * 1000:
            fail(self.step, self.frame, TIMEOUT, None)
        else:
            take_happening(self.step, self.frame, TimerFired(wait.ref))

    def _children_over(self, wait: ChildrenWait) -> None:
        """A Parallel, or an inline Map: the mock stands for all of its branches or iterations."""
        step, frame, state = self.step, self.frame, self.state
        if isinstance(state.work, MapWork) and not self._look_at_map(
            lambda: inline_map(step, frame, state, wait, self.room)
        ):
            return
        wait.live.clear()
        step.ready.clear()
        if self.given.result is None:
            attempt_failed(step, frame, state, *self._mocked_error())
            return
        wait.results = [jsontext.encode(value) for value in self.given.result[1]]
        wait.next_index = len(wait.results)
        go_on(step, frame, state, wait)

    def _map_run_over(self, wait: MapRunWait) -> None:
        plan = next(effect.plan for effect in self.step.effects if isinstance(effect, MapRunRequested))
        data = self.given.configuration.map_item_reader_data
        if not self._look_at_map(lambda: self._distributed(plan, data)):
            return
        happening: Happening
        if self.given.result is None:
            happening = MapRunFailed(wait.ref, *self._mocked_error())
        else:
            happening = MapRunSucceeded(wait.ref, self.given.result[0])
        take_happening(self.step, self.frame, happening)

    def _distributed(self, plan: MapRunPlan, data: str | None) -> MapSeen:
        return distributed_map(self.machine, plan, data, self.world.read_items, self.room)

    def _look_at_map(self, look: Callable[[], MapSeen]) -> bool:
        """Notes what is shown of a Map; False if it fails by that, or by its failed iterations. Raises Refusal."""
        try:
            self.map = seen = look()
        except StatesError as error:
            state_failed(self.step, self.frame, self.state, error)
            return False
        failed = self.given.configuration.map_iteration_failure_count or 0
        if seen.iterations is not None and failed > seen.iterations:
            words = "Map iteration failure count must be less than or equal to the number of Map iterations"
            raise Refusal("ValidationException", words)
        if self.given.result is None or not seen.too_many(failed):
            return True
        if isinstance(self.frame.wait, MapRunWait):
            lost = MapRunFailed(self.frame.wait.ref, TOLERANCE_EXCEEDED, TOLERANCE_CAUSE)
            take_happening(self.step, self.frame, lost)
        else:
            attempt_failed(self.step, self.frame, self.state, TOLERANCE_EXCEEDED, TOLERANCE_CAUSE)
        return False

    # ------------------------------------------------------------------ the answer

    def _answer(self, before: list[int], exchange: Exchange | None) -> StateOutcome:
        frame, ended = self.frame, self.step.ended
        inspection = None if self.asked.inspection_level in (None, "INFO") else self._inspection(before, exchange)
        error, cause = self.step.failure
        if ended is not None and ended.status == "SUCCEEDED":
            return StateOutcome(status="SUCCEEDED", output=ended.output.decode(), inspection_data=inspection)
        if ended is not None:
            return StateOutcome(status="FAILED", error=ended.error, cause=ended.cause, inspection_data=inspection)
        if isinstance(frame.wait, RetryWait):
            return StateOutcome(status="RETRIABLE", error=error, cause=cause, inspection_data=inspection)
        caught = self.seen.catch_index is not None
        return StateOutcome(
            status="CAUGHT_ERROR" if caught else "SUCCEEDED",
            output=frame.input.decode(),
            error=error if caught else None,
            cause=cause if caught else None,
            next_state=frame.state,
            inspection_data=inspection,
        )

    def _inspection(self, before: list[int], exchange: Exchange | None) -> Inspection:
        seen = {**self.seen.values, **({"variables": self.frame.variables} if self.frame.variables else {})}
        texts = {name: jsontext.encode(value) for name, value in seen.items()}
        most = self.world.limits.payload_bytes_max  # of each member (AWS): a larger one is not shown
        values: dict[str, Any] = {name: text.decode() for name, text in texts.items() if len(text) <= most}
        if exchange is not None and self.asked.inspection_level == "TRACE":
            values |= {"request": exchange.request, "response": exchange.response}
        return Inspection(
            input=jsontext.compact(self.given.input).decode(),
            error_details=self._error_details(before),
            **values,
            **self._map_values(),
        )

    def _map_values(self) -> dict[str, Any]:
        seen = self.map
        if seen is None:
            return {}
        texts = {
            "after_item_selector": seen.inputs,
            "after_item_batcher": seen.batches,
            "after_items_pointer": seen.pointed,
        }
        return {name: text.decode() for name, text in texts.items() if text is not None} | {
            "max_concurrency": seen.max_concurrency,
            "tolerated_failure_count": seen.tolerated_count or 0,
            "tolerated_failure_percentage": seen.tolerated_percentage or 0.0,
        }

    def _error_details(self, before: list[int]) -> ErrorDetails | None:
        frame = self.frame
        if isinstance(frame.wait, RetryWait):
            assert frame.attempts is not None
            index = next(place for place, count in enumerate(frame.attempts) if count != before[place])
            ref = frame.wait.ref
            due_ms = next(
                effect.due_ms
                for effect in self.step.effects
                if isinstance(effect, TimerRequested) and effect.ref == ref
            )
            seconds = (due_ms - self.world.now_ms) // 1000
            return ErrorDetails(retry_index=index, retry_backoff_interval_seconds=seconds)
        if self.seen.catch_index is not None and self.step.ended is None:
            return ErrorDetails(catch_index=self.seen.catch_index)
        return None
