"""A small world for the scheduler's tests: simulated Kafka without faults, programs as definitions, S3 in memory."""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from maprun.bus.port import Record
from maprun.integrations.jobs import Followed, JobCalls
from maprun.mapruns.limits import MapRunLimits
from schemas import topics
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded
from schemas.wire import Fact, encode
from services.scheduler.deps import Deps, ResultTroubleError, UploadGoneError
from services.scheduler.limits import SchedulerLimits
from services.scheduler.shaping import ShapingHere
from tests.simulation.groups import Group
from tests.simulation.port import SimPort
from tests.simulation.process import Owner, Process
from tests.simulation.world import World
from tests.unit.mapruns.programs import HOMES, LANES, NAMES, Programs


class MemoryS3:
    """Objects and uploads in memory, with S3's rules; `fail` may raise at any call."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.keys: dict[str, str] = {}
        self.calls: list[tuple[str, ...]] = []
        self.fail: Callable[[str], None] = lambda _call: None
        self.own_etags = False  # they don't tell what an object holds

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

    def complete(self, bucket: str, key: str, upload_id: str, parts: Any, size: int) -> bool:
        """Makes the object once."""
        self._called("complete", key)
        path = f"{bucket}/{key}"
        if path not in self.objects:
            if upload_id not in self.uploads:
                raise ResultTroubleError("NoSuchUpload")
            held = self.uploads.pop(upload_id)
            assert [n for n, _ in parts] == sorted(held)
            self.objects[path] = b"".join(held[n] for n in sorted(held))
        elif self.own_etags and len(self.objects[path]) == size:
            return False
        if len(self.objects[path]) != size:
            raise ResultTroubleError("exists with other content")
        return True

    def size_of(self, bucket: str, key: str) -> int | None:
        """Bytes of an object."""
        self._called("size", key)
        found = self.objects.get(f"{bucket}/{key}")
        return None if found is None else len(found)

    def compare(self, bucket: str, key: str, first: int, body: bytes) -> None:
        """Compares."""
        self._called("compare", key, first, len(body))
        if self.objects[f"{bucket}/{key}"][first : first + len(body)] != body:
            raise ResultTroubleError("exists with other content of the same size")

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
            "jobs": JobCalls(self.no_job, self.no_job),
            "results": self.s3,
            "shaping": ShapingHere(NAMES),
            "names": NAMES,
            "homes": HOMES,
            "lanes": LANES,
            "limits": self.limits,
            "map_run_limits": MapRunLimits(rules=0),  # as a new home has it: nothing is said there of rules
            "watch": self.watched.append,
        }
        return Deps(**(given | self.over))

    async def no_job(self, followed: Followed) -> None:
        """Tasks here start none, unless a test says otherwise."""
        raise AssertionError(followed)

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
