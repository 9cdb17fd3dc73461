"""A small world for the scheduler's tests: simulated Kafka without faults, programs as definitions, S3 in memory."""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from maprun.bus.port import Record
from schemas import topics
from schemas.arns import Names, home_of
from schemas.effects import (
    Effect,
    EffectCancelled,
    Happening,
    MapRunRequested,
    MapRunStarted,
    StopAsked,
    TaskFailed,
    TaskRequested,
    TaskSucceeded,
    TimerRequested,
)
from schemas.history import EventType, HistoryEvent, encode_events
from schemas.home import SUCCEEDED, ChildrenEnded, ExecutionRequested
from schemas.pages import Pages
from schemas.plan import MapRunPlan
from schemas.wire import Fact, encode
from services.scheduler.deps import Deps, ResultTroubleError, UploadGoneError
from services.scheduler.limits import SchedulerLimits
from tests.simulation.groups import Group
from tests.simulation.port import SimPort
from tests.simulation.process import Owner, Process
from tests.simulation.world import World

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


class Programs:
    """An interpreter whose definition is a list of steps: ["task"], ["wait", seconds], ["map", plan], ["fail"]."""

    def __init__(self) -> None:
        self.pages = Pages()

    def begin(self, request: ExecutionRequested, now_ms: int) -> Step:
        """Starts at the first step."""
        return self._step(request, 0, now_ms, [])

    def advance(self, request: ExecutionRequested, execution: Any, happening: Happening, now_ms: int) -> Step:
        """Goes on to the next step when the present one is over."""
        ref = f"step-{execution['at']}"
        if isinstance(happening, StopAsked):
            return Step(None, [EffectCancelled(ref)], ["stopped"], Ended("ABORTED"))
        if happening.ref != ref or isinstance(happening, MapRunStarted):
            return Step(execution, [], [])
        if isinstance(happening, TaskFailed) or hasattr(happening, "error"):
            return Step(None, [], ["failed"], Ended("FAILED", b"", happening.error, happening.cause))
        output = getattr(happening, "output", b"")
        return self._step(request, execution["at"] + 1, now_ms, [type(happening).__name__], output)

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
                return Step(None, [], [*events, "fail"], Ended("FAILED", b"", "Oops", "as the program says"))
        return Step({"at": at}, [effect], [*events, kind])

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


class MemoryS3:
    """Objects and uploads in memory, with S3's rules; `fail` may raise at any call."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.keys: dict[str, str] = {}
        self.calls: list[tuple[str, ...]] = []
        self.fail: Callable[[str], None] = lambda _call: None

    def _called(self, *what: Any) -> None:
        self.calls.append(tuple(map(str, what)))
        self.fail(what[0])

    def create_upload(self, bucket: str, key: str) -> str:
        """A new multipart upload's id."""
        self._called("create", key)
        upload = f"upload-{len(self.calls)}"
        self.uploads[upload] = {}
        self.keys[upload] = f"{bucket}/{key}"
        return upload

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, body: bytes) -> str:
        """Uploads a part."""
        self._called("part", key, number, len(body))
        if upload_id not in self.uploads:
            raise UploadGoneError("NoSuchUpload")
        assert self.keys[upload_id] == f"{bucket}/{key}"
        self.uploads[upload_id][number] = body
        return f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324 - S3's ETag

    def complete(self, bucket: str, key: str, upload_id: str, parts: Any, size: int) -> None:
        """Makes the object once."""
        self._called("complete", key)
        path = f"{bucket}/{key}"
        if path not in self.objects:
            if upload_id not in self.uploads:
                raise ResultTroubleError("NoSuchUpload")
            held = self.uploads.pop(upload_id)
            assert [n for n, _ in parts] == sorted(held)
            self.objects[path] = b"".join(held[n] for n in sorted(held))
        if len(self.objects[path]) != size:
            raise ResultTroubleError("exists with other content")

    def put_manifest(self, bucket: str, key: str, body: bytes) -> None:
        """Writes the manifest once."""
        self._called("manifest", key)
        if self.objects.setdefault(f"{bucket}/{key}", body) != body:
            raise ResultTroubleError("exists with other content")

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Drops an upload."""
        self._called("abort", bucket, key)
        self.uploads.pop(upload_id, None)


class Rig:
    """One scheduler process over simulated topics, or several one after the other."""

    def __init__(self, limits: SchedulerLimits | None = None, seed: int = 1, **over: Any) -> None:
        self.world = World(seed)
        self.world.calm = True
        self.s3 = MemoryS3()
        self.tasks: list[tuple[str, str]] = []
        self.task_seconds = 0.01
        self.watched: list[Any] = []
        self.interpreter = Programs()
        self.limits = limits or SchedulerLimits()
        self.over = over
        self.count = 0
        self.owners: list[Owner] = []

    def deps(self, port: SimPort) -> Deps:
        """What an owner gets."""

        async def run_task(request: TaskRequested, key: str) -> TaskSucceeded | TaskFailed:
            self.tasks.append((request.ref, key))
            await port.sleep(self.task_seconds)
            return TaskSucceeded(request.ref, b'{"done":true}')

        given: dict[str, Any] = {
            "interpreter": self.interpreter,
            "effect_key": lambda arn, redrive, ref: f"{arn}|{redrive}|{ref}",
            "run_task": run_task,
            "results": self.s3,
            "names": NAMES,
            "homes": HOMES,
            "lanes": LANES,
            "limits": self.limits,
            "watch": self.watched.append,
        }
        return Deps(**(given | self.over))

    def group(self, topic: topics.Topic, owner: Callable[..., Coroutine[Any, Any, None]], partitions: int) -> Group:
        """A group that owns the partitions of a topic with this coroutine."""

        def start(port: SimPort, number: int) -> list[Coroutine[Any, Any, None]]:
            self.owners.append(port.owner)
            return [owner(port, number, self.deps(port))]

        return Group(self.world, topic.name, topic.name, partitions, start)

    def process(self, *groups: Group) -> Process:
        """A process of these groups."""
        self.count += 1
        return Process(self.world, list(groups), f"scheduler-{self.count}")

    def bury(self) -> None:
        """At the end: frees the coroutines that were cut off."""
        for owner in self.owners:
            owner.stopped = True
            for task in owner.tasks:
                task.close()

    def run(self, seconds: float) -> None:
        """Time passes."""
        self.world.run(self.world.now + seconds)
        assert not self.world.violations, self.world.violations[0]

    def until(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        """Time passes until it is done; raises when that takes too long."""
        assert self.world.run(self.world.now + seconds, done), self.world.violations or "it never came"

    def put(self, topic: topics.Topic, partition: int, value: Fact | bytes) -> int:
        """A record on a topic."""
        return self.world.log(topic.name, partition).append(value if isinstance(value, bytes) else encode(value))

    def records(self, topic: topics.Topic, partition: int = 0) -> list[Record]:
        """All records of a partition."""
        return [record for record in self.world.log(topic.name, partition).records if record is not None]


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
