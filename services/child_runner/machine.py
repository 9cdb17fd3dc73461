"""What a lane needs of the machine that runs a run's children; maprun.interpreter.lane_children implements it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol
from weakref import WeakValueDictionary

from maprun.mapruns.slices import Spent
from schemas.effects import Effect, Happening
from schemas.lanes import Place, RedrivenChild, RunOpened
from schemas.plan import BuildInput


class Ended(Protocol):
    """How a child ended."""

    @property
    def status(self) -> str:
        """SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
        ...


class Step(Protocol):
    """What one step of a child brought."""

    @property
    def execution(self) -> Any:
        """The interpreter's state; None once ended."""
        ...

    @property
    def effects(self) -> Sequence[Effect]:
        """What the child asks for."""
        ...

    @property
    def events(self) -> list[Any]:
        """The history events it brought."""
        ...

    @property
    def ended(self) -> Ended | None:
        """How the child ended, if it did."""
        ...

    @property
    def more(self) -> bool:
        """True while the step isn't through: it is to be taken further before the child hears of anything else."""
        ...

    def take_events(self) -> list[Any]:
        """The events so far of a step that has more to do: its host keeps them, and the step goes on without."""
        ...


class ChildMachine(Protocol):
    """The child machine of one run, ready to run children."""

    @property
    def build(self) -> BuildInput:
        """Makes a child's input of an item."""
        ...

    def begin(self, place: Place, child_input: bytes, now_ms: int, spent: Spent, /) -> Step:
        """Starts the child of this place."""
        ...

    def redrive(self, place: Place, child: RedrivenChild, now_ms: int, spent: Spent, /) -> Step:
        """Goes on with a child that ended unsuccessfully; the step's events are its whole history, old and new.

        Of a history in pages they are the new ones.
        """
        ...

    def advance(self, execution: Any, happening: Happening, now_ms: int, spent: Spent, /) -> Step:
        """Tells a child what happened."""
        ...

    def go_on(self, step: Any, spent: Spent, /) -> Step:
        """Takes a step that has more to do further; the step to go on with."""
        ...

    def effect_key(self, index: int, redrive_count: int, ref: str, /) -> str:
        """The idempotency key of an effect of a child that was redriven so often."""
        ...

    def arn(self, index: int, /) -> str:
        """The ARN of a child."""
        ...

    def attempt_of(self, index: int, ref: str, /) -> str:
        """The name of an attempt of a child's Task, as task tokens say it."""
        ...

    def history_bytes(self, execution: Any, /) -> int:
        """What the events of a child take so far, about; the newest few are not counted yet."""
        ...

    def remains(self, step: Any, /) -> bytes:
        """What a redrive needs of a child whose last step this was; empty when it would start from its beginning."""
        ...

    def map_run_arn(self, index: int, ref: str, /) -> tuple[str, str]:
        """Id and ARN of the Map Run that a child asks for under `ref`."""
        ...

    def pack(self, events: list[Any], /) -> bytes:
        """A child's history as msgpack."""
        ...


Compile = Callable[[RunOpened], ChildMachine]


def shared(compile_run: Compile) -> Compile:
    """Compiles a run once for all lanes of a process that know it: its ItemSelector's inputs may be large."""
    machines: WeakValueDictionary[tuple[str, int], ChildMachine] = WeakValueDictionary()

    def compile_once(opened: RunOpened) -> ChildMachine:
        key = (opened.run, opened.generation)
        machine = machines.get(key)
        if machine is None:
            machine = machines[key] = compile_run(opened)
        return machine

    return compile_once
