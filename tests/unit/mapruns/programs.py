"""An interpreter of small programs for tests of the fold, and the records that such programs need."""

from typing import Any

import msgspec

from maprun.mapruns.results.export import FilePart, RunExport, Stretch
from maprun.mapruns.results.shaping import Shaper
from maprun.mapruns.slices import Spent
from schemas.arns import Names, home_of
from schemas.effects import (
    Effect,
    EffectCancelled,
    Happening,
    MapRunFailed,
    MapRunRedriven,
    MapRunRedriveRequested,
    MapRunRequested,
    MapRunStarted,
    StopAsked,
    TaskFailed,
    TaskRequested,
    TimerRequested,
)
from schemas.history import EventType, HistoryEvent, encode_events
from schemas.home import SUCCEEDED, ChildrenEnded, ExecutionRequested
from schemas.pages import Pages
from schemas.plan import MapRunPlan

NAMES = Names()
HOMES, LANES = 2, 3
_pages = Pages()


class Ended(msgspec.Struct):
    """How a program ended."""

    status: str
    output: bytes = b"{}"
    error: str | None = None
    cause: str | None = None


class Step(msgspec.Struct):
    """What one step of a program brought."""

    execution: Any
    effects: list[Effect]
    events: list[Any]
    ended: Ended | None = None
    remains: Any = None
    more: bool = False


class Programs:
    """An interpreter whose definition is a list of steps: ["task"], ["wait", seconds], ["map", plan], ["fail"]."""

    def __init__(self) -> None:
        self.pages = Pages()

    def begin(self, request: ExecutionRequested, now_ms: int, _spent: Spent) -> Step:
        """Starts at the first step."""
        return self._step(request, 0, now_ms, [])

    def advance(
        self, request: ExecutionRequested, execution: Any, happening: Happening, now_ms: int, _spent: Spent
    ) -> Step:
        """Goes on to the next step when the present one is over."""
        ref = execution.get("ref", f"step-{execution['at']}")
        if isinstance(happening, StopAsked):
            return Step(None, [EffectCancelled(ref)], ["stopped"], Ended("ABORTED"), execution)
        if happening.ref != ref or isinstance(happening, MapRunStarted | MapRunRedriven):
            return Step(execution, [], [])
        if isinstance(happening, TaskFailed | MapRunFailed):
            ended = Ended("FAILED", b"", happening.error, happening.cause)
            return Step(None, [], ["failed"], ended, execution)
        output = getattr(happening, "output", b"")
        return self._step(request, execution["at"] + 1, now_ms, [type(happening).__name__], output)

    def redrive(self, request: ExecutionRequested, remains: Any, now_ms: int, _spent: Spent) -> Step:
        """Does the step it failed in again: a Map Run is redriven, a Task asked for under a new ref."""
        at = remains["at"]
        if msgspec.json.decode(request.definition)[at][0] == "map":
            ref = remains.get("ref", f"step-{at}")
            return Step({"at": at, "ref": ref}, [MapRunRedriveRequested(ref)], ["redriven"])
        return self._step(request, at, now_ms, ["redriven"], b"{}")

    def _step(
        self, request: ExecutionRequested, at: int, now_ms: int, events: list[Any], output: bytes = b"{}"
    ) -> Step:
        program = msgspec.json.decode(request.definition)
        if at == len(program):
            return Step(None, [], [*events, "end"], Ended("SUCCEEDED", output or b"{}"))
        kind, ref = program[at][0], f"step-{at}"
        effect: Effect
        match kind:
            case "task":
                effect = TaskRequested(ref, "arn:aws:states:::lambda:invoke", b"{}")
            case "wait":
                effect = TimerRequested(ref, now_ms + int(program[at][1] * 1000))
            case "map":
                effect = MapRunRequested(ref, msgspec.json.decode(msgspec.json.encode(program[at][1]), type=MapRunPlan))
            case "bug":
                raise ZeroDivisionError(kind)
            case _:
                ended = Ended("FAILED", b"", "Oops", "as the program says")
                return Step(None, [], [*events, "fail"], ended, {"at": at})
        return Step({"at": at}, [effect], [*events, kind])

    def go_on(self, step: Any, _spent: Spent) -> None:
        """No step has more to do."""
        raise AssertionError(step)

    def encode(self, execution: Any) -> bytes:
        """Its bytes."""
        return msgspec.msgpack.encode(execution)

    def decode(self, data: bytes) -> Any:
        """It again."""
        return msgspec.msgpack.decode(data)

    def child_outputs(self, page: bytes) -> list[bytes]:
        """Outputs of those children that succeeded."""
        slots = [msgspec.msgpack.decode(slot) for slot in self.pages.unpack(page)]
        return [slot[-1][3][0] if isinstance(slot[-1], list) and slot[-1][0] == 2 else b"" for slot in slots]


def request(name: str, program: list[Any], **over: Any) -> ExecutionRequested:
    """A request to run a program on home 0."""
    arn = next(a for n in range(100) if home_of(a := NAMES.execution("m", f"{name}-{n}"), HOMES) == 0)
    given: dict[str, Any] = {
        "request_id": f"request-{name}",
        "arn": arn,
        "name": arn.rsplit(":", 1)[1],
        "machine_arn": NAMES.machine("m"),
        "machine_name": "m",
        "machine_type": "STANDARD",
        "revision_id": "r",
        "role_arn": "role",
        "definition": msgspec.json.encode(program),
        "input": b"{}",
    }
    return ExecutionRequested(**(given | over))


def plan(**over: Any) -> list[Any]:
    """A Map Run's plan as a program carries it."""
    given: dict[str, Any] = {
        "state": "Map",
        "label": "L",
        "child_type": "STANDARD",
        "items": b"[]",
        "max_concurrency": 6,
    }
    encoded: list[Any] = msgspec.json.decode(msgspec.json.encode(MapRunPlan(**(given | over))))
    return encoded


def history(index: int, status: int = SUCCEEDED, at_ms: int = 1_790_204_286_000) -> bytes:
    """A child's history as a slot of a page holds it."""
    text = b'{"i":%d,"t":"a\\"b"}' % index
    last = {
        1: HistoryEvent(EventType.EXECUTION_SUCCEEDED, 3, at_ms + 7, (b'{"o":%d}' % index,)),
        2: HistoryEvent(EventType.EXECUTION_FAILED, 3, at_ms + 7, ("Bad", 'it is "bad"')),
        3: HistoryEvent(EventType.EXECUTION_TIMED_OUT, 3, at_ms + 7, ("States.Timeout", None)),
        4: HistoryEvent(EventType.EXECUTION_ABORTED, 0, at_ms + 7, (None, "The map run was aborted")),
    }.get(status)
    if last is None:
        return msgspec.msgpack.encode([text])
    first = HistoryEvent(EventType.EXECUTION_STARTED, 0, at_ms, (text, "role"))
    return encode_events([first, HistoryEvent(EventType.PASS_STATE_ENTERED, 0, at_ms, ("P", text)), last])


def frame(run: str, lane: int, positions: list[int], statuses: list[int] | None = None, **over: Any) -> ChildrenEnded:
    """The outcomes of these positions."""
    states = statuses or [SUCCEEDED] * len(positions)
    given: dict[str, Any] = {
        "run": run,
        "generation": 0,
        "lane": lane,
        "ranges": tuple(n for p in positions for n in (p, 1)),
        "statuses": bytes(states),
        "items": (),
        "pages": _pages.pack([history(p, s) for p, s in zip(positions, states, strict=True)]),
        "epoch": 0,
    }
    return ChildrenEnded(**(given | over))


def pages_of(outputs: list[bytes]) -> tuple[bytes, ...]:
    """Pages of children that succeeded with these outputs."""
    first = HistoryEvent(EventType.EXECUTION_STARTED, 0, 0, (b"{}", "role"))
    return _pages.pack(
        [encode_events([first, HistoryEvent(EventType.EXECUTION_SUCCEEDED, 1, 1, (output,))]) for output in outputs]
    )


def take(export: RunExport, frame: ChildrenEnded, asked: int = 10**6) -> list[FilePart]:
    """A frame of the run, chosen, shaped and put; the parts that are full now."""
    return export.put(Shaper(export.shape, NAMES, Pages()).shape(frame, export.choose(frame, asked)))


def take_earlier(export: RunExport, stretch: Stretch, frame: ChildrenEnded) -> list[FilePart]:
    """A frame of an earlier generation: what of it stands in this one's files, unchanged."""
    return export.put(Shaper(export.shape, NAMES, Pages()).shape(frame, stretch.slots(frame)))
