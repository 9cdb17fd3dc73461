"""The checker that watches the logs: a fold of its own, ledgers of its own, and every invariant at every record."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from maprun.bus.port import Record
from maprun.mapruns.home import Home, decode_record
from maprun.mapruns.outputs import EntriesAccepted, HistoryGrew, RootChanged, RunChanged, Send
from maprun.mapruns.run import Run
from maprun.mapruns.state import HomeState, Interpreter, Root, encode_state
from schemas import topics
from schemas.asks import ItemAsk, ItemsRequested
from schemas.effects import TaskRequested
from schemas.home import ExecutionRequested, ParentTaskEnded
from schemas.lanes import Claimed, ItemFrame, JournalRecord, LaneAdvanced, LaneSignal, LaneSnapshot, RunOpened
from schemas.requests import RequestAnswered
from schemas.wire import Fact, encode
from services.child_runner.lane import Lane
from tests.simulation.scenario import NAMES, Scenario
from tests.simulation.world import World

_asks: msgspec.msgpack.Decoder[ItemAsk] = msgspec.msgpack.Decoder(ItemAsk)
_frames = msgspec.msgpack.Decoder(ItemFrame)
_journal: msgspec.msgpack.Decoder[JournalRecord] = msgspec.msgpack.Decoder(JournalRecord)
_answers = msgspec.msgpack.Decoder(RequestAnswered)
_signals: msgspec.msgpack.Decoder[LaneSignal] = msgspec.msgpack.Decoder(LaneSignal)

DERIVED = {
    topic.name
    for topic in (topics.ITEM_ASKS, topics.LANE_SIGNALS, topics.ANSWERS, topics.MACHINES, topics.EXECUTION_EVENTS)
}
"""Topics on which every record must follow from a record of home."""


GARBAGE_COUNTS = {topics.HOME.name, topics.EXECUTION_REQUESTS.name}
"""Topics on which an unreadable record is an event for the checker too."""
STATE_SAMPLE = 3
"""Every so many offsets the state's bytes are compared."""


class Book:
    """What the checker wrote down of one run, from the records alone."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.lane: dict[int, int] = {}  # position → the lane it was asked for on
        self.published: dict[int, bytes] = {}  # position → content
        self.accepted: dict[int, tuple[int, int, int]] = {}  # position → (offset, slot, status)
        self.quotas: dict[int, int] = {}  # of the lanes that were told
        self.over = False


class LaneTruth:
    """What a lane's journal holds for good: records under the newest claim before them."""

    def __init__(self) -> None:
        self.epoch = -1
        self.positions = (0, 0)  # of items and signals
        self.positions_at: dict[int, tuple[int, int]] = {}  # claim → where its owner has to go on
        self.told: set[tuple[str, int, str]] = set()  # (run, position, ref) whose result is recorded

    def apply(self, record: Record) -> None:
        """One more journal record."""
        fact = _journal.decode(record.value or b"")
        match fact:
            case Claimed():
                self.epoch = record.offset
                self.positions_at[self.epoch] = self.positions
            case LaneAdvanced() if fact.epoch == self.epoch:
                self.positions = (fact.items, fact.signals)
                for told in fact.advanced:
                    if told.happening is not None:
                        self.told.add((told.run, told.position, getattr(told.happening, "ref", "")))
            case LaneAdvanced() | LaneSnapshot():
                pass


class Judge:
    """Folds all logs as they grow."""

    def __init__(self, world: World, scenario: Scenario, interpreter: Interpreter) -> None:
        self.world = world
        self.interpreter = interpreter
        homes, lanes = scenario.homes, scenario.lanes
        self.homes = [Home(HomeState(home=h), interpreter, NAMES, homes, lanes, scenario.limits) for h in range(homes)]
        self.states: list[dict[int, bytes]] = [{} for _ in range(homes)]  # offset → digest of the state, for some
        self.shared: list[dict[int, bytes]] = [{} for _ in range(homes)]  # the same without what the tracker leaves out
        self.books: dict[str, Book] = {}
        self.truth = [LaneTruth() for _ in range(lanes)]
        self.answers: set[str] = set()  # request ids that were answered
        self.requested: set[str] = set()  # executions that were asked for
        self.origins: dict[tuple[str, int, int], str] = {}  # of records of users: "" until something came of it
        self.expected: dict[tuple[str, int], dict[bytes, int]] = {}  # derived messages → times seen
        self.keys: dict[str, tuple[str, int, str]] = {}  # effect key → (run, position, ref), as lanes derive them
        self.parent_told: set[tuple[str, str]] = set()
        self.ended: dict[str, tuple[str, bytes, str | None]] = {}  # root ARN → status, output, error
        self.histories: dict[str, list[Any]] = {}
        self.record_seen: Callable[[int, int, list[Any]], None] | None = None
        world.observers.append(self.see)

    # ------------------------------------------------------------------ records

    def see(self, record: Record) -> None:
        """Looks at a record the moment it is in its log."""
        if record.topic in DERIVED:
            self._derived(record)
        handler = {
            topics.HOME.name: self._home,
            topics.ITEM_ASKS.name: self._ask,
            topics.ITEMS.name: self._items,
            topics.LANE_JOURNAL.name: self._lane_journal,
            topics.LANE_SIGNALS.name: self._signal,
            topics.ANSWERS.name: self._answer,
            topics.EXECUTION_REQUESTS.name: self._request,
            topics.REJECTED_REQUESTS.name: self._rejected,
        }.get(record.topic)
        if handler is not None and (record.key != b"garbage" or record.topic in GARBAGE_COUNTS):
            handler(record)

    def _derived(self, record: Record) -> None:
        """Two schedulers say the same: every record here is one that the fold demands."""
        expected = self.expected.get((record.topic, record.partition), {})
        if record.key == b"garbage":
            return
        if (record.value or b"") not in expected:
            self.world.violated(f"{record.topic}/{record.partition}@{record.offset} follows from no record of home")
        else:
            expected[record.value or b""] += 1

    def _home(self, record: Record) -> None:
        home = self.homes[record.partition]
        try:
            fact = decode_record(record.value or b"")
        except msgspec.DecodeError:
            home.skip(record.offset)
            return
        before = self._told_before(home, fact)
        outputs = home.apply(record.offset, record.timestamp_ms, fact)
        if before is not None:
            self.parent_told.add(before)
        for output in outputs:
            match output:
                case Send():
                    message = output.message if isinstance(output.message, bytes) else encode(output.message)
                    self.expected.setdefault((output.topic, output.partition), {}).setdefault(message, 0)
                case EntriesAccepted():
                    self._accepted(record, output)
                case RunChanged(run=run):
                    self._run_changed(run)
                case RootChanged(arn=arn, root=root):
                    self._root_changed(arn, root)
                case HistoryGrew():
                    self._history_grew(output)
                case _:
                    pass
        if isinstance(fact, ExecutionRequested) and fact.origin is not None:
            self.origins[fact.origin.topic, fact.origin.partition, fact.origin.offset] = "asked for"
        if record.offset % STATE_SAMPLE == 0:
            self.states[record.partition][record.offset] = self._digest(home)
            self.shared[record.partition][record.offset] = self._digest_shared(home)
        if self.record_seen is not None:
            self.record_seen(record.partition, record.offset, outputs)
        for run in home.state.runs.values():
            if run.run == getattr(fact, "run", ""):
                self._run_holds(run)

    def _digest(self, home: Home) -> bytes:
        return hashlib.blake2b(encode_state(home.state, self.interpreter), digest_size=8).digest()

    def _digest_shared(self, home: Home) -> bytes:
        """Without machines (the tracker reads them elsewhere), names of the ended in any order."""
        state = home.state
        shared = msgspec.structs.replace(state, machines={}, answered={}, closed=dict(sorted(state.closed.items())))
        return hashlib.blake2b(encode_state(shared, self.interpreter), digest_size=8).digest()

    def compare_shared(self, fold: Home) -> None:
        """A tracker's fold after a record."""
        expected = self.shared[fold.state.home].get(fold.state.offset)
        if expected is not None and expected != self._digest_shared(fold):
            self.world.violated(f"a tracker's fold of home {fold.state.home} differs at {fold.state.offset}")

    def compare(self, fold: Home) -> None:
        """A scheduler's fold after a turn: at the same offset, the same bytes."""
        expected = self.states[fold.state.home].get(fold.state.offset)
        if expected is not None and expected != self._digest(fold):
            self.world.violated(f"a scheduler's fold of home {fold.state.home} differs at {fold.state.offset}")

    def _answer(self, record: Record) -> None:
        self.answers.add(_answers.decode(record.value or b"").request_id)

    def _request(self, record: Record) -> None:
        self.origins[record.topic, record.partition, record.offset] = ""

    def _rejected(self, record: Record) -> None:
        rejected = msgspec.json.decode(record.value or b"")
        origin = rejected["origin"]
        key = (origin["topic"], origin["partition"], origin["offset"])
        if not rejected["error"] or not rejected["message"]:
            self.world.violated(f"rejected without a reason: {rejected}")
        if self.origins.get(key) not in {"", "asked for", rejected["error"]}:
            self.world.violated(f"{key} was rejected as {self.origins.get(key)} and as {rejected['error']}")
        self.origins[key] = rejected["error"]

    def unheard(self) -> list[str]:
        """Records of users that nothing came of."""
        return [f"nothing came of {place}" for place, what in self.origins.items() if not what]

    def _told_before(self, home: Home, fact: Fact) -> tuple[str, str] | None:
        """(ARN, ref) if this record ends a Task that a root execution waits for."""
        if isinstance(fact, ParentTaskEnded):
            root = home.state.roots.get(fact.arn)
            if root is not None and fact.outcome.ref in root.tasks:
                return fact.arn, fact.outcome.ref
        return None

    def _root_changed(self, arn: str, root: Root) -> None:
        if root.status == "RUNNING":
            return
        end = root.status, root.output, root.error
        if self.ended.setdefault(arn, end) != end:
            self.world.violated(f"{arn} ended {self.ended[arn]} and then {end}")

    def _history_grew(self, output: HistoryGrew) -> None:
        history = self.histories.setdefault(output.arn, [])
        if output.first_id != len(history) + 1:
            self.world.violated(f"history of {output.arn} goes on at {output.first_id} after {len(history)}")
        history += output.events

    def _book(self, run: Run) -> Book:
        return self.books.setdefault(run.run, Book(run))

    def _run_changed(self, run: Run) -> None:
        book = self._book(run)
        book.run = run
        if run.phase in {"writing", "closed"}:
            if not book.over:
                self._closing(run, book)
            book.over = True
        if sum(run.quotas) > max(1, run.concurrency):
            self.world.violated(f"quotas of {run.run} sum to {sum(run.quotas)}, more than {run.concurrency}")

    def _closing(self, run: Run, book: Book) -> None:
        """All is answered: the counts are those of the ledger, and nothing published is owed."""
        owed = [p for p in book.published if p < run.read and p not in book.accepted]
        if run.total is not None:
            owed = [p for p in owed if p < run.total]
        if owed:
            self.world.violated(f"run {run.run} closes and owes answers to {owed[:10]}")
        if run.verdict is not None and run.verdict.status == "SUCCEEDED":
            missing = [p for p in range(run.total or 0) if p not in book.accepted]
            if missing:
                self.world.violated(f"run {run.run} succeeded without {missing[:10]}")
        for status in range(1, 7):
            counted = sum(1 for entry in book.accepted.values() if entry[2] == status)
            if run.count(status).children != counted:
                self.world.violated(
                    f"run {run.run} counts {run.count(status).children} of status {status}, not {counted}"
                )

    def _accepted(self, record: Record, output: EntriesAccepted) -> None:
        book = self.books[output.run]
        frame = output.frame
        if book.over:
            self.world.violated(f"run {output.run} accepted an entry after it was closed")
        positions = [p for first, count in _pairs(frame.ranges) for p in range(first, first + count)]
        for piece in output.pieces:
            for i in range(piece.count):
                position, slot = piece.position + i, piece.slot + i
                if positions[slot] != position:
                    self.world.violated(f"slot {slot} is not position {position}")
                if position in book.accepted:
                    self.world.violated(f"position {position} of {output.run} was accepted twice")
                if position not in book.published:
                    self.world.violated(f"position {position} of {output.run} was answered and never published")
                if book.lane.get(position) != frame.lane:
                    self.world.violated(f"position {position} of {output.run} was answered by lane {frame.lane}")
                book.accepted[position] = (record.offset, slot, frame.statuses[slot])

    def _run_holds(self, run: Run) -> None:
        """Asked >= read >= answered, and counts are popcounts."""
        answered = len(run.answered)
        if not run.asked >= run.read:
            self.world.violated(f"run {run.run}: asked {run.asked}, read {run.read}")
        if sum(t.children for t in run.counts.values()) != answered:
            self.world.violated(f"run {run.run}: counts do not sum to {answered}")
        if answered != len(self._book(run).accepted) and run.phase in {"open", "closing"}:
            self.world.violated(f"run {run.run}: {answered} answered, {len(self._book(run).accepted)} in the ledger")

    def _ask(self, record: Record) -> None:
        ask = _asks.decode(record.value or b"")
        book = self.books[ask.run]
        numbers = iter(ask.windows)
        if ask.windows and book.quotas.keys() != set(book.run.lanes):
            self.world.violated(f"items of {ask.run} are asked for before its lanes were told")
        for first, count, lane in zip(numbers, numbers, numbers, strict=True):
            for position in range(first, first + count):
                if book.lane.setdefault(position, lane) != lane:
                    self.world.violated(f"position {position} of {ask.run} is on two lanes")
            assert isinstance(ask, ItemsRequested) or first + count <= book.run.read

    def _signal(self, record: Record) -> None:
        signal = _signals.decode(record.value or b"")
        if isinstance(signal, RunOpened):
            self.books[signal.run].quotas[record.partition] = signal.quota

    def _items(self, record: Record) -> None:
        frame = _frames.decode(record.value or b"")
        book = self.books[frame.run]
        for i, content in enumerate(frame.items):
            position = frame.first + i
            if book.lane.get(position) != record.partition:
                self.world.violated(f"position {position} of {frame.run} was published on lane {record.partition}")
            if book.published.setdefault(position, content) != content and content:  # b"": it is void
                self.world.violated(f"position {position} of {frame.run} was published with two contents")
            if book.run.listing and position >= book.run.read:
                self.world.violated(f"position {position} of {frame.run} was published before it was confirmed")

    def _lane_journal(self, record: Record) -> None:
        self.truth[record.partition].apply(record)

    # ------------------------------------------------------------------ effects

    def child_started(self, key: str, request: TaskRequested, process: str) -> tuple[str, int]:
        """A lane's owner starts an effect: no accepted record may hold its result. Says of which run and position."""
        run_id, position, ref = self.keys[key]
        book = self.books[run_id]
        if book.run.plan.child_type == "EXPRESS":
            return run_id, position
        if any((run_id, position, ref) in truth.told for truth in self.truth):
            self.world.violated(
                f"{process} runs {request.state} of {run_id}/{position} again: its journal holds the result"
            )
        if position in book.accepted:
            self.world.violated(f"{process} runs {request.state} of {run_id}/{position}: it has ended already")
        return run_id, position

    def lane_seen(self, lane: Lane) -> None:
        """An owner after a turn: it began where the journal's valid records say."""
        expected = self.truth[lane.number].positions_at.get(lane.epoch)
        if lane.began != expected:
            self.world.violated(f"owner {lane.epoch} of lane {lane.number} began at {lane.began}, not at {expected}")

    def root_started(self, key: str, request: TaskRequested, process: str) -> None:
        """The scheduler starts an effect of a root execution."""
        if (key, request.ref) in self.parent_told:
            self.world.violated(f"{process} runs {request.ref} of {key} again: home holds its result")

    # ------------------------------------------------------------------ the end

    def settled(self) -> bool:
        """True when everything that was asked for has ended and no run is open."""
        return all(not home.state.runs and not home.state.roots for home in self.homes) and all(
            any(arn in home.state.closed for home in self.homes) for arn in self.requested
        )

    def never_sent(self) -> list[str]:
        """Messages that the fold demanded and nobody sent."""
        return [
            f"{topic}/{partition}: {message[:80]!r}"
            for (topic, partition), messages in self.expected.items()
            if topic in DERIVED
            for message, times in messages.items()
            if not times
        ]


def _pairs(flat: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
