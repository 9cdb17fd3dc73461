"""Children of Map Runs for a lane: one machine a run, compiled once, with the names its children carry."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from maprun.interpreter import (
    Ended,
    ExecutionHead,
    Limits,
    Spent,
    Step,
    advance,
    begin,
    decode_remains,
    effect_key,
    encode_remains,
    go_on,
    input_builder,
    never_spent,
    redrive,
)
from maprun.interpreter.broken import broken
from maprun.interpreter.history_bytes import event_bytes
from maprun.language import Machine
from maprun.language.errors import StatesError
from maprun.language.machines import Machines
from schemas.arns import Names, auto_label, child_arn, child_name, home_of_run, run_id
from schemas.effects import Happening
from schemas.history import EventType, HistoryEvent, child_cause, child_error, child_input, decode_events, encode_events
from schemas.home import STATUS_NAMES
from schemas.lanes import Place, RedrivenChild, RunOpened
from schemas.plan import BuildInput, MapRunPlan
from schemas.tokens import TokenSecret, attempt_of


class ChildRunMachine:
    """The children of one run: their machine, their names, their ItemSelector."""

    def __init__(self, machine: Machine, opened: RunOpened, names: Names, limits: Limits, secret: TokenSecret) -> None:
        self._secret = secret
        self.machine = machine.processor(opened.plan.state)
        self.build: BuildInput = input_builder(machine, opened.plan)
        self._name(opened, names, limits, machine.map_states())

    def _name(
        self, opened: RunOpened, names: Names, limits: Limits, map_states: Iterable[tuple[str, str, str]]
    ) -> None:
        self._limits = limits
        self.pack: Callable[[list[HistoryEvent]], bytes] = encode_events
        self._run = opened.run
        self._express = opened.plan.child_type == "EXPRESS"
        self._prefix = names.child_prefix(opened.machine_name, opened.label, express=self._express)
        self._machine_arn = names.labelled_machine(opened.machine_name, opened.label)
        self._machine_name = opened.machine_name
        self._role_arn = opened.role_arn
        self._names = names
        self._labels = {state: label or auto_label(opened.machine_arn, state) for state, label, _ in map_states}

    def begin(self, place: Place, child_input: bytes, now_ms: int, spent: Spent = never_spent) -> Step:
        """Starts the child of this place."""
        return self._begin(self._head(place, child_input, now_ms), now_ms, spent)

    def redrive(self, place: Place, child: RedrivenChild, now_ms: int, spent: Spent = never_spent) -> Step:
        """Goes on with a child that ended unsuccessfully. The step's events are its whole history, old and new.

        One that left nothing to go on from starts anew, with a new history. One whose history has no room is answered
        as it was. Of a history in pages the step brings the new events alone.
        """
        past: list[HistoryEvent] = []
        try:
            past = decode_events(child.history)
            events = sum(child.pages[1::2]) or len(past)
            if not self._express and events >= self._limits.events_max - 1:
                was = Ended(STATUS_NAMES[child.status], b"", child_error(past), child_cause(past))
                return Step(None, [], [] if child.pages else past, was)
            if not child.remains:
                head = self._head(place, child_input(past), now_ms)
                redriven = msgspec.structs.replace(head, redrive_count=child.redrive_count + 1, redrive_ms=now_ms)
                return self._begin(redriven, now_ms, spent)
            head = self._head(place, child_input(past), past[0].at_ms)
            head = msgspec.structs.replace(head, redrive_count=child.redrive_count)
            size = sum(event_bytes(event.details) for event in past)
            remains = decode_remains(child.remains, head, events, size, self._secret)
            step = redrive(self.machine, remains, now_ms, self._limits, spent)
            if not child.pages:
                step.before(past)
        except Exception as bug:  # noqa: BLE001 - as in `_begin`
            return broken([] if child.pages else past or [self._started(b"null", now_ms)], now_ms, bug)
        return step

    def _begin(self, head: ExecutionHead, now_ms: int, spent: Spent) -> Step:
        try:
            return begin(self.machine, head, now_ms, self._limits, spent, self._secret)
        except Exception as bug:  # noqa: BLE001 - the child's dead letter, as the fold has one for a root execution
            return broken([self._started(head.input, now_ms)], now_ms, bug)

    def _started(self, child_input: bytes, now_ms: int) -> HistoryEvent:
        return HistoryEvent(EventType.EXECUTION_STARTED, 0, now_ms, (child_input, self._role_arn))

    def _head(self, place: Place, child_input: bytes, start_ms: int) -> ExecutionHead:
        return ExecutionHead(
            arn=self.arn(place.index),
            name=child_name(self._run, place.index),
            machine_arn=self._machine_arn,
            machine_name=self._machine_name,
            role_arn=self._role_arn,
            start_ms=start_ms,
            input=child_input,
            express=self._express,
            lane=place.lane,
        )

    def advance(self, execution: Any, happening: Happening, now_ms: int, spent: Spent = never_spent) -> Step:
        """Tells a child what happened."""
        try:
            return advance(self.machine, execution, happening, now_ms, self._limits, spent)
        except Exception as bug:  # noqa: BLE001 - as above
            return broken([], now_ms, bug)

    def go_on(self, step: Step, spent: Spent = never_spent) -> Step:
        """Takes a step that has more to do further; the step to go on with."""
        try:
            go_on(step, spent)
        except Exception as bug:  # noqa: BLE001 - as above
            assert step.unfinished is not None
            return broken(step.events, step.unfinished.now_ms, bug)
        return step

    def history_bytes(self, execution: Any) -> int:
        """What the events of a child take, about; the newest few are not counted yet."""
        weighed: int = execution.events_bytes
        return weighed

    def remains(self, step: Step) -> bytes:
        """What `redrive` needs of the child whose last step this was; empty when it would start anew, or can't."""
        return b"" if step.remains is None else encode_remains(step.remains)

    def effect_key(self, index: int, redrive_count: int, ref: str) -> str:
        """The idempotency key of an effect of the child with this index that was redriven so often."""
        return effect_key(self.arn(index), redrive_count, ref)

    def map_run_arn(self, index: int, ref: str) -> tuple[str, str]:
        """Id and ARN of the Map Run that the child with this index asks for under `ref`."""
        home = home_of_run(self._run)
        assert home is not None
        nested = run_id(home, self.arn(index), ref)
        return nested, self._names.map_run(self._machine_name, self._labels[self._state_of(ref)], nested)

    def attempt_of(self, index: int, ref: str) -> str:
        """The name of an attempt of the child with this index, as task tokens say it."""
        return attempt_of(self.arn(index), ref)

    def _state_of(self, ref: str) -> str:
        """The distributed Map a ref names: the state stands last in it, before its visit and attempt."""
        path_and_state = ref.rpartition("#")[0]
        return max((state for state in self._labels if path_and_state.endswith(state)), key=len)

    def arn(self, index: int) -> str:
        """The ARN of the child with this index."""
        return child_arn(self._prefix, self._run, index, express=self._express)


class UnreadableRunMachine(ChildRunMachine):
    """The children of a run whose definition this version can't read: each is refused in words, and so is the run.

    Raised, it would end the lane's owner and every successor's, with all other runs on the lane.
    """

    def __init__(self, opened: RunOpened, names: Names, limits: Limits, reason: Exception) -> None:
        cause = f"The definition of the state machine cannot be read: {reason}"
        self._refused = StatesError("States.Runtime", cause)
        self._name(opened, names, limits, ())
        self.build = self._refuse

    def _refuse(self, _index: int, _key: str | None, _item: bytes, _source: str) -> bytes:
        raise self._refused

    def redrive(self, _place: Place, child: RedrivenChild, now_ms: int, _spent: Spent = never_spent) -> Step:
        """Ends the child as failed, with the history it had."""
        return broken([] if child.pages else decode_events(child.history)[:-1], now_ms, self._refused)

    def _begin(self, head: ExecutionHead, now_ms: int, _spent: Spent) -> Step:
        return broken([self._started(head.input, now_ms)], now_ms, self._refused)


class Children:
    """Makes `ChildRunMachine`s; compiles a definition once for all runs of it."""

    def __init__(self, names: Names, limits: Limits | None = None, secret: TokenSecret | None = None) -> None:
        """`secret` is needed by children that wait for callbacks."""
        self._names = names
        self._secret = secret or TokenSecret()
        self._limits = limits or Limits()
        self._machines = Machines()

    def compile_run(self, opened: RunOpened) -> ChildRunMachine:
        """The children of a run that was opened on a lane."""
        try:
            machine = self._machines.compiled(opened.definition)
            return ChildRunMachine(machine, opened, self._names, self._limits, self._secret)
        except Exception as reason:  # noqa: BLE001 - the run's dead letter: it fails in words, alone
            return UnreadableRunMachine(opened, self._names, self._limits, reason)

    def builder(self, definition: bytes, plan: MapRunPlan) -> BuildInput:
        """The ItemSelector of a run, for a reader that builds batches."""
        return input_builder(self._machines.compiled(definition), plan)
