"""Records of the lanes: item frames, signals from the scheduler, and the journal of a lane's owner."""

import msgspec

from schemas.effects import AttemptNews, Happening, MapRunFailed, MapRunSucceeded
from schemas.plan import MapRunPlan
from schemas.wire import Fact, Part


class Cause(Part, frozen=True):
    """The home record an output follows from; of two values for one thing the one with the higher cause stands."""

    home: int
    offset: int
    n: int


class ItemFrame(Fact, frozen=True):
    """Consecutive positions of one window on the lane it was asked for. Identity of each: (run, generation, position).

    `items` are JSON texts: the raw items, or, when `built`, complete child inputs (batches). `item_first` is the index
    of the first item in the source (Map.Item.Index); `keys` the member names when an object is iterated; `counts` the
    items in each position, empty when one each; `source` is Map.Item.Source, or where it differs from item to item
    `sources` are (see `source_of`). An empty text is an item that can't be had any more: its position is refused.

    `indexes` are the children's indexes as flat (first, count, …) in position order; empty = each is its position, as
    in generation 0. When `redriven`, each item is the msgpack of a RedrivenChild.
    """

    run: str
    generation: int
    first: int
    items: tuple[bytes, ...]
    source: str
    item_first: int = 0
    keys: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    built: bool = False
    indexes: tuple[int, ...] = ()
    redriven: bool = False
    sources: tuple[str, ...] = ()

    def source_of(self, i: int) -> str:
        """Map.Item.Source of the item at place `i` of the frame."""
        return self.sources[i] if self.sources else self.source


class Place(Part, frozen=True):
    """Which child of a run, by its index, and the lane it runs on."""

    index: int
    lane: int


class RedrivenChild(Part, frozen=True):
    """A child that ended unsuccessfully and is to run again.

    `status` is how it ended; `history` the list of its events; `remains` the state it failed in (bytes of
    maprun.interpreter), empty when it starts from its beginning; `redrive_count` how often it was redriven before.
    `pages` are where the events of a long history stand, flat as in PagedHistory: then `history` is what its slot held.
    """

    status: int
    redrive_count: int
    history: msgspec.Raw
    remains: bytes
    pages: tuple[int, ...] = ()


class RunOpened(Fact, frozen=True):
    """A Map Run exists; acknowledged before its first items are asked for. Complete in itself.

    `plan` comes without items and reader; `definition` is that of the whole state machine.
    """

    cause: Cause
    run: str
    generation: int
    quota: int
    plan: MapRunPlan
    definition: bytes
    label: str
    root_arn: str
    map_run_arn: str
    machine_arn: str
    machine_name: str
    role_arn: str
    logging: bytes = b""  # the root execution's
    trace_header: str = ""  # likewise


class QuotaChanged(Fact, frozen=True):
    """How many children of the run this lane may run at once from now on."""

    cause: Cause
    run: str
    generation: int
    quota: int


class RunClosing(Fact, frozen=True):
    """Start no more children; answer what waits as returned, stop STANDARD children, let EXPRESS children end."""

    cause: Cause
    run: str
    generation: int


class RunClosed(Fact, frozen=True):
    """Everything of the run is answered; forget it."""

    cause: Cause
    run: str
    generation: int


class ChildStopRequested(Fact, frozen=True):
    """StopExecution of the child with this index."""

    cause: Cause
    run: str
    generation: int
    index: int
    error: str
    cause_text: str


class NestedRunEnded(Fact, frozen=True):
    """The Map Run that a child asked for under `ref` is over. Sent again whenever the child asks again."""

    cause: Cause
    run: str
    generation: int
    position: int
    ref: str
    outcome: MapRunSucceeded | MapRunFailed


class ChildCallbackReceived(Fact, frozen=True):
    """A callback for the child with this index, for its lane's owner to decide on; see `CallbackReceived`."""

    cause: Cause
    run: str
    generation: int
    index: int
    request_id: str
    callback: AttemptNews


class ChildHistoryAsked(Fact, frozen=True):
    """What has happened so far to the child with this index; see `ChildHistoryRequested`."""

    cause: Cause
    run: str
    generation: int
    index: int
    request_id: str


LaneSignal = (
    RunOpened
    | QuotaChanged
    | RunClosing
    | RunClosed
    | ChildStopRequested
    | NestedRunEnded
    | ChildCallbackReceived
    | ChildHistoryAsked
)


class Claimed(Fact, frozen=True):
    """A new owner takes the lane. Its epoch is this record's offset; `instance` is its name in logs.

    Made for the logs of another `cluster` it is no claim: its writer lives on from before topics were made anew.
    """

    instance: str
    cluster: str = ""


class Positions(Part, frozen=True):
    """Positions of one run: flat (first, count, first, count, …)."""

    run: str
    generation: int
    ranges: tuple[int, ...]


class ChildAdopted(Part, frozen=True):
    """A child whose frame the lane's position passes while it isn't finished: its input moves into the journal."""

    run: str
    generation: int
    position: int
    input: bytes
    items: int
    index: int
    redriven: bool = False  # `input` is the msgpack of a RedrivenChild


class ChildAdvanced(Part, frozen=True):
    """A fact of an unfinished STANDARD child's past: it began (`happening` None), or a happening reached it, at a time.

    Its whole past, repeated in this order at these times, brings back its state and its history.
    """

    run: str
    generation: int
    position: int
    at_ms: int
    happening: Happening | None


class RunOver(Part, frozen=True):
    """A generation of a run whose RunClosed was read."""

    run: str
    generation: int


class LaneAdvanced(Fact, frozen=True):
    """Progress of a lane under the claim `epoch`; not under the newest claim before it, it does not exist.

    `items` and `signals` are the positions to go on from: state and position in one record (rule 5). A child adopted
    again (its record is about to be deleted) is the same child.
    """

    epoch: int
    items: int
    signals: int
    finished: tuple[Positions, ...] = ()
    advanced: tuple[ChildAdvanced, ...] = ()
    adopted: tuple[ChildAdopted, ...] = ()
    forgotten: tuple[str, ...] = ()  # retired: names of runs that were over, when none had generations
    over: tuple[RunOver, ...] = ()


class LaneSnapshot(Fact, frozen=True):
    """One of `pieces` records, numbered from 0, that together say what all records before them say.

    They leave out the adopted children alone: those that are needed stand in records not older than the snapshot before
    this one. Pieces count under the claim `epoch`, like LaneAdvanced, and only once all of them are there.
    """

    epoch: int
    piece: int
    pieces: int
    items: int
    signals: int
    finished: tuple[Positions, ...]
    past: tuple[ChildAdvanced, ...]
    over: tuple[RunOver, ...]
    cluster: str = ""  # as in Claimed: claims before it may be deleted


JournalRecord = Claimed | LaneAdvanced | LaneSnapshot
