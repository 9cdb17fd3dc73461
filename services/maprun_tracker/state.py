"""What the tracker knows of one home partition: the fold, what it changed since the last flush, and small indexes."""

from bisect import insort
from collections import OrderedDict
from collections.abc import Iterator, Mapping

from maprun.mapruns.home import Home
from maprun.mapruns.run import Run
from maprun.mapruns.verdicts import item_counts
from maprun.mapruns.state import Root
from schemas.arns import run_tail
from services.maprun_tracker import rows
from services.maprun_tracker.blocks import Block, decode_block
from services.maprun_tracker.histories import RootHistory, page_of, pages_before
from services.maprun_tracker.limits import BLOCK_POSITIONS, TrackerLimits
from services.maprun_tracker.rows import Codec, RootRow, RunRow, Tolerance
from services.maprun_tracker.running import RunningChildren

BlockId = tuple[str, int]


class Partition:
    """One home partition. `stored` are the table's rows; what is not flushed yet is read before them.

    Everything a reader asks for comes from here and sees each record as soon as it is folded.
    """

    def __init__(
        self, number: int, home: Home, stored: Mapping[bytes, bytes], limits: TrackerLimits, running: RunningChildren
    ) -> None:
        self.number = number
        self.home = home
        self.stored = stored
        self.limits = limits
        self.running = running
        self.codec = Codec()
        self.blocks: OrderedDict[BlockId, Block] = OrderedDict()
        self.dirty_blocks: set[BlockId] = set()
        self.changed_runs: dict[str, Run] = {}
        self.changed_roots: dict[str, RootRow] = {}
        self.definitions: dict[bytes, bytes] = {}  # not stored yet
        self.digests: dict[str, bytes] = {}  # running execution or run → digest of its definition
        self.histories: dict[str, RootHistory] = {}
        self.status_of: dict[str, str] = {}  # root execution → status
        self.created_at: dict[str, int] = {}  # root execution → offset of its acceptance
        self.roots_of: dict[str, list[tuple[int, str]]] = {}  # machine → (started ms, root execution), ascending
        self.run_of_tail: dict[str, str] = {}
        self.unreadable = 0
        self.mark_offset = -1

    @property
    def offset(self) -> int:
        """The last offset of home that was folded."""
        return self.home.state.offset

    # ------------------------------------------------------------------ indexes

    def know_root(self, row: RootRow) -> None:
        """Takes a root execution into the indexes."""
        if row.arn not in self.created_at:
            self.created_at[row.arn] = row.created
            insort(self.roots_of.setdefault(row.machine_arn, []), (row.started_ms, row.arn))
        self.status_of[row.arn] = row.status

    def know_run(self, run: str) -> None:
        """Takes a Map Run into the indexes."""
        self.run_of_tail[run_tail(run)] = run

    # ------------------------------------------------------------------ readers

    def root(self, arn: str) -> RootRow | None:
        """A root execution."""
        changed = self.changed_roots.get(arn)
        if changed is not None:
            return changed
        row = self.stored.get(rows.root_key(self.number, arn)) if arn in self.created_at else None
        return None if row is None else self.codec.root(row)

    def run(self, run: str) -> RunRow | None:
        """A Map Run; of one that goes on, the counts as of the last record."""
        live = self.home.state.runs.get(run) or self.changed_runs.get(run)
        if live is not None:
            return self.run_row(live)
        row = self.stored.get(rows.run_key(self.number, run)) if run_tail(run) in self.run_of_tail else None
        return None if row is None else self.codec.run(row)

    def definition(self, digest: bytes) -> bytes:
        """The text of a definition some execution was started with."""
        pending = self.definitions.get(digest)
        if pending is not None:
            return pending
        return self.codec.definition(self.stored[rows.definition_key(self.number, digest)])

    def status(self, run: str, position: int) -> int:
        """How a child ended; 0 = it did not, so far."""
        block = self.block(run, position // BLOCK_POSITIONS)
        return 0 if block is None else block.status(position % BLOCK_POSITIONS)

    def history_page(self, row: RootRow, page: int) -> list[bytes]:
        """The events of a page of a root execution's history, as msgpack."""
        history = self.histories.get(row.arn)
        pending = None if history is None else history.dirty.get(page)
        if pending is not None:
            return pending
        events = self.codec.page(self.stored[rows.history_key(self.number, row.arn, page)])
        firsts = row.pages
        end = firsts[page + 1] if page + 1 < len(firsts) else row.events + 1
        return events[: end - firsts[page]]

    def block(self, run: str, number: int) -> Block | None:
        """An index block, None when no child in it was answered."""
        key = (run, number)
        block = self.blocks.get(key)
        if block is not None:
            self.blocks.move_to_end(key)
            return block
        row = self.stored.get(rows.block_key(self.number, run, number))
        if row is None:
            return None
        block = self.blocks[key] = decode_block(row, self.codec)
        self.shrink()
        return block

    # ------------------------------------------------------------------ for the handlers

    def own_block(self, key: BlockId) -> Block:
        """An index block to write into."""
        self.dirty_blocks.add(key)  # before it is read: else it could be the one that is forgotten to make room
        block = self.block(*key)
        if block is None:
            block = self.blocks[key] = Block()
        return block

    def shrink(self) -> None:
        """Forgets the decoded blocks used longest ago, unless they hold what is not flushed."""
        excess = len(self.blocks) - self.limits.blocks_decoded_max
        if excess > 0:
            for key in [key for key in self.blocks if key not in self.dirty_blocks][:excess]:
                del self.blocks[key]

    def history(self, arn: str, first_id: int) -> RootHistory:
        """The history that the event `first_id` is to be added to."""
        history = self.histories.get(arn)
        if history is None:
            firsts: list[int] = []
            tail: list[bytes] = []
            row = self.root(arn) if first_id > 1 else None
            if row is not None:
                firsts = pages_before(row.pages, first_id)
                last = page_of(firsts, first_id - 1)
                tail = self.codec.page(self.stored[rows.history_key(self.number, arn, last)])
            history = self.histories[arn] = RootHistory(firsts, tail, self.limits.history_page_bytes_max)
        return history

    def keep_definition(self, owner: str, definition: bytes) -> bytes:
        """Sees to it that the definition of an execution or run is stored; its digest."""
        known = self.digests.get(owner)
        if known is not None:
            return known
        digest = self.digests[owner] = rows.definition_digest(definition)
        row = self.stored.get(rows.definition_key(self.number, digest))
        if row is None or rows.ENVELOPE.unpack_from(row)[0] > self.mark_offset:  # ahead of the mark: written again
            self.definitions[digest] = definition
        return digest

    def run_row(self, run: Run) -> RunRow:
        """The row of a Map Run as it stands."""
        items, executions = item_counts(run, 0, 0)
        plan, verdict = run.plan, run.verdict
        return RunRow(
            run=run.run,
            arn=run.arn,
            label=run.label,
            state=plan.state,
            root_arn=run.root_arn,
            machine_arn=run.machine_arn,
            machine_name=run.machine_name,
            role_arn=run.role_arn,
            definition=self.keep_definition(run.run, run.definition),
            child_type=plan.child_type,
            max_concurrency=plan.max_concurrency,
            tolerance=Tolerance(plan.tolerated_failure_count or 0, plan.tolerated_failure_percentage or 0.0),
            generation=run.generation,
            status="RUNNING" if run.phase != "closed" or verdict is None else verdict.status,
            started_ms=run.started_ms,
            stopped_ms=run.stopped_ms,
            asked=run.asked,
            item_counts=items,
            execution_counts=executions,
        )

    def root_row(self, arn: str, root: Root) -> RootRow:
        """The row of a root execution as it stands."""
        request = root.request
        history = self.histories.get(arn)
        return RootRow(
            arn=arn,
            name=request.name,
            request_id=request.request_id,
            created=self.created_at.get(arn, self.offset),
            machine_arn=request.machine_arn,
            machine_name=request.machine_name,
            role_arn=request.role_arn,
            revision_id=request.revision_id,
            definition=self.keep_definition(arn, request.definition),
            trace_header=request.trace_header,
            status=root.status,
            started_ms=root.started_ms,
            stopped_ms=root.stopped_ms,
            input=request.input,
            output=root.output,
            error=root.error,
            cause=root.cause,
            runs=tuple(root.all_runs),
            events=root.events,
            pages=tuple(history.firsts) if history is not None else self._pages(arn),
        )

    def _pages(self, arn: str) -> tuple[int, ...]:
        row = self.root(arn)
        return row.pages if row is not None else ()

    def newest_roots(self, machine_arn: str, below: tuple[int, str] | None) -> Iterator[tuple[int, str]]:
        """(started ms, ARN) of a machine's executions, newest first, from below a place on."""
        for key in reversed(self.roots_of.get(machine_arn, [])):
            if below is None or key < below:
                yield key
