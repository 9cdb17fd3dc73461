"""What the tracker knows of one home partition: the fold, what it changed since the last flush, and small indexes."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from heapq import merge

from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.state import Root
from maprun.mapruns.run import Run
from maprun.mapruns.verdicts import item_counts
from schemas.arns import run_tail
from schemas.home import alias_arn_of, version_arn_of
from schemas.machines import MachineWritten, remembered
from schemas.pages import Pages
from services.maprun_tracker import rows
from services.maprun_tracker.archive import ArchivedExecution, EndedExecutions
from services.maprun_tracker.blocks import Block, decode_block
from services.maprun_tracker.fold_waits import Waits
from services.maprun_tracker.history_pages import RootHistory, page_of, pages_before
from services.maprun_tracker.indexes import Indexes
from services.maprun_tracker.limits import BLOCK_POSITIONS, TrackerLimits
from services.maprun_tracker.lines import Lines
from services.maprun_tracker.machine_definitions import MachineDefinitions
from services.maprun_tracker.rows import Codec, RootRow, RunRow, Tolerance
from services.maprun_tracker.running import RunningChildren

BlockId = tuple[str, int]


class Partition:
    """One home partition. `stored` are the table's rows; what is not flushed yet is read before them.

    The table holds what is open, and what has ended until it is archived. Everything a reader asks for comes from here
    and sees each record as soon as it is folded.
    """

    def __init__(
        self,
        number: int,
        home: Home,
        archive: EndedExecutions,
        stored: Mapping[bytes, bytes],
        limits: TrackerLimits,
        running: RunningChildren,
    ) -> None:
        self.number = number
        self.home = home
        self.archive = archive
        self.stored = stored
        self.limits = limits
        self.running = running
        self.waits = Waits()
        self.lines = Lines()
        self.codec = Codec()
        self.pages = Pages()
        self.index = Indexes()
        self.machines = MachineDefinitions()
        self.blocks: OrderedDict[BlockId, Block] = OrderedDict()
        self.dirty_blocks: set[BlockId] = set()
        self.changed_runs: dict[str, Run] = {}
        self.changed_roots: dict[str, RootRow] = {}
        self.definitions: dict[bytes, bytes] = {}  # not stored yet
        self.digests: dict[str, bytes] = {}  # running execution or run → digest of its definition
        self.histories: dict[str, RootHistory] = {}
        self.fetched: dict[bytes, bytes] = {}  # rows that came back from the archive, not flushed yet
        self.gone: dict[bytes, None] = {}  # keys of rows that the next marks leave out, in order
        self.rows_to_delete: set[bytes] = set()  # keys of rows that are in no sum any more, but not deleted yet
        self.mark_offset = -1

    @property
    def offset(self) -> int:
        """The last offset of home that was folded."""
        return self.home.offset

    # ------------------------------------------------------------------ readers

    def row(self, key: bytes) -> bytes | None:
        """A row of the table; None when there is none, or one that only waits to be deleted."""
        fetched = self.fetched.get(key)
        if fetched is not None:
            return fetched
        return None if key in self.rows_to_delete or key in self.gone else self.stored.get(key)

    def root(self, arn: str) -> RootRow | None:
        """A root execution."""
        changed = self.changed_roots.get(arn)
        if changed is not None:
            return changed
        row = self._row_of(arn, rows.root_key(self.number, arn))
        return None if row is None else self.codec.root(row)

    def run(self, run: str) -> RunRow | None:
        """A Map Run; of one that goes on, the counts as of the last record."""
        live = self.home.state.runs.get(run) or self.changed_runs.get(run)
        if live is not None:
            return self.run_row(live)
        row = self._row_of_run(run, rows.run_key(self.number, run))
        return None if row is None else self.codec.run(row)

    def archived(self, arn: str) -> ArchivedExecution | None:
        """A root execution that is in the archive and nowhere else, as long as it is remembered."""
        if self.index.has_root(arn):
            return None
        found = self.archive.newest(arn, self.offset + 1)
        return found if found is not None and self._remembered(found.stopped_ms) else None

    def _remembered(self, stopped_ms: int) -> bool:
        return not self.home.forgotten(stopped_ms)

    def _row_of(self, arn: str, key: bytes) -> bytes | None:
        """A row of a root execution, wherever it is."""
        if self.index.has_root(arn):
            return self.row(key)
        found = self.archived(arn)
        return None if found is None else self.archive.row(found, key)

    def _row_of_run(self, run: str, key: bytes) -> bytes | None:
        """A row of a Map Run, wherever it is."""
        if self.index.has_run(run):
            return self.row(key)
        archived, arn = self.archive.run_of_tail(run_tail(run))
        return self._row_of(arn, key) if archived == run else None

    def block_row(self, run: str, number: int) -> bytes | None:
        """The row of an index block, None when no child in it was answered."""
        return self._row_of_run(run, rows.block_key(self.number, run, number))

    def run_of_tail(self, tail: str) -> str:
        """The Map Run whose children have this in their names; empty when there is none."""
        return self.index.run_of_tail(tail) or self.archive.run_of_tail(tail)[0]

    def runs_of_child(self, arn: str) -> list[str]:
        """The nested Map Runs of a child execution, in the order they started."""
        found = self.index.runs_of_child(arn)
        return found or [run for run, root in self.archive.runs_of_child(arn) if self.archived(root) is not None]

    def newest_roots(
        self, machine_arn: str, below: tuple[int, str] | None, status: str | None, redriven: bool | None
    ) -> Iterator[tuple[int, str]]:
        """(started ms, ARN) of executions with this status, newest first, from below a place on.

        `machine_arn` is that of their machine, version or alias.
        """
        index = self.index
        here = (
            (started_ms, arn)
            for started_ms, arn in index.newest_roots(machine_arn, below)
            if status in {None, index.status_of(arn)} and redriven in {None, index.redriven(arn)}
        )
        archived = (
            (one.started_ms, one.arn)
            for one in self.archive.listed(machine_arn, below, status or "")
            if redriven in {None, one.redriven} and not index.has_root(one.arn) and self._remembered(one.stopped_ms)
        )
        return merge(here, archived, reverse=True)

    def definition(self, digest: bytes) -> bytes:
        """The text of a definition some execution was started with."""
        pending = self.definitions.get(digest)
        if pending is not None:
            return pending
        row = self.row(rows.definition_key(self.number, digest))
        if row is not None:
            return self.codec.definition(row)
        packed = self.archive.definition(digest)
        if packed is None:
            raise KeyError(digest)
        return self.codec.decompress(packed)

    def running_now(self, run: str) -> int:
        """How many children of a run that goes on are running: told by their lanes, and not answered since."""
        live = self.home.state.runs.get(run)
        if live is None:
            return 0
        if not live.generation:
            spans = self.running.spans(run)
            return sum(n for first, count, _ in spans for _, n in live.answered.missing(first, count))
        total = 0
        for span_first, span_count, _ in self.running.spans(run):
            at, end = span_first, span_first + span_count
            while at < end:
                number, place = divmod(at, BLOCK_POSITIONS)
                count = min(end - at, BLOCK_POSITIONS - place)
                block = self.block(run, number)
                total += count if block is None else block.open_places(place, count, live.answers_first)
                at += count
        return total

    def history_page(self, row: RootRow, page: int) -> list[bytes]:
        """The events of a page of a root execution's history, as msgpack."""
        history = self.histories.get(row.arn)
        pending = None if history is None else history.dirty.get(page)
        if pending is not None:
            return pending
        stored = self._row_of(row.arn, rows.history_key(self.number, row.arn, page))
        assert stored is not None, "a history has the pages that its execution names"
        events = self.codec.page(stored)
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
        row = self.block_row(run, number)
        if row is None:
            return None
        block = decode_block(row, self.codec)
        if self.index.has_run(run):
            self.blocks[key] = block
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
                stored = self.row(rows.history_key(self.number, arn, last))
                assert stored is not None, "what goes on is in the table"
                tail = self.codec.page(stored)
            history = self.histories[arn] = RootHistory(firsts, tail, self.limits.history_page_bytes_max)
        return history

    def keep_definition(self, owner: str, definition: bytes) -> bytes:
        """Sees to it that the definition of an execution or run is stored; its digest."""
        known = self.digests.get(owner)
        if known is not None:
            return known
        digest = self.digests[owner] = self.store_definition(definition)
        return digest

    def machine_written(self, machine: MachineWritten) -> None:
        """Sees to it that the definition of a machine is stored, and those that it had are not kept for it."""
        machine = remembered(machine)
        digest = b"" if machine.deleted else self.store_definition(machine.spec.definition)
        self.machines.written(machine, digest)

    def unused_definitions(self) -> list[bytes]:
        """The keys of rows of definitions that a machine had, and that nothing has any more."""
        left = [digest for digest in self.machines.take_left() if not self.index.users_of(digest)]
        keys = [rows.definition_key(self.number, digest) for digest in left]
        return [key for key in keys if key in self.stored and key not in self.rows_to_delete]

    def store_definition(self, definition: bytes) -> bytes:
        """Sees to it that a definition is stored; its digest."""
        digest = rows.definition_digest(definition)
        row = self.row(rows.definition_key(self.number, digest))
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
            execution_arn=run.execution_arn,
            machine_arn=run.machine_arn,
            machine_name=run.machine_name,
            role_arn=run.role_arn,
            definition=self.keep_definition(run.run, run.definition),
            child_type=plan.child_type,
            max_concurrency=plan.max_concurrency,
            tolerance=Tolerance(plan.tolerated_failure_count or 0, plan.tolerated_failure_percentage or 0.0),
            generation=run.generation,
            generation_offset=run.generation_offset,
            redriven_ms=run.redriven_ms,
            status="RUNNING" if run.phase != "closed" or verdict is None else verdict.status,
            started_ms=run.started_ms,
            stopped_ms=run.stopped_ms,
            index_end=run.index_first + max(0, run.asked - run.staged),
            item_counts=items,
            execution_counts=executions,
            results_bucket=plan.writer.bucket if plan.writer is not None and run.manifest_key else "",
            manifest_key=run.manifest_key,
        )

    def root_row(self, arn: str, root: Root) -> RootRow:
        """The row of a root execution as it stands."""
        request = root.request
        history = self.histories.get(arn)
        return RootRow(
            arn=arn,
            name=request.name,
            request_id=request.request_id,
            created=self.index.created_at(arn, self.offset),
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
            redrive_count=root.redrive_count,
            redriven_ms=root.redriven_ms,
            remains=root.status != "RUNNING" and root.remains is not None,
            version_arn=version_arn_of(request),
            alias_arn=alias_arn_of(request),
        )

    def _pages(self, arn: str) -> tuple[int, ...]:
        row = self.root(arn)
        return row.pages if row is not None else ()
