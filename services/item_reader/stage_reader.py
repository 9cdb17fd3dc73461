"""The first positions of a redrive: children of earlier generations, read from home in bounded steps."""

from collections import deque

from maprun.bus.port import Port, Record
from maprun.bus.reading import read_from
from maprun.mapruns.fold.home import frame_of
from maprun.mapruns.results.stages import Slots, StagedChild, StageLedger, children
from schemas import topics
from schemas.asks import ItemsRequested
from schemas.pages import Pages
from services.item_reader.handlers import ReaderLimits

TOPIC = topics.HOME.name


class HomeGoneError(Exception):
    """Home no longer holds what a stage needs; `cause` is for the user."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class StageReader:
    """The children of an ask's stages in order of their positions, from a position on.

    What comes before it is passed over by reading it again: a child's place follows from the frames before it.
    """

    def __init__(self, port: Port, home: int, ask: ItemsRequested, limits: ReaderLimits, position: int) -> None:
        self._port = port
        self._home = home
        self._run = ask.run
        self._stages = ask.stages
        self._limits = limits
        self._pages = Pages()
        self._found: deque[StagedChild] = deque()  # of one frame
        self._records = 1
        self._number = 0  # the stage that is being read, and the position of its first child
        self._base = 0
        self.position = position
        while self._number < len(ask.stages) and position >= self._base + ask.stages[self._number].count:
            self._base += ask.stages[self._number].count
            self._number += 1
        self._begin_stage()

    def _begin_stage(self) -> None:
        if self._number < len(self._stages):
            stage = self._stages[self._number]
            self._ledger = StageLedger(self._run, stage)
            self._offset = stage.first_offset
            self._waiting: deque[Record] = deque()

    async def read(self, count: int, bytes_max: int) -> list[StagedChild]:
        """The next `count` children, or fewer once they have so many bytes; at least one. Raises HomeGoneError."""
        out: list[StagedChild] = []
        size = 0
        while len(out) < count and (size < bytes_max or not out):
            if not self._found:
                await self._find()
            child = self._found.popleft()
            size += len(bytes(child.entry)) + len(child.remains)
            out.append(child)
        self.position += len(out)
        return out

    async def _find(self) -> None:
        """Goes on to the next frame that holds children from here on."""
        while not self._found:
            while self._ledger.complete:
                self._base += self._stages[self._number].count
                self._number += 1
                self._begin_stage()
            record = await self._record()
            frame = frame_of(record.value)
            if frame is None:
                continue
            slots = _from(self._ledger.take(frame), self.position - self._base)
            self._found.extend(children(frame, slots, self._pages))

    async def _record(self) -> Record:
        """The next record of the stage's stretch of home; asks for as many as make a few frames, by their bytes."""
        if not self._waiting:
            stage = self._stages[self._number]
            if self._offset >= stage.end_offset:
                raise HomeGoneError(
                    f"Home holds {self._ledger.found} of the {stage.count} child executions that the redrive needs of "
                    f"generation {stage.generation}."
                )
            end = min(stage.end_offset, self._offset + self._records)
            pauses_seconds = self._limits.retry_pauses_seconds
            records = await read_from(self._port, TOPIC, self._home, self._offset, end, pauses_seconds)
            if not records:
                raise HomeGoneError(
                    f"The outcomes of generation {stage.generation} of the Map Run are no longer kept: home begins "
                    f"behind offset {self._offset}. Start a new execution instead."
                )
            self._waiting.extend(records)
            self._offset = records[-1].offset + 1
            size = sum(len(record.value or b"") for record in records)
            often = self._limits.home_bytes_max * len(records) // max(1, size)
            self._records = max(1, min(self._limits.home_records_max, often))
        return self._waiting.popleft()


def _from(slots: list[Slots], rank: int) -> list[Slots]:
    """These slots without those before a rank."""
    out = []
    for run in slots:
        cut = min(run.count, max(0, rank - run.rank))
        if cut < run.count:
            out.append(Slots(run.slot + cut, run.rank + cut, run.index + cut, run.count - cut))
    return out
