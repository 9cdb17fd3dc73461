"""Lives of Map Runs with redrives, made by a fold of their own, and a model of what readers must be shown of them."""

import random
from typing import Any

import msgspec

from maprun.mapruns.fold.outputs import EntriesAccepted
from maprun.mapruns.fold.state import HomeState
from maprun.mapruns.limits import MapRunLimits
from maprun.mapruns.results.stages import StageLedger
from maprun.mapruns.run import Run, awaits_reading
from schemas.home import (
    ABORTED,
    FAILED,
    RETURNED,
    SUCCEEDED,
    TIMED_OUT,
    ChildrenEnded,
    HomeRecord,
    ItemsRead,
    LaneProgress,
    RedriveRequested,
    SourceEnded,
    SourceFailed,
    StopRequested,
)
from schemas.pages import Pages
from schemas.wire import encode
from tests.unit.mapruns.generations import Child, outcome
from tests.unit.tracker import fakes

HOME = 1
ENDS = (SUCCEEDED, SUCCEEDED, SUCCEEDED, FAILED, TIMED_OUT, ABORTED)


class Known(msgspec.Struct, frozen=True):
    """What the model knows of a child: how it ended, the frame that says so, whether it was redriven before."""

    status: int
    offset: int
    redriven: bool


class Story:
    """A home's log as it grows. `times` are the records' broker timestamps."""

    def __init__(self, seed: int, limits: MapRunLimits | None = None, positions: int = 120) -> None:
        self.random = random.Random(seed)
        self.positions = positions
        self.home = fakes.fold(HomeState(home=HOME), fakes.FakeInterpreter(event_bytes=150), limits)
        self.log: list[bytes] = []
        self.times: list[int] = []
        self.children: dict[str, dict[int, Known]] = {}
        self.arns: list[str] = []
        self.records: list[HomeRecord] = []
        self.answers: dict[int, dict[int, Known]] = {}  # offset of a frame → what it made of its children
        self._pages = Pages()
        self._now = 1_000

    def put(self, *records: HomeRecord, after_ms: int = 1) -> None:
        """Adds records to the log; the model takes over what the fold accepts."""
        for record in records:
            self._now += after_ms
            offset = len(self.log)
            self.log.append(encode(record))
            self.times.append(self._now)
            self.records.append(record)
            for output in self.home.apply(offset, self._now, record):
                if isinstance(output, EntriesAccepted):
                    self._accepted(offset, output)

    def _accepted(self, offset: int, accepted: EntriesAccepted) -> None:
        frame = accepted.frame
        flat = frame.indexes or frame.ranges
        indexes = [i for first, n in zip(flat[::2], flat[1::2], strict=True) for i in range(first, first + n)]
        afterlives = self._pages.unpack_afterlives(frame.afterlives)
        known = self.children.setdefault(accepted.run, {})
        for piece in accepted.pieces:
            for slot in range(piece.slot, piece.slot + piece.count):
                count = afterlives[slot].redrive_count if slot in afterlives else 0
                known[indexes[slot]] = one = Known(frame.statuses[slot], offset, count > 0)
                self.answers.setdefault(offset, {})[indexes[slot]] = one

    def begin(self, number: int) -> str:
        """A root execution with its Map Run; the run's id."""
        request = fakes.execution(HOME, number)
        self.arns.append(request.arn)
        self.put(request)
        return fakes.run_of(request)

    def rest(self, milliseconds: int) -> None:
        """Some time passes until a record that changes nothing comes."""
        self.put(LaneProgress("none", 0, 0, ()), after_ms=milliseconds)

    def run(self, run: str) -> Run:
        """A run that goes on."""
        return self.home.state.runs[run]

    def staged(self, run: str) -> list[Child]:
        """The children of earlier generations, by the positions they have in this one."""
        out: list[Child] = []
        for stage in self.run(run).stages:
            ledger = StageLedger(run, stage)
            for offset in range(stage.first_offset, min(stage.end_offset, len(self.records))):
                record = self.records[offset]
                if isinstance(record, ChildrenEnded):
                    frame_slots = ledger.take(record)
                    afterlives = self._pages.unpack_afterlives(record.afterlives)
                    for slots in frame_slots:
                        for i in range(slots.count):
                            slot = slots.slot + i
                            count = afterlives[slot].redrive_count if slot in afterlives else 0
                            out.append(Child(slots.index + i, record.statuses[slot], count))
        return out

    def read(self, run: str, reach: int) -> list[Child]:
        """Has the first `reach` positions of the generation read; the children on them as they were before."""
        state = self.run(run)
        staged = self.staged(run)
        assert len(staged) == state.staged
        lost, generation = state.lost, state.generation
        for first, end in ((0, min(reach, lost)), (lost, min(reach, len(staged)))):
            part = staged[first:end]
            if part:
                flat = [n for child in part for n in (child.status, 1, 1)] if first < lost else []
                self.put(ItemsRead(run, generation, first, len(part), len(part), 9, b"c", redriven=tuple(flat)))
        if reach > len(staged) and not state.source_over:
            count = reach - len(staged)
            self.put(ItemsRead(run, generation, len(staged), count, count, 9 * count, b"c"))
            return staged + [Child(state.index_first + i, RETURNED) for i in range(count)]
        return staged[:reach]

    def frames(self, run: str, generation: int, children: list[Child], ended: dict[int, Child]) -> list[Any]:
        """Frames that answer positions (`ended`: position → child), scattered, repeated and contradicting."""
        out: list[Any] = []
        order = sorted(ended, key=lambda p: p + self.random.randrange(60))
        while order:
            count = self.random.randrange(1, 50)
            part, order = sorted(order[:count]), order[count:]
            frame = outcome(generation, {p: ended[p] for p in part}, self.random.randrange(4), run)
            out.append(frame)
            if self.random.random() < 0.4:
                wrong = {p: msgspec.structs.replace(ended[p], status=ABORTED) for p in part}
                out.append(outcome(generation, wrong, 0, run))
            if self.random.random() < 0.3:
                told = [n for p in part for n in (children[p].index, 1)]
                progress = LaneProgress(run, generation, frame.lane, tuple(told))
                out.insert(self.random.randrange(len(out)), progress)
        return out

    def ended(self, child: Child, generation: int) -> Child:
        """A child after it ran in this generation."""
        count = child.redrive_count + (child.status != RETURNED) if generation else 0
        remains = b"r" if (status := self.random.choice(ENDS)) != SUCCEEDED else b""
        return Child(child.index, status, count, 1, remains)

    def generation(self, run: str, *, last: bool) -> None:
        """Plays one generation: to the end of everything, or until its execution is stopped somewhere."""
        state = self.run(run)
        generation, root = state.generation, state.root_arn
        total = state.staged + (0 if state.source_over else self.positions - state.index_first)
        reach = total if last else self.random.randrange(1, total + 1)
        children = self.read(run, reach)
        cut = reach if last else self.random.randrange(reach + 1)
        started = set(self.random.sample(range(reach), cut))
        frames = self.frames(run, generation, children, {p: self.ended(children[p], generation) for p in started})
        if last and not state.source_over:
            frames.insert(self.random.randrange(len(frames) + 1), SourceEnded(run, generation, total))
        self.put(*frames)
        if not last and run in self.home.state.runs:
            self.put(StopRequested(f"stop-{run}-{generation}", root, "", ""))
            if awaits_reading(state):
                self.put(SourceFailed(run, generation, "E", "no more"))
            rest = {p: children[p] for p in range(reach) if p not in started}
            self.put(*self.frames(run, generation, children, rest))
        assert run not in self.home.state.runs, "all is answered"

    def redrive(self, run: str, arn: str, number: int) -> None:
        """Redrives an execution."""
        self.put(RedriveRequested(f"redrive-{run}-{number}", arn))

    def live(self, number: int, redrives: int) -> str:
        """A whole life: some redrives, of which the last one ends everything; the run's id."""
        run = self.begin(number)
        arn = self.arns[-1]
        for generation in range(redrives + 1):
            if generation:
                ended = self.home.state.ended.get(arn)
                if ended is None or ended.root is None:
                    break  # it succeeded before
                self.redrive(run, arn, generation)
            self.generation(run, last=generation == redrives)
        return run
