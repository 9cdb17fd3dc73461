"""An in-memory S3 for result files: multipart uploads, If-None-Match, calls that fail, stall or lose their answer."""

import hashlib
from collections.abc import Sequence

import msgspec

from services.scheduler.deps import ResultTroubleError, UploadGoneError
from tests.simulation.world import World

Raising = tuple[str, type[Exception]]
"""(call, what it raises): an error that no store should raise."""
CALLS = ("create", "part", "complete", "manifest", "abort")


class Upload(msgspec.Struct):
    """One multipart upload."""

    key: str
    parts: dict[int, bytes] = {}
    open: bool = True


def etag_of(body: bytes) -> str:
    """A part's ETag."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class FakeStore:
    """Implements services.scheduler.deps.ResultStore. Each call happens at one moment of virtual time."""

    def __init__(
        self, world: World, missing: set[str], raising: dict[str, Raising], *, own_etags: bool, create_seconds: float
    ) -> None:
        self.world = world
        self.create_seconds = create_seconds  # at most
        self.missing = missing  # prefixes that can't be written
        self.raising = raising  # by prefix
        self.own_etags = own_etags  # an object's ETag says nothing about its bytes
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, Upload] = {}

    def _before(self, key: str, call: str) -> bool:
        """Time passes; the call may fail. True if its answer gets lost afterwards."""
        world = self.world
        world.call_seconds += world.random.random() * 0.02
        for prefix, (at, error) in self.raising.items():
            if key.startswith(prefix) and at == call and (prefix in self.missing or call == "abort"):
                raise error("nobody foresaw this")
        if any(key.startswith(prefix) and prefix not in self.raising for prefix in self.missing):
            raise ResultTroubleError("NoSuchBucket")
        if world.calm:
            return False
        chance = world.random.random()
        if chance < 0.05:
            world.call_seconds += world.random.random() * 2
            self._fail("503 Slow Down")
        if chance < 0.1:
            world.call_seconds += world.random.random() * 8
        if call == "create" and self.create_seconds:
            world.call_seconds += world.random.random() * self.create_seconds
        return 0.1 < chance < 0.14

    def _fail(self, why: str) -> None:
        trouble = ResultTroubleError(why)
        trouble.retriable = True
        raise trouble

    def _after(self, lost: bool) -> None:
        if lost:
            self._fail("the connection broke before the answer came")

    def create_upload(self, bucket: str, key: str) -> str:  # noqa: ARG002 - there is one bucket
        """A new upload's id."""
        lost = self._before(key, "create")
        upload = f"upload-{len(self.uploads)}"
        self.uploads[upload] = Upload(key)
        self._after(lost)
        return upload

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, body: bytes) -> str:  # noqa: ARG002
        """A part; writing one again with other bytes is what must never happen."""
        lost = self._before(key, "part")
        upload = self.uploads[upload_id]
        if not upload.open:
            raise UploadGoneError("NoSuchUpload")
        if upload.parts.setdefault(number, body) != body:
            self.world.violated(f"part {number} of {key} was written with two contents")
        self.world.note(f"part {number} of {key}: {len(body)} bytes")
        self._after(lost)
        return etag_of(body)

    def complete(self, bucket: str, key: str, upload_id: str, parts: Sequence[tuple[int, str]], size: int) -> bool:  # noqa: ARG002
        """Makes the object unless it is there; then it must be the same, which its ETag tells, or only its bytes."""
        proven = True
        lost = self._before(key, "complete")
        upload = self.uploads[upload_id]
        if key in self.objects:
            whole = self.objects[key]
            if len(whole) != size:
                raise ResultTroubleError(f"{key} is there with {len(whole)} bytes, not {size}")
            proven = not self.own_etags
        elif not upload.open:
            raise UploadGoneError("NoSuchUpload")
        else:
            for number, etag in parts:
                if number not in upload.parts or etag_of(upload.parts[number]) != etag:
                    raise ResultTroubleError(f"InvalidPart {number} of {key}")
            whole = b"".join(upload.parts[number] for number, _ in parts)
            assert len(whole) == size, f"{key} has {len(whole)} bytes, not {size}"
            self.objects[key] = whole
            upload.open = False
            self.world.note(f"complete {key}: {size} bytes")
        self._after(lost)
        return proven

    def size_of(self, bucket: str, key: str) -> int | None:  # noqa: ARG002
        """Bytes of an object."""
        lost = self._before(key, "size")
        self._after(lost)
        return len(self.objects[key]) if key in self.objects else None

    def compare(self, bucket: str, key: str, first: int, body: bytes) -> None:  # noqa: ARG002
        """Whoever exports makes the same bytes."""
        lost = self._before(key, "compare")
        if self.objects[key][first : first + len(body)] != body:
            self.world.violated(f"{key} holds other bytes from {first} on than were made again")
        self.world.note(f"compare {key} from {first}: {len(body)} bytes")
        self._after(lost)

    def put_manifest(self, bucket: str, key: str, body: bytes) -> None:  # noqa: ARG002
        """Writes it once."""
        lost = self._before(key, "manifest")
        if self.objects.setdefault(key, body) != body:
            raise ResultTroubleError(f"{key} is there with other bytes")
        self.world.note(f"manifest {key}")
        self._after(lost)

    def abort(self, bucket: str, key: str, upload_id: str) -> None:  # noqa: ARG002
        """Drops an upload."""
        lost = self._before(key, "abort")
        upload = self.uploads[upload_id]
        upload.open = False
        self._after(lost)
