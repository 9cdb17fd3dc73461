"""What a lane's journal says: the pure fold of its records, from which an owner takes the lane over."""

import msgspec

from maprun.mapruns.intervals import Intervals
from schemas.lanes import ChildAdopted, ChildAdvanced, Claimed, JournalRecord, LaneAdvanced
from schemas.wire import Decoder

FORGOTTEN_KEPT = 10_000
PART_BYTES = 150
"""What a fact of a child takes in a record beside its payload: names and numbers."""
Key = tuple[str, int, int]
"""(run, generation, position)."""

_decoder: Decoder[JournalRecord] = Decoder(JournalRecord)


def decode_journal(value: bytes) -> JournalRecord:
    """A journal record. Raises msgspec.DecodeError when the bytes are none."""
    return _decoder.decode(value)


class LaneMemory:
    """State of a lane after the records folded so far.

    A record that does not stand under the newest claim before it does not exist (`fence`).
    """

    def __init__(self, *, fence: bool = True) -> None:
        self.fence = fence
        self.epoch = -1
        self.items = 0
        self.signals = 0
        self.finished: dict[tuple[str, int], Intervals] = {}
        self.past: dict[Key, list[ChildAdvanced]] = {}
        self.adopted: dict[Key, ChildAdopted] = {}
        self.forgotten: dict[str, None] = {}  # the newest closed runs, so that a late RunOpened opens no ghost

    def apply(self, offset: int, record: JournalRecord) -> None:
        """Folds one record in."""
        match record:
            case Claimed():
                self.epoch = offset
            case LaneAdvanced():
                if record.epoch == self.epoch or not self.fence:
                    self._advanced(record)

    def _advanced(self, record: LaneAdvanced) -> None:
        self.items, self.signals = record.items, record.signals
        for child in record.adopted:
            self.adopted[child.run, child.generation, child.position] = child
        for fact in record.advanced:
            self.past.setdefault((fact.run, fact.generation, fact.position), []).append(fact)
        for positions in record.finished:
            done = self.finished.setdefault((positions.run, positions.generation), Intervals())
            for first, count in _pairs(positions.ranges):
                done.add(first, count)
                if self.past or self.adopted:
                    for position in range(first, first + count):
                        key = (positions.run, positions.generation, position)
                        self.past.pop(key, None)
                        self.adopted.pop(key, None)
        for run in record.forgotten:
            self.forget(run)

    def forget(self, run: str) -> None:
        """A run is over."""
        self.forgotten[run] = None
        if len(self.forgotten) > FORGOTTEN_KEPT:
            del self.forgotten[next(iter(self.forgotten))]
        self.finished = {k: v for k, v in self.finished.items() if k[0] != run}
        self.past = {k: v for k, v in self.past.items() if k[0] != run}
        self.adopted = {k: v for k, v in self.adopted.items() if k[0] != run}


def cut(record: LaneAdvanced, before: tuple[int, int], bytes_max: int) -> list[LaneAdvanced]:
    """The record in pieces that fit one record of the log each, to be written in order.

    Only the last one says what is finished and where to go on from: all others stand at `before`, the (items, signals)
    said last, so whoever comes between two of them reads the frames again and finds in the journal what it already has.
    """
    pieces: list[LaneAdvanced] = []
    advanced: list[ChildAdvanced] = []
    adopted: list[ChildAdopted] = []
    size = 0
    parts: list[ChildAdvanced | ChildAdopted] = [*record.advanced, *record.adopted]
    for part in parts:
        payload = part.input if isinstance(part, ChildAdopted) else getattr(part.happening, "output", b"")
        cost = PART_BYTES + len(payload)
        if size and size + cost > bytes_max:
            pieces.append(LaneAdvanced(record.epoch, *before, (), tuple(advanced), tuple(adopted)))
            advanced, adopted, size = [], [], 0
        size += cost
        if isinstance(part, ChildAdopted):
            adopted.append(part)
        else:
            advanced.append(part)
    return [*pieces, msgspec.structs.replace(record, advanced=tuple(advanced), adopted=tuple(adopted))]


def _pairs(flat: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
