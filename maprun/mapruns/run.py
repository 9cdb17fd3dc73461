"""One Map Run as the fold of home knows it: windows, credit, answers, tolerance and how it closes."""

from typing import Literal

import msgspec

from maprun.integrations.resources import READ_LISTING, parse_resource
from maprun.mapruns.intervals import Intervals
from maprun.mapruns.ledger import Piece, accept, below, tally
from maprun.mapruns.limits import QUOTAS_FIRST, MapRunLimits
from maprun.mapruns.speed import Speed
from schemas.asks import RedriveStage
from schemas.effects import MapRunFailed, MapRunSucceeded
from schemas.home import RETURNED, ChildrenEnded, ItemsRead
from schemas.plan import MapRunPlan

Phase = Literal["queued", "open", "closing", "writing", "closed"]
TOLERANCE_EXCEEDED = "States.ExceedToleratedFailureThreshold"
TOLERANCE_CAUSE = "The specified tolerated failure threshold was exceeded"


class Verdict(msgspec.Struct, frozen=True):
    """How a run ends, decided once: by the order on home, the first reason stands."""

    status: Literal["SUCCEEDED", "FAILED", "ABORTED"]
    error: str = ""
    cause: str = ""


class ResultFile(msgspec.Struct):
    """What home knows of one result file: the upload that won and the parts that are in S3."""

    status: str
    file: int
    upload_id: str
    parts: dict[int, tuple[str, int]] = {}  # part → (etag, bytes)


class Tally(msgspec.Struct):
    """Children and items of one status."""

    children: int = 0
    items: int = 0


class ParentChild(msgspec.Struct, frozen=True):
    """The child execution that a nested Map Run belongs to."""

    run: str
    generation: int
    position: int
    index: int
    lane: int


class NestedOutcome(msgspec.Struct, frozen=True):
    """How a nested run ended, for the child that waits for it under `ref` and may ask again."""

    position: int
    ref: str
    outcome: MapRunSucceeded | MapRunFailed


class Run(msgspec.Struct, kw_only=True):
    """The whole state of one Map Run in the fold. Positions count children; items are what the source holds.

    What counts positions belongs to the present generation (0, and one more with each redrive). Of a redrive the first
    positions are the children of `stages`, those behind them are what the source still holds.
    """

    run: str
    arn: str
    label: str
    root_arn: str
    execution_arn: str  # the execution that asked for it: the root, or a child of another run
    ref: str  # the parent's effect that asked for it
    plan: MapRunPlan
    definition: bytes
    machine_arn: str
    machine_name: str
    role_arn: str
    started_ms: int
    started_offset: int
    concurrency: int
    lanes: tuple[int, ...]
    quotas: tuple[int, ...]  # beside `lanes`; 0 = nothing may start there
    parent: ParentChild | None = None  # of a nested run
    generation: int = 0  # AWS's redriveCount
    generation_offset: int = 0  # of the record that began it
    redriven_ms: int = 0
    phase: Phase = "open"
    verdict: Verdict | None = None
    stopped_ms: int = 0
    pin: bytes = b""
    checkpoint: bytes = b""
    source_broken: bool = False  # nothing more will be read of it in this generation
    asked: int = 0  # next position to ask for
    read: int = 0  # positions below this were read
    total: int | None = None  # positions in the source, once known
    items_read: int = 0
    bytes_read: int = 0
    windows: list[tuple[int, int, int]] = []  # (first, count, lane) not read yet, ascending
    asked_of: dict[int, int] = {}  # lane → positions asked for
    answered_of: dict[int, int] = {}  # lane → positions answered
    speed: Speed = msgspec.field(default_factory=Speed)
    answered: Intervals = msgspec.field(default_factory=Intervals)
    counts: dict[int, Tally] = {}
    outputs: dict[int, bytes] = {}  # child index → output, while the result fits its limit
    outputs_bytes: int = 2
    outputs_kept: bool = True
    files: list[ResultFile] = []
    manifest_key: str = ""
    answered_offset: int = -1  # of the record after which no entry counts any more; -1 while they do
    redrive_due: int = 0  # the generation that was asked for while the run was still closing
    nested: dict[int, list[str]] = {}  # position → runs that its child asked for, until it is answered
    outcomes: dict[str, NestedOutcome] = {}  # of those that are over, by run id
    # ---- what earlier generations left
    stages: tuple[RedriveStage, ...] = ()
    index_first: int = 0  # child index of the first position behind the stages
    source_over: bool = False  # the source has nothing behind the stages
    source_items: int = 0  # items read of the source, in all generations
    source_share: float = 0.0  # how much of the source that is, from 0 to 1; 0 = not known. For people
    succeeded_before: Tally = msgspec.field(default_factory=Tally)
    carried: dict[int, Tally] = {}  # unsuccessful children that this generation hasn't read, by how they ended
    redriven_read: Tally = msgspec.field(default_factory=Tally)  # of those, that ended unsuccessfully: read by now
    redriven_done: Tally = msgspec.field(default_factory=Tally)  # and answered again
    succeeded_files: list[tuple[str, int]] = []  # (key, bytes) of earlier generations
    unwritten: tuple[RedriveStage, ...] = ()  # generations whose successes stand in no file (writing them failed)
    logging: bytes = b""  # the root execution's
    # ---- of a generation that runs chosen children alone
    chosen: bytes = b""  # their indexes, as bytes of a ChildSet; empty = everything runs
    aside: tuple[RedriveStage, ...] = ()  # what else a redrive would run
    carried_aside: dict[int, Tally] = {}  # the children of it, by how they ended

    @property
    def lost(self) -> int:
        """Positions of children that ended unsuccessfully in an earlier generation: the first ones."""
        return sum(stage.count for stage in self.stages if stage.lost)

    @property
    def staged(self) -> int:
        """Positions of all children of earlier generations."""
        return sum(stage.count for stage in self.stages)

    @property
    def answers_first(self) -> int:
        """Where on home the answers of this generation begin, at the earliest; the record that began it is no answer.

        It may be the last answer of the generation before, when the redrive was asked for while that one closed.
        """
        return self.generation_offset + 1 if self.generation else 0

    @property
    def writes_results(self) -> bool:
        """True if results go to S3."""
        return self.plan.writer is not None and bool(self.plan.writer.bucket)

    @property
    def listing(self) -> bool:
        """True if the source is an object listing, which can't be pinned."""
        return self.plan.reader is not None and parse_resource(self.plan.reader.resource) == READ_LISTING

    @property
    def unpinned(self) -> bool:
        """True while the source is an object whose version isn't pinned yet: nothing may be read of it."""
        return self.plan.reader is not None and not self.listing and not self.pin

    def count(self, status: int) -> Tally:
        """Children and items that ended so."""
        return self.counts.get(status) or Tally()

    def outstanding(self, lane: int) -> int:
        """Positions of a lane that were asked for and not answered. Those at or past the total are void."""
        return self.asked_of.get(lane, 0) - self.answered_of.get(lane, 0)


def lanes_owing(run: Run) -> set[int]:
    """Lanes that owe answers. What was asked for at or past the total is void."""
    void: dict[int, int] = {}
    if run.total is not None:
        for first, count, lane in run.windows:  # of a redrive the total is known before anything is read
            void[lane] = void.get(lane, 0) + min(count, max(0, first + count - run.total))
    return {lane for lane in run.asked_of if run.outstanding(lane) > void.get(lane, 0)}


def lanes_without_quota_owe(run: Run) -> bool:
    """True while a lane without quota owes answers: nothing is asked for until a unit of quota came by."""
    return 0 in run.quotas and any(
        not quota and lane in run.asked_of and lane in lanes_owing(run)
        for lane, quota in zip(run.lanes, run.quotas, strict=True)
    )


def split_quota(concurrency: int, lanes: int, shift: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The lanes a run uses and their quotas, which sum to `concurrency` exactly; a lane without quota is not used.

    `shift` spreads the first lanes of small runs over all lanes.
    """
    used = min(concurrency, lanes)
    numbers = tuple(sorted((shift + i) % lanes for i in range(used)))
    return numbers, tuple(concurrency // used + (i < concurrency % used) for i in range(used))


def prefetch(run: Run, limits: MapRunLimits) -> int:
    """How many positions past its quota a lane may be asked for: bounded by count and by bytes."""
    if not run.read:
        return limits.prefetch_items_first
    size = max(1, run.bytes_read // run.read)
    return max(limits.prefetch_items_min, min(limits.prefetch_items_max, limits.prefetch_bytes_max // size))


def ahead(run: Run, quota: int, limits: MapRunLimits) -> int:
    """How many positions a lane with this quota ends in the time that items are asked for ahead; bounded by bytes."""
    size = max(1, run.bytes_read // run.read) if run.read else limits.prefetch_bytes_max
    most = min(limits.ahead_items_max, limits.prefetch_bytes_max // size)
    return min(most, run.speed.per_second * limits.ahead_ms * quota // (1000 * run.concurrency))


def next_windows(run: Run, limits: MapRunLimits) -> list[tuple[int, int, int]]:
    """Asks for as much as the lanes' credit allows and returns the new windows (first, count, lane).

    Credit of a lane = quota + prefetch - outstanding: a difference of two sets, so it can't drift. A lane is asked
    for nothing until a quarter of its room, or half of its prefetch, is free: many small asks would cost more than they
    bring, and yet its quota must never wait for items.
    An item stays on its lane, so windows and prefetch follow the quota: what one lane still has to run when the others
    are done is bounded by `prefetch_quotas_max` rounds of children, or by `ahead_ms` of its time when children end so
    fast that more rounds pass in it. Quotas are filled before anything is asked for ahead: as many items as may run at
    once all run at once, for those asked for ahead wait on their lane though another one has room.
    """
    if run.phase != "open" or run.unpinned or lanes_without_quota_owe(run):
        return []
    left = (run.total - run.asked) if run.total is not None else None  # the total of a redrive may be known at once
    if left is not None and left <= 0:
        return []
    further = prefetch(run, limits)
    room = []
    for lane, quota in zip(run.lanes, run.quotas, strict=True):
        if not quota:
            continue
        rounds_ahead = min(further, max(limits.prefetch_items_min, quota * limits.prefetch_quotas_max))
        in_time = ahead(run, quota, limits)
        cap = quota + max(rounds_ahead, in_time)
        free = cap - run.outstanding(lane)
        if free * 4 >= cap or free * 2 >= cap - quota:
            short = quota - run.asked_of.get(lane, 0) if limits.rules >= QUOTAS_FIRST else 0
            room.append([lane, free, max(quota, in_time // limits.windows_ahead), short])
    windows: list[tuple[int, int, int]] = []
    first = not run.asked
    while room and len(windows) < limits.windows_per_ask_max:
        for entry in room:
            lane, free, least, short = entry
            if first:
                size = min(limits.window_items_first, max(1, least))
            else:
                # Windows grow with what the run has shown to hold: few items are spread over all lanes.
                rounds = min(limits.window_quotas_max, max(1, run.asked // run.concurrency))
                size = min(limits.window_items_max, max(1, least * rounds))
            if short > 0:
                size = min(size, short)  # no window passes a quota while others are not filled yet
            count = min(size, free) if left is None else min(size, free, left)
            if not count:
                break
            if left is not None:
                left -= count
            windows.append((run.asked, count, lane))
            run.asked += count
            run.asked_of[lane] = run.asked_of.get(lane, 0) + count
            entry[1] -= count
            entry[3] -= count
        room = [entry for entry in room if entry[1] > 0] if left is None or left else []
        first = False
    run.windows.extend(windows)
    return windows


def items_read(run: Run, record: ItemsRead) -> list[tuple[int, int, int]] | None:
    """Accepts an ItemsRead that begins where the last one ended: its parts by window, or None when it doesn't count."""
    end = record.first + record.count
    if record.generation != run.generation or record.first != run.read or end > run.asked:
        return None
    if run.phase != "open" and not (run.phase == "closing" and awaits_reading(run)):
        return None
    parts: list[tuple[int, int, int]] = []
    while run.windows and run.windows[0][0] < end:
        first, count, lane = run.windows.pop(0)
        if first + count > end:
            run.windows.insert(0, (end, first + count - end, lane))
            count = end - first
        parts.append((first, count, lane))
    if record.first >= run.staged:
        run.source_items += record.items
        run.source_share = max(run.source_share, min(1.0, record.share))
        run.checkpoint = record.checkpoint
    else:
        _staged_read(run, record)
    run.read = end
    run.items_read += record.items
    run.bytes_read += record.item_bytes
    return parts


def awaits_reading(run: Run) -> bool:
    """True while positions that were asked for may have been published before home knows that they were read.

    Of what can't be pinned nothing is published before home accepted it.
    """
    if not run.windows or run.source_broken:
        return False
    first = run.windows[0][0]
    return (run.total is None or first < run.total) and (first < run.staged or not run.listing)


def _staged_read(run: Run, record: ItemsRead) -> None:
    """Children of earlier generations were read: they are carried no longer."""
    if not record.redriven:
        take_off(run.carried, RETURNED, record.count, record.items)
    numbers = iter(record.redriven)
    for status, children, items in zip(numbers, numbers, numbers, strict=True):
        take_off(run.carried, status, children, items)
        run.redriven_read.children += children
        run.redriven_read.items += items


def take_off(carried: dict[int, Tally], status: int, children: int, items: int) -> None:
    """So many are carried no longer."""
    had = carried.setdefault(status, Tally())
    had.children = max(0, had.children - children)
    had.items = max(0, had.items - items)


def children_ended(run: Run, frame: ChildrenEnded) -> list[Piece]:
    """Accepts the entries of a frame that answer for the first time; counts them."""
    if run.phase not in ("open", "closing") or frame.generation != run.generation:
        return []
    pieces = accept(run.answered, run.asked, frame.ranges)
    for status, (children, items) in tally(frame, pieces).items():
        had = run.counts.setdefault(status, Tally())
        had.children += children
        had.items += items
    new = sum(piece.count for piece in pieces)
    if run.lost:
        for children, items in tally(frame, below(pieces, run.lost)).values():
            run.redriven_done.children += children
            run.redriven_done.items += items
    run.answered_of[frame.lane] = run.answered_of.get(frame.lane, 0) + new
    return pieces


def close(run: Run, verdict: Verdict) -> bool:
    """The run begins to close, with this verdict unless it had one. True if that is new."""
    if run.phase != "open":
        return False
    run.phase = "closing"
    run.verdict = verdict
    return True
