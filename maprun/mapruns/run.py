"""One Map Run as the fold of home knows it: windows, credit, answers, tolerance and how it closes."""

from typing import Literal

import msgspec

from maprun.mapruns.intervals import Intervals
from maprun.mapruns.ledger import Piece, accept, tally
from maprun.mapruns.limits import MapRunLimits
from schemas.asks import RedriveStage
from schemas.home import ABORTED, FAILED, REJECTED, RETURNED, SUCCEEDED, TIMED_OUT, ChildrenEnded, ItemsRead
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
    asked: int = 0  # next position to ask for
    read: int = 0  # positions below this were read
    total: int | None = None  # positions in the source, once known
    items_read: int = 0
    bytes_read: int = 0
    windows: list[tuple[int, int, int]] = []  # (first, count, lane) not read yet, ascending
    asked_of: dict[int, int] = {}  # lane → positions asked for
    answered_of: dict[int, int] = {}  # lane → positions answered
    answered: Intervals = msgspec.field(default_factory=Intervals)
    counts: dict[int, Tally] = {}
    outputs: dict[int, bytes] = {}  # position → output, while the result fits its limit
    outputs_bytes: int = 2
    outputs_kept: bool = True
    files: list[ResultFile] = []
    manifest_key: str = ""
    answered_offset: int = -1  # of the record after which no entry counts any more; -1 while they do
    # ---- what earlier generations left
    stages: tuple[RedriveStage, ...] = ()
    index_first: int = 0  # child index of the first position behind the stages
    source_over: bool = False  # the source has nothing behind the stages
    source_items: int = 0  # items read of the source, in all generations
    succeeded_before: Tally = msgspec.field(default_factory=Tally)
    carried: dict[int, Tally] = {}  # unsuccessful children that this generation hasn't read, by how they ended
    redriven_read: Tally = msgspec.field(default_factory=Tally)  # of those, that ended unsuccessfully: read by now
    redriven_done: Tally = msgspec.field(default_factory=Tally)  # and answered again
    succeeded_files: list[tuple[str, int]] = []  # (key, bytes) of earlier generations
    unwritten: tuple[RedriveStage, ...] = ()  # generations whose successes stand in no file (writing them failed)

    @property
    def lost(self) -> int:
        """Positions of children that ended unsuccessfully in an earlier generation: the first ones."""
        return sum(stage.count for stage in self.stages if stage.lost)

    @property
    def staged(self) -> int:
        """Positions of all children of earlier generations."""
        return sum(stage.count for stage in self.stages)

    @property
    def writes_results(self) -> bool:
        """True if results go to S3."""
        return self.plan.writer is not None and bool(self.plan.writer.bucket)

    @property
    def listing(self) -> bool:
        """True if the source is an object listing, which can't be pinned."""
        return self.plan.reader is not None and self.plan.reader.resource.endswith(":listObjectsV2")

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


def next_windows(run: Run, limits: MapRunLimits) -> list[tuple[int, int, int]]:
    """Asks for as much as the lanes' credit allows and returns the new windows (first, count, lane).

    Credit of a lane = quota + prefetch - outstanding: a difference of two sets, so it can't drift. A lane is asked
    for nothing until a quarter of its room is free: many small asks would cost more than they bring.
    An item stays on its lane, so windows and prefetch follow the quota: what one lane still has to run when the others
    are done is bounded by `prefetch_quotas_max` rounds of children. The first round fills quotas alone, so that few
    items are spread over all lanes.
    """
    if run.phase != "open" or run.total is not None or run.unpinned:
        return []
    ahead = prefetch(run, limits)
    room = []
    for lane, quota in zip(run.lanes, run.quotas, strict=True):
        cap = quota + min(ahead, max(limits.prefetch_items_min, quota * limits.prefetch_quotas_max))
        free = cap - run.outstanding(lane)
        if free * 4 >= cap:
            room.append([lane, free, quota])
    windows: list[tuple[int, int, int]] = []
    first = not run.asked
    while room and len(windows) < limits.windows_per_ask_max:
        for entry in room:
            lane, free, quota = entry
            if first:
                size = min(limits.window_items_first, max(1, quota))
            else:
                # Windows grow with what the run has shown to hold: few items are spread over all lanes.
                rounds = min(limits.window_quotas_max, max(1, run.asked // run.concurrency))
                size = min(limits.window_items_max, max(1, quota * rounds))
            count = min(size, free)
            windows.append((run.asked, count, lane))
            run.asked += count
            run.asked_of[lane] = run.asked_of.get(lane, 0) + count
            entry[1] -= count
        room = [entry for entry in room if entry[1] > 0]
        first = False
    run.windows.extend(windows)
    return windows


def items_read(run: Run, record: ItemsRead) -> list[tuple[int, int, int]] | None:
    """Accepts an ItemsRead that begins where the last one ended: its parts by window, or None when it doesn't count."""
    end = record.first + record.count
    if run.phase != "open" or record.generation != run.generation or record.first != run.read or end > run.asked:
        return None
    parts: list[tuple[int, int, int]] = []
    while run.windows and run.windows[0][0] < end:
        first, count, lane = run.windows.pop(0)
        if first + count > end:
            run.windows.insert(0, (end, first + count - end, lane))
            count = end - first
        parts.append((first, count, lane))
    run.read = end
    run.items_read += record.items
    run.bytes_read += record.item_bytes
    run.checkpoint = record.checkpoint
    return parts


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
    run.answered_of[frame.lane] = run.answered_of.get(frame.lane, 0) + new
    return pieces


def close(run: Run, verdict: Verdict) -> bool:
    """The run begins to close, with this verdict unless it had one. True if that is new."""
    if run.phase != "open":
        return False
    run.phase = "closing"
    run.verdict = verdict
    return True


def judge(run: Run, frame: ChildrenEnded | None = None) -> Verdict | None:
    """The verdict that the counts demand now, if any; `frame` is the record that brought them."""
    if run.phase != "open":
        return None
    if run.counts.get(REJECTED) and frame is not None:
        return Verdict("FAILED", frame.error, frame.cause)
    if _tolerance_exceeded(run):
        return Verdict("FAILED", TOLERANCE_EXCEEDED, TOLERANCE_CAUSE)
    if run.total is not None and run.answered.covers(0, run.total):
        return Verdict("SUCCEEDED")
    return None


def _tolerance_exceeded(run: Run) -> bool:
    """AWS's rule; "not given" is not zero: with neither given the first failure fails the run.

    A percentage strictly between 0 and 100 can be judged only once the total is known.
    """
    failed = run.count(FAILED).items + run.count(TIMED_OUT).items
    count, percentage = run.plan.tolerated_failure_count, run.plan.tolerated_failure_percentage
    if not failed:
        return False
    if count is None and percentage is None:
        return True
    if count is not None and failed > count:
        return True
    if percentage is None or percentage >= 100:  # noqa: PLR2004 - per cent
        return False
    if percentage <= 0:
        return count is None
    return run.total is not None and failed * 100 > percentage * run.items_read


def all_answered(run: Run) -> bool:
    """True when nothing that was published is owed an answer: then a closing run is over."""
    if run.total is not None and run.verdict is not None and run.verdict.status == "SUCCEEDED":
        return run.answered.covers(0, run.total)
    return run.answered.covers(0, run.read)


def item_counts(run: Run, running: int, running_items: int) -> tuple[dict[str, int], dict[str, int]]:
    """DescribeMapRun's itemCounts and executionCounts; `running` is what the lanes last told.

    Returned children never ran: they stay pending, as on AWS.
    """
    out: list[dict[str, int]] = []
    for items in (True, False):
        done = {s: (run.count(s).items if items else run.count(s).children) for s in range(SUCCEEDED, REJECTED + 1)}
        ended = sum(done[s] for s in (SUCCEEDED, FAILED, TIMED_OUT, ABORTED))
        total = max(run.items_read if items else run.read, ended + done[RETURNED] + done[REJECTED])
        active = min(running_items if items else running, total - ended - done[RETURNED] - done[REJECTED])
        written = total if run.phase == "closed" else 0
        out.append(
            {
                "pending": total - ended - active,
                "running": active,
                "succeeded": done[SUCCEEDED],
                "failed": done[FAILED],
                "timedOut": done[TIMED_OUT],
                "aborted": done[ABORTED],
                "total": total,
                "resultsWritten": written,
                "failuresNotRedrivable": 0,
                "pendingRedrive": 0,
            }
        )
    return out[0], out[1]
