"""The checker that watches the logs: a fold of its own, ledgers of its own, and every invariant at every record."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from maprun.bus.port import Record
from maprun.integrations.registry import job_of
from maprun.mapruns.fold.home import Home, decode_record
from maprun.mapruns.fold.outputs import EntriesAccepted, HistoryGrew, RootChanged, RunChanged, Send
from maprun.mapruns.fold.state import HomeState, Interpreter, RequestAnswered, Root, encode_ended, encode_state
from maprun.mapruns.run import Run
from schemas import topics
from schemas.activities import ActivityTaskAnswered, ActivityWritten
from schemas.arns import home_of
from schemas.asks import ItemAsk
from schemas.effects import ActivityTaskStarted, TaskRequested
from schemas.home import SUCCEEDED, CallbackReceived, ExecutionRequested, ParentTaskEnded
from schemas.lanes import ChildCallbackReceived, ItemFrame, LaneSignal
from schemas.machines import MachineWritten
from schemas.starters import StartWithdrawn
from schemas.wire import Decoder, Fact, encode
from services.child_runner.lane import Lane
from services.child_runner.lane_run import LaneRun
from tests.simulation.books import Book, Books
from tests.simulation.fakes import Whose
from tests.simulation.plays import NAMES
from tests.simulation.port import VALUE_BYTES_MAX
from tests.simulation.quotas import started_too_many
from tests.simulation.scenario import Scenario
from tests.simulation.truth import LaneTruth
from tests.simulation.world import World

_asks: msgspec.msgpack.Decoder[ItemAsk] = msgspec.msgpack.Decoder(ItemAsk)
_frames = msgspec.msgpack.Decoder(ItemFrame)
_machines: Decoder[MachineWritten | ActivityWritten] = Decoder(MachineWritten | ActivityWritten)
_signals: msgspec.msgpack.Decoder[LaneSignal] = msgspec.msgpack.Decoder(LaneSignal)

DERIVED = {topic.name for topic in (topics.ITEM_ASKS, topics.LANE_SIGNALS, topics.MACHINES, topics.EXECUTION_EVENTS)}
"""Topics on which every record must follow from a record of home."""


GARBAGE_COUNTS = {topics.HOME.name, topics.EXECUTION_REQUESTS.name}
"""Topics on which an unreadable record is an event for the checker too."""
STATE_SAMPLE = 3
"""Every so many offsets the state's bytes are compared."""


def _handed_on(output: Any) -> bool:
    """True for a callback, or a worker, on its way to whoever takes it once, however often it comes."""
    return isinstance(output, Send) and isinstance(output.message, ChildCallbackReceived | CallbackReceived)


def _of_worker(fact: Any) -> bool:
    """True for what homes say among themselves of a worker's request."""
    started = isinstance(fact, CallbackReceived) and isinstance(fact.callback, ActivityTaskStarted)
    return started or isinstance(fact, ActivityTaskAnswered)


class Judge:
    """Folds all logs as they grow."""

    def __init__(self, world: World, scenario: Scenario, interpreter: Interpreter) -> None:
        self.world = world
        self.interpreter = interpreter
        homes, lanes = scenario.homes, scenario.lanes
        self.homes = [Home(HomeState(home=h), interpreter, NAMES, homes, lanes, scenario.limits) for h in range(homes)]
        self.states: list[dict[int, bytes]] = [{} for _ in range(homes)]  # offset → digest of the state, for some
        self.ended_at: list[dict[int, dict[str, bytes]]] = [{} for _ in range(homes)]  # likewise, of what had ended
        self.runs = Books(world)
        self.books = self.runs.of
        self.truth = [LaneTruth() for _ in range(lanes)]
        self.answers: dict[str, list[RequestAnswered]] = {}  # by request id
        self.recorded: dict[str, int] = {}  # request id → offset of its first record on home
        self.call_of: dict[str, str] = {}  # request id → that of the first attempt of the same request
        self.carried_out: dict[str, int] = {}  # requests (by their first attempts) that something came of → offset
        self.shown: set[str] = set()  # machines that stand on their topic
        self.requested: set[str] = set()  # executions that were asked for
        self.origins: dict[tuple[str, int, int], str] = {}  # of records of users: "" until something came of it
        self.expected: dict[tuple[str, int], dict[bytes, int]] = {}  # derived messages → times seen
        self.keys: dict[str, tuple[str, int, int, str]] = {}  # effect key → (run, child, redrives, ref), as lanes say
        self.generations: dict[str, int] = {}  # effect key → generation that it was last derived in
        self.running: dict[tuple[int, int, str, int], frozenset[int]] = {}  # (lane, epoch, run, generation) → children
        self.parent_told: set[tuple[str, str]] = set()
        self.ends: dict[tuple[str, int], tuple[str, bytes, str | None]] = {}  # (root, redrives) → status, output, error
        self.ended: dict[str, tuple[str, bytes, str | None]] = {}  # root ARN → the same, of its last end
        self.histories: dict[str, list[Any]] = {}
        self.withdrawn: set[str] = set()  # requests for executions whose Tasks wait no more
        self.refused: set[str] = set()  # executions of which a message fits no record
        self.record_seen: Callable[[int, int, list[Any]], None] | None = None
        self.generation_began: Callable[[Book], None] | None = None
        self._nothing = hashlib.blake2b(b"", digest_size=8).digest()
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
            topics.MACHINES.name: self._machine,
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
        begun = isinstance(fact, ExecutionRequested) and fact.arn in home.state.roots
        outputs = home.apply(record.offset, record.timestamp_ms, fact)
        if before is not None:
            self.parent_told.add(before)
        self._withdrawn(home, fact, begun=begun)
        request_id = getattr(fact, "request_id", "")
        if request_id in self.call_of and not isinstance(fact, StartWithdrawn) and not _of_worker(fact):
            self._asked(record, request_id, outputs)
        for output in outputs:
            match output:
                case Send(message=None):
                    pass  # what is deleted stands there no more, whether it is deleted once or twice
                case Send():
                    said = output.message
                    assert said is not None
                    message = said if isinstance(said, bytes) else encode(said)
                    if len(message) + len(output.key or b"") > VALUE_BYTES_MAX:
                        self.refused.add(output.arn)
                        continue
                    # what else is said for an execution that is about to fail for it may be left out, but no answer
                    seen = int(output.arn in self.refused)
                    self.expected.setdefault((output.topic, output.partition), {}).setdefault(message, seen)
                case EntriesAccepted():
                    self.runs.accepted(record, output)
                case RunChanged(run=run):
                    if self.runs.run_changed(run):
                        self._generation_began(home, run)
                case RootChanged(arn=arn, root=root):
                    self._root_changed(arn, root)
                case HistoryGrew():
                    self._history_grew(output)
                case RequestAnswered():
                    self.answers.setdefault(output.request_id, []).append(output)
                case _:
                    pass
        if isinstance(fact, ExecutionRequested) and fact.origin is not None:
            self.origins[fact.origin.topic, fact.origin.partition, fact.origin.offset] = "asked for"
        if record.offset % STATE_SAMPLE == 0:
            self.states[record.partition][record.offset] = self._digest(home)
            ended = {arn: self._digest_ended(home, arn) for arn in home.state.ended}
            self.ended_at[record.partition][record.offset] = ended
        if self.record_seen is not None:
            self.record_seen(record.partition, record.offset, outputs)
        for run in home.state.runs.values():
            if run.run == getattr(fact, "run", ""):
                self.runs.holds(run)
        self._nothing_left_open(home)

    def _withdrawn(self, home: Home, fact: Any, *, begun: bool) -> None:
        """What its home knows to be withdrawn begins no more."""
        if isinstance(fact, StartWithdrawn) and home_of(fact.arn, len(self.homes)) == home.state.home:
            self.withdrawn.add(fact.request_id)
            self.recorded.setdefault(fact.request_id, home.state.offset)  # which answers what comes behind it
        begins = isinstance(fact, ExecutionRequested) and not begun and fact.arn in home.state.roots
        if begins and fact.request_id in self.withdrawn:
            self.world.violated(f"{fact.arn} begins, and the Task that asked for it waits no more")

    def attempted(self, request_id: str, call: str) -> None:
        """A user's request is sent under this id."""
        self.call_of[request_id] = call

    def _asked(self, record: Record, request_id: str, outputs: list[Any]) -> None:
        """A record of a user's request: something comes of one of them at most, however many there are."""
        self.recorded.setdefault(request_id, record.offset)
        if all(isinstance(output, RequestAnswered) or _handed_on(output) for output in outputs):
            return
        call = self.call_of[request_id]
        before = self.carried_out.setdefault(call, record.offset)
        if before != record.offset:
            self.world.violated(f"{call} is carried out at {before} and at {record.offset}")

    def _machine(self, record: Record) -> None:
        if record.value is not None:
            self.shown.add(_machines.decode(record.value).arn)

    def _digest(self, home: Home) -> bytes:
        """Of the state but for what has ended: that is asked for, wherever it is kept."""
        state = msgspec.structs.replace(home.state, ended={})
        return hashlib.blake2b(encode_state(state, self.interpreter), digest_size=8).digest()

    def _digest_ended(self, home: Home, arn: str) -> bytes:
        ended = home.ended(arn)
        data = b"" if ended is None else encode_ended(ended, self.interpreter)
        return hashlib.blake2b(data, digest_size=8).digest()

    def compare(self, fold: Home, who: str = "a scheduler") -> None:
        """A service's fold after a record: at the same offset, the same bytes, and the same is known to have ended."""
        expected = self.states[fold.state.home].get(fold.state.offset)
        if expected is not None and expected != self._digest(fold):
            self.world.violated(f"{who}'s fold of home {fold.state.home} differs at {fold.state.offset}")
        self._compare_ended(fold, who)

    def _compare_ended(self, fold: Home, who: str) -> None:
        """What had ended at an offset is known there, and nothing of what ended later."""
        at = self.ended_at[fold.state.home].get(fold.state.offset)
        for arn in () if at is None else self.requested:
            if at is not None and at.get(arn, self._nothing) != self._digest_ended(fold, arn):
                self.world.violated(f"{who} knows another end of {arn} at {fold.state.offset}")

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

    def _generation_began(self, home: Home, run: Run) -> None:
        """Nothing begins for an execution that is over."""
        root = home.state.roots.get(run.root_arn)
        if run.phase in {"open", "queued"} and (root is None or root.status != "RUNNING"):
            self.world.violated(f"generation {run.generation} of {run.run} begins, and {run.root_arn} is over")
        if self.generation_began is not None:
            self.generation_began(self.books[run.run])

    def _nothing_left_open(self, home: Home) -> None:
        """A Map Run, nested or not, is open only while its execution is."""
        for run in home.state.runs.values():
            if run.root_arn not in home.state.roots:
                self.world.violated(f"run {run.run} is open, and {run.root_arn} is over")

    def _root_changed(self, arn: str, root: Root) -> None:
        if root.status == "RUNNING":
            return
        end = root.status, root.output, root.error
        self.ended[arn] = end
        if self.ends.setdefault((arn, root.redrive_count), end) != end:
            self.world.violated(f"{arn} ended {self.ends[arn, root.redrive_count]} and then {end}")

    def _history_grew(self, output: HistoryGrew) -> None:
        history = self.histories.setdefault(output.arn, [])
        if output.first_id != len(history) + 1:
            self.world.violated(f"history of {output.arn} goes on at {output.first_id} after {len(history)}")
        history += output.events

    def _ask(self, record: Record) -> None:
        self.runs.asked(_asks.decode(record.value or b""))

    def _signal(self, record: Record) -> None:
        self.runs.signalled(record, _signals.decode(record.value or b""))

    def _items(self, record: Record) -> None:
        self.runs.items(record.partition, _frames.decode(record.value or b""))

    def _lane_journal(self, record: Record) -> None:
        self.truth[record.partition].apply(record)

    # ------------------------------------------------------------------ effects

    def key_derived(self, key: str, whose: tuple[str, int, int, str], generation: int) -> None:
        """A lane derived an effect's key: no two effects may share one."""
        if self.keys.setdefault(key, whose) != whose:
            self.world.violated(f"one effect key for {whose} and {self.keys[key]}")
        self.generations[key] = generation

    def child_started(self, key: str, request: TaskRequested, process: str) -> Whose:
        """A lane's owner starts an effect: no accepted record that it must know may hold its result. Says whose."""
        run_id, index, _, ref = self.keys[key]
        book = self.books[run_id]
        number = self.generations[key]
        whose = Whose(book.run.root_arn, run_id, index, number)
        generation = book.generations[number]
        before = generation.before.get(index)
        if before is not None and before.status == SUCCEEDED:
            self.world.violated(f"{process} runs {request.state} of {run_id}/{index}, which succeeded: {before}")
        if book.run.plan.child_type == "EXPRESS":
            return whose
        position = generation.position[index]
        told = (run_id, number, position, ref)
        job = job_of(request.resource)
        again = bool(request.token) or (job is not None and job.repeatable)
        if any(truth.forbids(told, process, again=again) for truth in self.truth):
            self.world.violated(
                f"{process} runs {request.state} of {run_id}/{index} again: its journal holds the result"
            )
        if position in generation.accepted:
            self.world.violated(f"{process} runs {request.state} of {run_id}/{index}: it has ended already")
        return whose

    def lane_seen(self, lane: Lane) -> None:
        """An owner after a turn: it began where the journal's valid records say."""
        expected = self.truth[lane.number].positions_at.get(lane.epoch)
        if lane.began != expected:
            self.world.violated(f"owner {lane.epoch} of lane {lane.number} began at {lane.began}, not at {expected}")
        for run in lane.runs.values():
            self._quota_kept(lane, run)

    def _quota_kept(self, lane: Lane, run: LaneRun) -> None:
        """No child starts on a lane that runs as many as its quota; those that ran there before go on."""
        name, number = run.key
        had = self.running.get((lane.number, lane.epoch, *run.key), frozenset())
        running = self.running[lane.number, lane.epoch, name, number] = frozenset(run.running)
        quota = self.books[name].generations[number].quota(lane.number, lane.signals_next)
        truth = self.truth[lane.number]
        if started_too_many(run, had, quota, lambda position: truth.ran_before(*run.key, position, lane.epoch)):
            self.world.violated(
                f"owner {lane.epoch} of lane {lane.number} runs {sorted(running)} of {name}, its quota is {quota}"
            )

    def root_started(self, key: str, request: TaskRequested, process: str) -> None:
        """The scheduler starts an effect of a root execution."""
        if (key, request.ref) in self.parent_told:
            self.world.violated(f"{process} runs {request.ref} of {key} again: home holds its result")

    # ------------------------------------------------------------------ the end

    def settled(self) -> bool:
        """True when everything that was asked for has ended and no run is open."""
        return all(not home.state.runs and not home.state.roots for home in self.homes) and all(
            any(arn in home.state.ended for home in self.homes) for arn in self.requested
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
