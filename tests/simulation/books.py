"""What the checker writes down of each Map Run and generation, from the records alone, and what must hold of it."""

from collections.abc import Iterator

import msgspec

from maprun.bus.port import Record
from maprun.mapruns.child_sets import ChildSet
from maprun.mapruns.fold.outputs import EntriesAccepted
from maprun.mapruns.run import Run, Tally
from maprun.mapruns.verdicts import LOST, NEVER_STARTED, item_counts
from schemas.asks import ItemAsk, ItemsRequested
from schemas.home import ABORTED, FAILED, SUCCEEDED, TIMED_OUT
from schemas.lanes import Cause, ItemFrame, LaneSignal, QuotaChanged, RunOpened
from tests.simulation.world import World

NAMED = {SUCCEEDED: "succeeded", FAILED: "failed", TIMED_OUT: "timedOut", ABORTED: "aborted"}
_SUMS = {"total", "resultsWritten", "failuresNotRedrivable"}


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An entry that counts, and where it stands."""

    generation: int
    position: int
    offset: int
    slot: int
    status: int
    index: int
    items: int


class Generation:
    """One generation of a run: positions, and the children that they stand for."""

    def __init__(self, run: Run, before: dict[int, Answer]) -> None:
        self.number = run.generation
        self.before = before  # child index → how it ended in earlier generations
        self.lost, self.staged, self.index_first = run.lost, run.staged, run.index_first
        self.chosen = ChildSet.decode(run.chosen) if run.chosen else None
        self.lane: dict[int, int] = {}  # position → the lane it was asked for on
        self.published: dict[int, bytes] = {}  # position → content
        self.index: dict[int, int] = {}  # position → child index, of those published
        self.position: dict[int, int] = {}  # the other way
        self.accepted: dict[int, Answer] = {}  # by position
        self.quotas: dict[int, list[tuple[int, Cause, int]]] = {}  # lane → (offset, cause, quota) of its signals
        self.good: set[int] = set()  # ids of items that were repaired before it began
        self.over = False
        self.unread_from: int | None = None  # once its source broke: home never heard that these positions were read
        self.written: bool | None = None  # its results, once it is over; None where the next one began at once

    def quota(self, lane: int, before: int) -> int:
        """The quota of a lane whose owner has read the signals below an offset."""
        told = [(cause.offset, cause.n, quota) for offset, cause, quota in self.quotas.get(lane, ()) if offset < before]
        return max(told)[2] if told else 0


class Book:
    """A run in all its generations."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.generations: list[Generation] = []
        self.latest: dict[int, Answer] = {}  # child index → its newest answer
        self.shape = (run.concurrency, run.lanes, run.quotas)

    @property
    def now(self) -> Generation:
        """The present generation."""
        return self.generations[-1]

    def unheard_of(self, number: int, index: int) -> bool:
        """True for a child that was published, and whose run was over before home heard of it (decision 10's gap)."""
        generation = self.generations[number]
        position = generation.position[index]
        first = generation.unread_from
        return first is not None and position >= first and position not in generation.accepted

    def ended(self, *statuses: int) -> list[Answer]:
        """Newest answers with one of these statuses."""
        return [answer for answer in self.latest.values() if answer.status in statuses]

    def tally(self, *statuses: int) -> Tally:
        """Children and items that ended so last."""
        answers = self.ended(*statuses)
        return Tally(len(answers), sum(answer.items for answer in answers))


class Books:
    """All runs of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.of: dict[str, Book] = {}

    def _violated(self, run: str, what: str) -> None:
        self.world.violated(f"run {run}: {what}")

    # ------------------------------------------------------------------ as the fold says it

    def run_changed(self, run: Run) -> bool:
        """A run as it is after a record; True if a generation begins."""
        book = self.of.setdefault(run.run, Book(run))
        book.run = run
        began = len(book.generations) <= run.generation
        if began:
            self._begin(run, book)
        if run.phase in {"writing", "closed"}:
            if not book.now.over:
                self._closing(run, book)
            book.now.over = True
        if run.phase == "closed":
            book.now.written = bool(run.manifest_key)
        if sum(run.quotas) > max(1, run.concurrency):
            self._violated(run.run, f"quotas sum to {sum(run.quotas)}, more than {run.concurrency}")
        self._units_moved(run, book)
        self._counts(run, book)
        return began

    def _begin(self, run: Run, book: Book) -> None:
        """A generation begins: each child that ended unsuccessfully, or never started, is in its stages once."""
        if len(book.generations) != run.generation and run.parent is None:
            self._violated(run.run, f"generation {run.generation} follows {len(book.generations) - 1}")
        if book.generations:
            # A run whose source broke is over at once; another reader may publish afterwards what was asked for before.
            owed = self._owed(book.now, book.now.unread_from)
            if owed:
                self._violated(run.run, f"is redriven and owes answers to {owed[:10]}")
        lost, never = book.tally(*LOST), book.tally(*NEVER_STARTED)
        aside = sum(stage.count for stage in run.aside if stage.lost)
        all_lost, all_staged = run.lost + aside, run.staged + sum(stage.count for stage in run.aside)
        if run.chosen and run.staged != len(ChildSet.decode(run.chosen)):
            self._violated(run.run, f"runs {run.staged} of {len(ChildSet.decode(run.chosen))} chosen children")
        if (all_lost, all_staged - all_lost) != (lost.children, never.children):
            said = f"{all_lost} lost and {all_staged - all_lost} never started"
            self._violated(run.run, f"a redrive of {said}, there are {lost.children} and {never.children}")
        if run.index_first != len(book.latest):
            self._violated(run.run, f"goes on with child {run.index_first} after {len(book.latest)} children")
        if run.succeeded_before != book.tally(SUCCEEDED):
            self._violated(run.run, f"{run.succeeded_before} before, there are {book.tally(SUCCEEDED)}")
        while len(book.generations) <= run.generation:  # of a nested run one may be asked for before the last began
            book.generations.append(Generation(run, dict(book.latest)))
        book.shape = (run.concurrency, run.lanes, run.quotas)

    def _owed(self, generation: Generation, below: int | None = None, total: int | None = None) -> list[int]:
        return [
            p
            for p in generation.published
            if p not in generation.accepted and (below is None or p < below) and (total is None or p < total)
        ]

    def _closing(self, run: Run, book: Book) -> None:
        """All is answered: the counts are those of the ledger, and nothing published is owed."""
        now = book.now
        owed = self._owed(now, run.read, run.total)
        if owed:
            self._violated(run.run, f"closes and owes answers to {owed[:10]}")
        if run.verdict is not None and run.verdict.status == "SUCCEEDED":
            missing = [p for p in range(run.total or 0) if p not in now.accepted]
            if missing:
                self._violated(run.run, f"succeeded without {missing[:10]}")
        if run.plan.reader is not None and run.source_broken:
            now.unread_from = run.read
        else:
            past = [p for p in now.accepted if p >= run.read]
            if past:
                self._violated(run.run, f"closes at {run.read} with answers to {past[:10]}")
        for status in range(1, 7):
            answers = [answer for answer in now.accepted.values() if answer.status == status]
            counted = Tally(len(answers), sum(answer.items for answer in answers))
            if run.count(status) != counted:
                self._violated(run.run, f"counts {run.count(status)} of status {status}, not {counted}")

    def _units_moved(self, run: Run, book: Book) -> None:
        """A unit of quota that moves leaves a lane that owes no answer, unless MaxConcurrency was changed."""
        (concurrency, lanes, quotas), book.shape = book.shape, (run.concurrency, run.lanes, run.quotas)
        if concurrency != run.concurrency or quotas == run.quotas or run.phase != "open":
            return
        has = dict(zip(run.lanes, run.quotas, strict=True))
        now = book.now
        for lane, quota in zip(lanes, quotas, strict=True):
            if has.get(lane, 0) < quota:
                owed = [p for p in self._owed(now, None, run.total) if now.lane[p] == lane]
                if owed:
                    self._violated(run.run, f"lane {lane} loses quota and owes {owed[:10]}")

    def _counts(self, run: Run, book: Book) -> None:
        """The counts that the API shows add up at any time; at the end they are those of the ledger."""
        for running in (0, 2):
            for counts in item_counts(run, running, running):
                parts = [n for k, n in counts.items() if k not in _SUMS]
                if sum(parts) != counts["total"] or min(parts) < 0:
                    self._violated(run.run, f"counts that don't add up: {counts}")
        if run.phase == "closed":
            items, children = item_counts(run, 0, 0)
            for status, name in NAMED.items():
                tally = book.tally(status)
                if (children[name], items[name]) != (tally.children, tally.items):
                    self._violated(run.run, f"shows {children[name]} {name} of {items[name]} items, not {tally}")

    def holds(self, run: Run) -> None:
        """Asked >= read, and counts are popcounts."""
        book = self.of[run.run]
        answered = len(run.answered)
        if not run.asked >= run.read:
            self._violated(run.run, f"asked {run.asked}, read {run.read}")
        if sum(t.children for t in run.counts.values()) != answered:
            self._violated(run.run, f"counts do not sum to {answered}")
        if answered != len(book.now.accepted) and run.phase in {"open", "closing"}:
            self._violated(run.run, f"{answered} answered, {len(book.now.accepted)} in the ledger")

    def accepted(self, record: Record, output: EntriesAccepted) -> None:
        """Entries that count."""
        book, frame = self.of[output.run], output.frame
        now = book.now
        if now.over:
            self._violated(output.run, "accepted an entry after it was closed")
        if frame.generation != now.number:
            self._violated(output.run, f"accepted an entry of generation {frame.generation} in {now.number}")
        positions = _expanded(frame.ranges)
        indexes = _expanded(frame.indexes) if now.number else positions
        for piece in output.pieces:
            for i in range(piece.count):
                position, slot = piece.position + i, piece.slot + i
                if positions[slot] != position:
                    self._violated(output.run, f"slot {slot} is not position {position}")
                if position in now.accepted:
                    self._violated(output.run, f"position {position} was accepted twice")
                if position not in now.published:
                    self._violated(output.run, f"position {position} was answered and never published")
                if now.lane.get(position) != frame.lane:
                    self._violated(output.run, f"position {position} was answered by lane {frame.lane}")
                index, items = indexes[slot], frame.items[slot] if frame.items else 1
                if now.index.get(position) != index:
                    self._violated(output.run, f"position {position} is child {now.index.get(position)}, not {index}")
                answer = Answer(now.number, position, record.offset, slot, frame.statuses[slot], index, items)
                now.accepted[position] = book.latest[index] = answer

    # ------------------------------------------------------------------ as the services do it

    def asked(self, ask: ItemAsk) -> None:
        """Windows for the reader."""
        book = self.of[ask.run]
        now = book.generations[ask.generation]
        numbers = iter(ask.windows)
        if ask.windows and not now.quotas.keys() >= {lane for _, _, lane in _triples(ask.windows)}:
            self._violated(ask.run, "items are asked for before their lanes were told")
        for first, count, lane in zip(numbers, numbers, numbers, strict=True):
            for position in range(first, first + count):
                if now.lane.setdefault(position, lane) != lane:
                    self._violated(ask.run, f"position {position} is on two lanes")
            current = book.now is now
            assert not current or isinstance(ask, ItemsRequested) or first + count <= book.run.read

    def signalled(self, record: Record, signal: LaneSignal) -> None:
        """What a lane is told of a run."""
        if isinstance(signal, RunOpened | QuotaChanged):
            told = self.of[signal.run].generations[signal.generation].quotas.setdefault(record.partition, [])
            told.append((record.offset, signal.cause, signal.quota))

    def items(self, lane: int, frame: ItemFrame) -> None:
        """Children that are published."""
        book = self.of[frame.run]
        now = book.generations[frame.generation]
        indexes = (
            list(_expanded(frame.indexes)) if frame.generation else range(frame.first, frame.first + len(frame.items))
        )
        if len(indexes) != len(frame.items):
            self._violated(frame.run, f"a frame of {len(frame.items)} items has {len(indexes)} indexes")
            return
        for i, content in enumerate(frame.items):
            position, index = frame.first + i, indexes[i]
            if now.lane.get(position) != lane:
                self._violated(frame.run, f"position {position} was published on lane {lane}")
            if now.published.setdefault(position, content) != content and content:  # b"": it is void
                self._violated(frame.run, f"position {position} was published with two contents")
            if book.run.listing and now is book.now and position >= max(book.run.read, now.staged):
                self._violated(frame.run, f"position {position} was published before it was confirmed")
            if now.index.setdefault(position, index) != index:
                self._violated(frame.run, f"position {position} is child {now.index[position]} and {index}")
            if now.position.setdefault(index, position) != position:
                self._violated(frame.run, f"child {index} is published as {now.position[index]} and {position}")
            wrong = _wrong_place(now, position, index, redriven=frame.redriven)
            if wrong:
                self._violated(frame.run, f"child {index} is published as {position}: {wrong}")


def _wrong_place(now: Generation, position: int, index: int, *, redriven: bool) -> str:
    """Why this child may not have this place in its generation; empty when it may."""
    before = now.before.get(index)
    if redriven != (position < now.lost):
        return f"redriven {redriven}, and {now.lost} are"
    if position >= now.staged:
        expected = now.index_first + position - now.staged
        return "" if before is None and index == expected else f"it should be {expected}, {before}"
    if now.chosen is not None and index not in now.chosen:
        return "it was not chosen"
    statuses = LOST if position < now.lost else NEVER_STARTED
    return "" if before is not None and before.status in statuses else f"it ended as {before}"


def _expanded(flat: tuple[int, ...]) -> list[int]:
    numbers = iter(flat)
    return [n for first, count in zip(numbers, numbers, strict=True) for n in range(first, first + count)]


def _triples(flat: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    numbers = iter(flat)
    return zip(numbers, numbers, numbers, strict=True)
