"""The reader's sources as its owner needs them: opened from an ask, their trouble told in the owner's own words."""

import threading
from collections.abc import Callable
from typing import TypeVar

from maprun.aws.clients import S3
from maprun.aws.errors import SourceError
from maprun.aws.sources import Chunk, StateInputSource, open_source, source_text
from maprun.aws.sources import Source as AwsSource
from maprun.interpreter.lane_children import Children
from maprun.language.errors import StatesError
from schemas.arns import Names
from schemas.asks import ItemsConfirmed, ItemsRequested
from schemas.plan import BuildInput
from services.item_reader.owner import SourceTroubleError

T = TypeVar("T")
BUILDS_KEPT = 16
"""ItemSelectors that a thread keeps; the oldest goes first."""


class TranslatedSource:
    """A source whose errors say whether a retry may help."""

    def __init__(self, source: AwsSource) -> None:
        self._source = source
        self.pin = source.pin

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items."""
        return _translating(lambda: self._source.read(count, bytes_max))

    def close(self) -> None:
        """Lets go of what is open."""
        self._source.close()


class Sources:
    """Opens sources on one S3, and makes ItemSelectors for batches."""

    def __init__(self, s3: S3, names: Names) -> None:
        self._s3 = s3
        self._names = names
        self._own = threading.local()  # a compiled JSONata expression is used by the thread that made it, or not at all

    def open(self, ask: ItemsRequested | ItemsConfirmed, checkpoint: bytes) -> tuple[TranslatedSource, str]:
        """The source an ask means, at a checkpoint of the source, and the text of Map.Item.Source.

        Raises SourceTroubleError.
        """
        plan, pin = ask.plan, ask.pin if isinstance(ask, ItemsRequested) else b""
        reader = plan.reader
        if reader is None:
            source: AwsSource = _translating(lambda: StateInputSource(plan.items, checkpoint))
        else:
            source = _translating(lambda: open_source(self._s3, reader, checkpoint, pin))
        return TranslatedSource(source), source_text(reader)

    def builder(self, ask: ItemsRequested | ItemsConfirmed) -> BuildInput:
        """The ItemSelector of a run whose batches the reader builds, for any thread. It raises SourceTroubleError."""

        def telling(index: int, key: str | None, value: bytes, source: str) -> bytes:
            try:
                return self._build(ask)(index, key, value, source)
            except StatesError as refused:
                raise SourceTroubleError(refused.error, refused.cause, retriable=False) from refused
            except Exception as bug:
                cause = f"The input of item {index} can't be built: {type(bug).__name__}: {bug}"
                raise SourceTroubleError("States.Runtime", cause, retriable=False) from bug

        return telling

    def _build(self, ask: ItemsRequested | ItemsConfirmed) -> BuildInput:
        """The run's ItemSelector as this thread compiled it."""
        own = self._own
        if not hasattr(own, "builds"):
            own.children, own.builds = Children(self._names), {}
        builds: dict[str, BuildInput] = own.builds
        build = builds.get(ask.run)
        if build is None:
            build = builds[ask.run] = own.children.builder(ask.definition, ask.plan)
            if len(builds) > BUILDS_KEPT:
                del builds[next(iter(builds))]
        return build


def _translating(work: Callable[[], T]) -> T:
    """What a source does, its trouble in the owner's words."""
    try:
        return work()
    except SourceError as trouble:
        raise SourceTroubleError(trouble.error, trouble.cause, retriable=trouble.retriable) from trouble
