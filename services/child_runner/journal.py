"""What a lane's journal says: the pure fold of its records, from which an owner takes the lane over."""

from maprun.mapruns.intervals import Intervals
from schemas.effects import HeartbeatReceived, TimerFired
from schemas.lanes import (
    ChildAdopted,
    ChildAdvanced,
    Claimed,
    JournalRecord,
    LaneAdvanced,
    LaneSnapshot,
    Positions,
    RunOver,
)
from schemas.ranges import pairs
from schemas.wire import Decoder, encoded_bytes
from services.child_runner.journal_pieces import parts_of

OVER_KEPT = 10_000
PART_BYTES = 150
"""What a fact of a child takes in a record beside its payload, about: names and numbers."""
RunKey = tuple[str, int]
"""(run, generation)."""

journal_decoder: Decoder[JournalRecord] = Decoder(JournalRecord)


def decode_journal(value: bytes) -> JournalRecord:
    """A journal record. Raises msgspec.DecodeError when the bytes are none."""
    return journal_decoder.decode(value)


class Adopted:
    """An adopted child: where in the journal it stands, and its input while that is in memory."""

    __slots__ = ("index", "input", "items", "offset", "place", "redriven", "size")

    def __init__(self, child: ChildAdopted, offset: int, place: int) -> None:
        self.input: bytes | None = child.input
        self.size = len(child.input)
        self.items = child.items
        self.index = child.index
        self.redriven = child.redriven
        self.offset = offset  # of its record; -1 = on its way into the journal
        self.place = place  # in the record


class RunMemory:
    """What the journal holds of one generation of a run."""

    __slots__ = ("adopted", "finished", "past")

    def __init__(self) -> None:
        self.finished = Intervals()
        self.past: dict[int, list[ChildAdvanced]] = {}
        self.adopted: dict[int, Adopted] = {}


class LaneMemory:
    """State of a lane after the records folded so far.

    A record that does not stand under the newest claim before it does not exist. A log that was cut begins
    with a snapshot that counted. At most `inputs_bytes_max` of adopted inputs are kept; the others are left where they
    are.
    """

    def __init__(self, *, inputs_bytes_max: int = 1 << 62, cluster: str = "") -> None:
        self.cluster = cluster  # records of another one were written for other logs
        self.inputs_bytes_max = inputs_bytes_max
        self.inputs_bytes = 0
        self.epoch = -1
        self.items = 0
        self.signals = 0
        self.runs: dict[RunKey, RunMemory] = {}
        self.over: dict[RunKey, None] = {}  # the newest closed runs, so that a late RunOpened opens no ghost
        self.bytes = 0  # about, of facts and inputs: what is needed of the journal
        self.written = 0  # bytes of the journal since the last snapshot
        self.snapshots = (-1, -1)  # offsets at which the last but one and the last complete one begin
        self._pieces: list[LaneSnapshot] = []
        self._pieces_offset = -1

    def run(self, key: RunKey) -> RunMemory:
        """The memory of a run; made on first use."""
        found = self.runs.get(key)
        if found is None:
            found = self.runs[key] = RunMemory()
        return found

    def apply(self, offset: int, record: JournalRecord, size: int = 0) -> None:
        """Folds one record of so many bytes in."""
        self.written += size
        match record:
            case Claimed() if record.cluster == self.cluster:
                self.epoch = offset
                self._pieces = []
            case LaneAdvanced():
                if record.epoch == self.epoch:
                    self._advanced(offset, record)
            case LaneSnapshot() if record.cluster == self.cluster:
                if self.epoch < 0 and not record.piece:
                    self.epoch = record.epoch
                if record.epoch == self.epoch:
                    self._snapshot(offset, record)
            case Claimed() | LaneSnapshot():
                pass  # written for other logs, before topics were made anew

    def _advanced(self, offset: int, record: LaneAdvanced) -> None:
        self.items, self.signals = record.items, record.signals
        for place, child in enumerate(record.adopted):
            self._adopt(offset, place, child)
        for fact in record.advanced:
            self._remember(fact)
        for positions in record.finished:
            memory = self.run((positions.run, positions.generation))
            for first, count in pairs(positions.ranges):
                memory.finished.add(first, count)
                if memory.past or memory.adopted:
                    for position in range(first, first + count):
                        self.drop(memory, position)
        for run in record.forgotten:
            self.forget((run, 0))
        for over in record.over:
            self.forget((over.run, over.generation))

    def _adopt(self, offset: int, place: int, child: ChildAdopted) -> None:
        """Adopted, or adopted again: then only where it stands is new."""
        key = (child.run, child.generation)
        if key in self.over:
            return
        memory = self.run(key)
        if child.position in memory.finished:
            return
        known = memory.adopted.get(child.position)
        if known is None:
            known = self.adopt(memory, child)
            if self.inputs_bytes > self.inputs_bytes_max:
                self.leave(known)
        known.offset, known.place = offset, place

    def adopt(self, memory: RunMemory, child: ChildAdopted) -> Adopted:
        """A child whose record is on its way into the journal; its input stays in memory for now."""
        adopted = memory.adopted[child.position] = Adopted(child, -1, 0)
        self.bytes += PART_BYTES + adopted.size
        self.inputs_bytes += adopted.size
        return adopted

    def leave(self, adopted: Adopted) -> None:
        """The input needn't be in memory: the journal has it."""
        if adopted.input is not None:
            adopted.input = None
            self.inputs_bytes -= adopted.size

    def bring(self, adopted: Adopted, child: ChildAdopted) -> None:
        """The input was read from the journal again."""
        if adopted.input is None:
            adopted.input = child.input
            self.inputs_bytes += adopted.size

    def _remember(self, fact: ChildAdvanced) -> None:
        """Keeps a fact of an unfinished child's past; of heartbeats without a timer between only the last."""
        memory = self.run((fact.run, fact.generation))
        if fact.position in memory.finished:
            return
        past = memory.past.setdefault(fact.position, [])
        if isinstance(fact.happening, HeartbeatReceived):
            before = _heartbeat_before(past, fact.happening)
            if before is not None:
                past.remove(before)
                self.bytes -= about(before)
        past.append(fact)
        self.bytes += about(fact)

    def drop(self, memory: RunMemory, position: int) -> None:
        """A child is finished: what it had in the journal isn't needed any more."""
        for fact in memory.past.pop(position, ()):
            self.bytes -= about(fact)
        adopted = memory.adopted.pop(position, None)
        if adopted is not None:
            self.bytes -= PART_BYTES + adopted.size
            self.leave(adopted)

    def forget(self, key: RunKey) -> None:
        """A run is over."""
        self.over[key] = None
        if len(self.over) > OVER_KEPT:
            del self.over[next(iter(self.over))]
        memory = self.runs.pop(key, None)
        if memory is not None:
            for position in [*memory.past, *(p for p in memory.adopted if p not in memory.past)]:
                self.drop(memory, position)

    # ------------------------------------------------------------------ snapshots

    def _snapshot(self, offset: int, piece: LaneSnapshot) -> None:
        if piece.piece == 0:
            self._pieces, self._pieces_offset = [], offset
        if piece.piece != len(self._pieces):
            self._pieces = []  # its beginning was never written, or cut off
            return
        self._pieces.append(piece)
        if len(self._pieces) == piece.pieces:
            pieces, self._pieces = self._pieces, []
            self._restored(self._pieces_offset, pieces)

    def _restored(self, offset: int, pieces: list[LaneSnapshot]) -> None:
        """Takes a snapshot for all that was before it, but for the adopted children that it doesn't hold."""
        adopted = {key: memory.adopted for key, memory in self.runs.items()}
        self.items, self.signals = pieces[0].items, pieces[0].signals
        self.runs, self.over = {}, {}
        self.bytes = 0
        for piece in pieces:
            for positions in piece.finished:
                memory = self.run((positions.run, positions.generation))
                for first, count in pairs(positions.ranges):
                    memory.finished.add(first, count)
            self.over |= {(over.run, over.generation): None for over in piece.over}
        for piece in pieces:
            for fact in piece.past:
                self._remember(fact)
        for key, children in adopted.items():
            memory = self.run(key)
            for position, child in children.items():
                if key in self.over or position in memory.finished:
                    self.leave(child)
                else:
                    memory.adopted[position] = child
                    self.bytes += PART_BYTES + child.size
        self.written = 0
        self.snapshots = (self.snapshots[1], offset)

    def snapshot(self, bytes_max: int) -> list[LaneSnapshot]:
        """The pieces of a snapshot of what is known now."""
        finished = [
            Positions(*key, part)
            for key, memory in self.runs.items()
            for part in parts_of(memory.finished.flat(), bytes_max)
        ]
        past = [fact for memory in self.runs.values() for facts in memory.past.values() for fact in facts]
        over = [RunOver(*key) for key in self.over]
        cuts: list[tuple[list[Positions], list[ChildAdvanced], list[RunOver]]] = [([], [], [])]
        size = 0
        for part in (*finished, *past, *over):
            part_bytes = encoded_bytes(part)
            if size and size + part_bytes > bytes_max:
                cuts.append(([], [], []))
                size = 0
            size += part_bytes
            match part:
                case Positions():
                    cuts[-1][0].append(part)
                case ChildAdvanced():
                    cuts[-1][1].append(part)
                case RunOver():
                    cuts[-1][2].append(part)
        return [
            LaneSnapshot(
                self.epoch,
                i,
                len(cuts),
                self.items,
                self.signals,
                tuple(done),
                tuple(facts),
                tuple(ended),
                self.cluster,
            )
            for i, (done, facts, ended) in enumerate(cuts)
        ]

    def snapshot_written(self, offset: int, size: int) -> None:
        """A snapshot of this memory, so many bytes, is in the journal from this offset on."""
        self.written = size
        self.snapshots = (self.snapshots[1], offset)

    def before(self, offset: int) -> list[tuple[RunKey, int, Adopted]]:
        """Adopted children whose records stand before `offset`, in the order of the journal."""
        found = [
            (key, position, child)
            for key, memory in self.runs.items()
            for position, child in memory.adopted.items()
            if 0 <= child.offset < offset
        ]
        return sorted(found, key=lambda entry: (entry[2].offset, entry[2].place))

    def said(self) -> tuple[object, ...]:
        """Everything a successor would go on from, to be compared."""
        runs = {
            key: (
                memory.finished.flat(),
                memory.past,
                {position: (child.offset, child.place) for position, child in memory.adopted.items()},
            )
            for key, memory in self.runs.items()
            if len(memory.finished) or memory.past or memory.adopted
        }
        return self.epoch, self.items, self.signals, runs, set(self.over)


def about(fact: ChildAdvanced) -> int:
    """Bytes that a fact takes, about: enough to know when a snapshot is due, not to know what fits a record."""
    happening = fact.happening
    return PART_BYTES + len(getattr(happening, "output", b"") or getattr(happening, "cause", ""))


def _heartbeat_before(past: list[ChildAdvanced], heartbeat: HeartbeatReceived) -> ChildAdvanced | None:
    """The heartbeat that this one may stand in for: no timer of the attempt fired since.

    One that fired between them may have ended the attempt; without the first heartbeat that would never have been.
    """
    timers = f"{heartbeat.ref}:"
    for fact in reversed(past):
        if fact.happening == heartbeat:
            return fact
        if isinstance(fact.happening, TimerFired) and fact.happening.ref.startswith(timers):
            return None
    return None
