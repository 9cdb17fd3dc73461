"""The world outside of the services: sources that fail, stall and change; Tasks that fail, hang, are slow."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from maprun.bus.port import Port
from maprun.integrations.registry import job_of
from schemas.asks import ItemsConfirmed, ItemsRequested
from schemas.effects import TaskFailed, TaskOutcome, TaskRequested, TaskSucceeded
from services.item_reader.owner import SourceTroubleError
from tests.simulation.callee import Callee, what_of
from tests.simulation.jobs import Jobs
from tests.simulation.plays import Play, identify
from tests.simulation.port import Suspended
from tests.simulation.process import Task
from tests.simulation.starts import Starts
from tests.simulation.tampering import UNCONFIRMED
from tests.simulation.world import World


class Chunk(msgspec.Struct):
    """What a source gives at once."""

    items: list[bytes]
    keys: list[str] | None
    checkpoint: bytes
    ended: bool
    source: str = ""
    share: float = 0.0


class Shelf:
    """The sources of all plays and their versions."""

    def __init__(self, world: World, plays: list[Play]) -> None:
        self.world = world
        self.items = {play.name: play.items for play in plays}
        self.versions = {play.name: 1 for play in plays}
        self.raising = {play.name: play.source_raises for play in plays if play.source_raises}

    def change(self, play: Play) -> None:
        """Somebody writes to the source while it may be read."""
        self.world.note(f"source of {play.name} changes")
        self.versions[play.name] += 1
        if play.source == "listing":
            at = self.world.random.randint(0, len(self.items[play.name]))
            key = b"%s/%06d-ok" % (play.name.encode(), at)
            extra = b'{"Etag":"\\"e\\"","Key":"%s+","LastModified":1767225600,"Size":1,"StorageClass":"STANDARD"}' % key
            self.items[play.name] = sorted([*self.items[play.name], extra])
        else:
            self.items[play.name] = [b'{"i":%d,"kind":"ok","new":1}' % i for i in range(len(self.items[play.name]) + 1)]

    def open(self, ask: ItemsRequested | ItemsConfirmed, checkpoint: bytes) -> tuple["FakeSource", str]:
        """Opens a source at its own checkpoint, pinned if the ask says to what."""
        plan = ask.plan
        self.trouble()
        if plan.reader is not None:
            self.raises((plan.reader.key or plan.reader.prefix).split(".")[0].rstrip("/"), "open")
        else:
            items = [bytes(raw) for raw in msgspec.json.decode(plan.items, type=list[msgspec.Raw])]
            return FakeSource(self, "", items, checkpoint, b""), "STATE_DATA"
        name = (plan.reader.key or plan.reader.prefix).split(".")[0].rstrip("/")
        if plan.reader.resource.endswith((":listObjectsV2", UNCONFIRMED)):
            return FakeSource(self, name, self.items[name], checkpoint, b""), "s3://bucket"
        pin = getattr(ask, "pin", b"") or b"%d" % self.versions[name]
        source = FakeSource(self, name, self.items[name], checkpoint, pin)
        source.check()
        return source, f"s3://bucket/{plan.reader.key}"

    def raises(self, name: str, call: str) -> None:
        """Raises what no source should, where the play has it so."""
        at, error = self.raising.get(name, ("", KeyError))
        if at == call:
            raise error("nobody foresaw this")

    def trouble(self) -> None:
        """Every call takes its time, and a few fail for a moment."""
        random = self.world.random
        self.world.call_seconds += random.random() * 0.01
        if not self.world.calm and random.random() < 0.03:
            self.world.call_seconds += random.random() * 2
            if random.random() < 0.7:
                raise SourceTroubleError("States.ItemReaderFailed", "slow down", retriable=True)


class FakeSource:
    """Items after a checkpoint: an index, or of a listing the last key."""

    def __init__(self, shelf: Shelf, name: str, items: list[bytes], checkpoint: bytes, pin: bytes) -> None:
        self.shelf = shelf
        self.name = name
        self.pin = pin
        self._items = items
        self._listing = bool(name) and not pin
        self._after = checkpoint

    def check(self) -> None:
        """A pinned object must still be the one that was pinned."""
        if self.pin and self.pin != b"%d" % self.shelf.versions[self.name]:
            raise SourceTroubleError("States.ItemReaderFailed", "the object changed", retriable=False)

    def read(self, count: int, bytes_max: int) -> Chunk:  # noqa: ARG002 - these items are small
        """The next items, a few at a time."""
        self.shelf.trouble()
        self.shelf.raises(self.name, "read")
        self.check()
        count = min(count, self.shelf.world.random.randint(1, 30))
        if self._listing:
            left = [item for item in self.shelf.items[self.name] if _key(item) > self._after.decode()]
            items = left[:count]
            self._after = _key(items[-1]).encode() if items else self._after
            return Chunk(items, None, self._after, len(items) == len(left))
        first = int(self._after or b"0")
        items = self._items[first : first + count]
        self._after = b"%d" % (first + len(items))
        return Chunk(items, None, self._after, first + len(items) >= len(self._items))

    def close(self) -> None:
        """Nothing to let go of."""
        self.shelf.raises(self.name, "close")


def _key(item: bytes) -> str:
    key: str = msgspec.json.decode(item)["Key"]
    return key


REFUSED_SECONDS = 0.05
"""A function that refuses everybody does so at once: the failures of all who called it together come back together."""


class Whose(msgspec.Struct, frozen=True):
    """Who asks for a Task: a child of a run in one of its generations, or the execution (run = "") itself."""

    root: str
    run: str = ""
    index: int = 0
    generation: int = 0


class Call(msgspec.Struct):
    """One Task attempt that was started."""

    number: int
    at: float
    process: str
    key: str
    state: str
    items: tuple[int, ...]
    whose: Whose
    answer: TaskSucceeded | TaskFailed | None = None

    @property
    def generation(self) -> int:
        """Of the run that it was made in."""
        return self.whose.generation


class Workshop:
    """Runs Tasks: decides what comes of each call, and remembers every one."""

    def __init__(
        self,
        world: World,
        started: Callable[[str, TaskRequested, str], Whose],
        outside: Callable[[], tuple[Callee, Starts, Jobs]],
        chars: dict[str, tuple[int, int]] | None = None,
    ) -> None:
        self.world = world
        self._outside = outside
        self._chars = chars or {}  # execution → characters of the causes of bad and flaky items
        self.slow_share = 0.2  # of attempts
        self.calls: list[Call] = []
        self.of: dict[tuple[str, int, str], list[Call]] = {}  # (run, child, state) → attempts
        self.good: dict[str, set[int]] = {}  # execution → ids of items that were repaired
        self._started = started  # the checker looks at every start, and says whose it is

    def runner(self, port: Port, process: str) -> Callable[[TaskRequested, str], Awaitable[TaskOutcome]]:
        """What the services call."""

        async def run_task(request: TaskRequested, key: str) -> TaskOutcome:
            outcome: TaskOutcome = await Suspended(lambda task: self._begin(port, process, task, request, key))
            return outcome

        return run_task

    def _begin(self, port: Any, process: str, task: Task, request: TaskRequested, key: str) -> None:
        """The effect begins here, with no await since the lease was looked at."""
        if port.closed:
            return
        whose = self._started(key, request, process)
        callee, starts, jobs = self._outside()
        if starts.again(port, task, request) or jobs.again(port, task, request, key):
            return
        call, seconds = self.made(process, key, request.state, whose, what_of(request), request.ref)
        if isinstance(call.answer, TaskFailed):
            bad, flaky = self._chars.get(whose.root, (0, 0))
            cause = call.answer.cause + self._noise(bad if call.answer.error == "Bad" else flaky)
            call.answer = msgspec.structs.replace(call.answer, cause=cause)
            seconds = REFUSED_SECONDS if bad and call.answer.error == "Bad" else seconds
        if request.token:
            starts.start(port, task, request, call, seconds)
        elif job_of(request.resource) is not None:
            jobs.start(port, task, request, key, call, seconds)
        elif request.callback:
            answer, answered_seconds = callee.submission(request, call, seconds)
            port._later(answered_seconds, task, task.token, answer)
        elif call.answer is not None:
            port._later(seconds, task, task.token, call.answer)

    def made(self, process: str, key: str, state: str, whose: Whose, what: Any, ref: str = "") -> tuple[Call, float]:
        """A call, with what comes of it and how long it takes."""
        items = what["Items"] if isinstance(what, dict) and "Items" in what else [what]
        who = [identify(item) for item in items if isinstance(item, dict) and {"v", "Key", "i"} & item.keys()]
        ids = tuple(i for i, _ in who)
        call = Call(len(self.calls), self.world.now, process, key, state, ids, whose)
        self.calls.append(call)
        place = (whose.run, whose.index, state)
        self.of.setdefault(place, []).append(call)
        self.world.note(f"call {call.number} {key} {state} {call.items} by {process}")
        good = self.good.get(whose.root, set())
        kinds = {"ok" if kind == "bad" and i in good else kind for i, kind in who}
        call.answer, seconds = self._outcome(call, ref, kinds, len(self.of[place]), what)
        return call, seconds

    def _noise(self, chars: int) -> str:
        """Characters that no compression makes fewer of (nearly)."""
        return self.world.random.randbytes(chars).decode("latin-1") if chars else ""

    def _outcome(
        self, call: Call, ref: str, kinds: set[str], attempt: int, what: Any
    ) -> tuple[TaskSucceeded | TaskFailed | None, float]:
        random = self.world.random
        seconds = 0.005 + random.random() * 0.1 if random.random() >= self.slow_share else random.random() ** 2 * 9
        if "bad" in kinds:
            return TaskFailed(ref, "Bad", "this item is bad"), seconds
        if "hang" in kinds and attempt < 2:
            return None, seconds
        if "flaky" in kinds and attempt < 8 and random.random() < 0.6:
            return TaskFailed(ref, "Flaky", "not today"), seconds
        earlier = what.get("calls", []) if isinstance(what, dict) else []
        if isinstance(what, dict) and "Items" in what:
            output: Any = {"Items": what["Items"], "calls": [*earlier, call.number]}
        else:
            output = {**what, "calls": [*earlier, call.number]} if isinstance(what, dict) else what
        return TaskSucceeded(ref, msgspec.json.encode(output)), seconds
