"""The exporter's way to the result store: calls in threads; trouble that may pass is waited out."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from maprun.bus.port import Port
from services.scheduler.deps import Deps, ResultTroubleError

T = TypeVar("T")


class StoreCalls:
    """The result store for one export. Every method raises ResultTroubleError and nothing else of the store's.

    What a store raises beside that is a mistake of ours, or an answer nobody thought of: it fails these results, is
    said with its trace, and leaves the scheduler to the other runs.
    """

    def __init__(self, port: Port, deps: Deps, on_waiting: Callable[[], None]) -> None:
        self._port = port
        self._store = deps.results
        self._slow_seconds = deps.limits.export_slow_seconds
        self._on_waiting = on_waiting
        self.waiting = False  # a call takes unusually long, or is made again and again
        self._pauses = deps.limits.export_pauses_seconds
        self._unexpected = deps.metrics.unexpected

    async def create_upload(self, bucket: str, key: str) -> str:
        """A new multipart upload's id."""
        return await self._patiently(bucket, key, lambda: self._store.create_upload(bucket, key))

    async def upload_part(self, bucket: str, key: str, upload_id: str, number: int, body: bytes) -> str:
        """Uploads part `number` (1 …); its ETag. Raises UploadGoneError, too."""
        return await self._patiently(bucket, key, lambda: self._store.upload_part(bucket, key, upload_id, number, body))

    async def complete(
        self, bucket: str, key: str, upload_id: str, parts: Sequence[tuple[int, str]], size: int
    ) -> bool:
        """Makes the object from its (number, ETag) parts once; False: only its bytes tell whether it is right."""
        return await self._patiently(bucket, key, lambda: self._store.complete(bucket, key, upload_id, parts, size))

    async def size_of(self, bucket: str, key: str) -> int | None:
        """Bytes of the object that is there, None where nothing is."""
        return await self._patiently(bucket, key, lambda: self._store.size_of(bucket, key))

    async def compare(self, bucket: str, key: str, first: int, body: bytes) -> None:
        """What is there from byte `first` on must be `body`."""
        await self._patiently(bucket, key, lambda: self._store.compare(bucket, key, first, body))

    async def put_manifest(self, bucket: str, key: str, body: bytes) -> None:
        """Writes the manifest once."""
        await self._patiently(bucket, key, lambda: self._store.put_manifest(bucket, key, body))

    async def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Drops an upload; tried once."""
        await self._once(bucket, key, lambda: self._store.abort(bucket, key, upload_id))

    async def _patiently(self, bucket: str, key: str, work: Callable[[], T]) -> T:
        watch = self._port.spawn(self._watch())
        try:
            for pause in self._pauses:
                try:
                    return await self._once(bucket, key, work)
                except ResultTroubleError as trouble:
                    if not trouble.retriable:
                        raise
                await self._port.sleep(pause)
            return await self._once(bucket, key, work)
        finally:
            watch.cancel()
            self.waiting = False

    async def _watch(self) -> None:
        await self._port.sleep(self._slow_seconds)
        self.waiting = True
        self._on_waiting()

    async def _once(self, bucket: str, key: str, work: Callable[[], T]) -> T:
        def translated() -> T:
            try:
                return work()
            except ResultTroubleError:
                raise
            except Exception as bug:
                address = f"s3://{bucket}/{key}"
                self._unexpected(f"writing {address}", bug)
                cause = f"{address} can't be written: {type(bug).__name__}: {bug} (the scheduler's log says where)"
                raise ResultTroubleError(cause) from bug

        return await self._port.call(translated)
