"""The fold of one home partition: records in, in order; state and outputs out. The same for every reader."""

from collections.abc import Callable
from typing import Any

import msgspec

from maprun.mapruns.fold import (
    activities,
    activity_tasks,
    callbacks,
    machines,
    nested,
    open_executions,
    opening,
    redrive,
    repeats,
    roots,
    run_records,
    started,
    tags,
    versions,
)
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.outputs import Output
from maprun.mapruns.fold.state import Archive, Ended, HomeState, Interpreter, NothingArchived
from maprun.mapruns.limits import MapRunLimits, limits_taken, limits_under
from maprun.mapruns.slices import Slices, Spent, drained, never_spent
from schemas import home
from schemas.activities import (
    ActivityRequested,
    ActivityTaskAnswered,
    ActivityTaskAsked,
    ActivityTaskRequested,
    ActivityTaskWithdrawn,
)
from schemas.arns import Names
from schemas.history_pages import ChildHistoryRequested, ChildHistoryShown, HistoryPage
from schemas.machines import AliasRequested, MachineEmptied, MachineRequested, TagsRequested, VersionRequested
from schemas.starters import StartWithdrawn
from schemas.wire import Decoder

_decoder: Decoder[home.HomeRecord] = Decoder(home.HomeRecord)


def decode_record(value: bytes) -> home.HomeRecord:
    """A home record. Raises msgspec.DecodeError (or ValidationError) when the bytes are none."""
    return _decoder.decode(value)


def frame_of(value: bytes | None) -> home.ChildrenEnded | None:
    """The frame that a record of home holds; None for any other record, and for one that can't be read."""
    try:
        fact = decode_record(value or b"")
    except msgspec.DecodeError:
        return None  # no record for the fold either
    return fact if isinstance(fact, home.ChildrenEnded) else None


class Home:
    """One home partition's fold. Not thread-safe; `apply` is called with ascending offsets."""

    def __init__(
        self,
        state: HomeState,
        interpreter: Interpreter,
        names: Names,
        homes: int,
        lanes: int,
        limits: MapRunLimits | None = None,
        archive: Archive | None = None,
    ) -> None:
        """`homes` and `lanes` are the cluster's fixed partition counts, `limits` those of the process.

        What an operator sets of them is judged by only until home says other ones (`limits_due`).
        """
        self.state = state
        self.offset = state.offset  # the last record that was folded wholly
        self._own_limits = limits or MapRunLimits()
        self.limits = self._own_limits if state.limits is None else limits_under(self._own_limits, state.limits)
        self.retention_ms = self.limits.retention_ms  # the longest that was judged by: more may be folded again
        self._ports = (interpreter, names, homes, lanes)
        self._archive = archive or NothingArchived()

    def apply(self, offset: int, timestamp_ms: int, record: home.HomeRecord) -> list[Output]:
        """Folds one record in and says what follows. An offset that was folded already changes nothing."""
        return drained(self.folding(offset, timestamp_ms, record, never_spent))

    def folding(self, offset: int, timestamp_ms: int, record: home.HomeRecord, spent: Spent) -> Slices[list[Output]]:
        """`apply` in slices: yields whenever one is `spent`. Until it is through, the state is between two records."""
        state = self.state
        if offset <= state.offset:
            return []
        state.offset = offset
        state.now_ms = max(state.now_ms, timestamp_ms)
        fold = Fold(state, *self._ports, self.limits, spent)
        repeats.forget_old(fold)
        yield from self._folded(fold, record)
        if state.starts_waiting:
            for start in open_executions.starts_due(fold):
                if spent():
                    yield
                yield from self._folded(fold, start)
        self.limits = fold.limits
        self.retention_ms = max(self.retention_ms, self.limits.retention_ms)
        self.offset = state.offset
        return fold.outputs

    def _folded(self, fold: Fold, record: home.HomeRecord) -> Slices[None]:
        # Asked first: a Map Run that ends with the record is known no more, and an archive that can't be read is no
        # fault of the record's.
        whose = fold.arn = roots.root_of(fold, record)
        fold.past = self.ended(record.arn) if isinstance(record, _ASKING_FOR_THE_PAST) else None
        try:
            _HANDLERS[type(record)](fold, record)
            yield from roots.hear(fold)
        except Exception as bug:  # noqa: BLE001 - the record's dead letter: its root ends, for every reader alike
            fold.forget_happenings()
            roots.fail_of_record(fold, record, whose, f"{type(bug).__name__}: {bug}")
            yield from roots.hear(fold)

    def ended(self, arn: str) -> Ended | None:
        """How a root execution ended that is over with all its runs; None when it is open, or not remembered."""
        state = self.state
        if arn in state.roots:
            return None
        ended = state.ended.get(arn) or self._archive.ended(arn, self.offset + 1)
        return None if ended is None or self.forgotten(ended.stopped_ms) else ended

    def forgotten(self, stopped_ms: int) -> bool:
        """True when what ended then is remembered no more."""
        return stopped_ms < max(self.state.forgotten_ms, self.state.now_ms - self.limits.retention_ms)

    def limits_due(self) -> home.LimitsTaken | None:
        """The record that makes home judge by this process's limits; None when it does."""
        own = limits_taken(self._own_limits)
        return None if self.state.limits == own else own

    def skip(self, offset: int) -> None:
        """Passes over an offset that holds no readable record."""
        self.offset = self.state.offset = max(self.state.offset, offset)


_ASKING_FOR_THE_PAST = (home.ExecutionRequested, home.StopRequested, home.RedriveRequested, home.CallbackReceived)
_HANDLERS: dict[type, Callable[[Fold, Any], None]] = {
    MachineRequested: machines.machine_requested,
    MachineEmptied: machines.machine_emptied,
    TagsRequested: tags.tags_requested,
    VersionRequested: versions.version_requested,
    AliasRequested: versions.alias_requested,
    home.ExecutionRequested: roots.execution_requested,
    home.StopRequested: roots.stop_requested,
    home.RedriveRequested: redrive.redrive_requested,
    home.MapRunUpdateRequested: run_records.map_run_update_requested,
    home.SourceOpened: run_records.source_opened,
    home.ItemsRead: run_records.items_were_read,
    home.SourceEnded: run_records.source_ended,
    home.SourceFailed: run_records.source_failed,
    home.ChildrenEnded: run_records.children_were_ended,
    home.LaneProgress: run_records.lane_progress,
    HistoryPage: run_records.history_page,
    ChildHistoryRequested: run_records.child_history_requested,
    ChildHistoryShown: run_records.child_history_shown,
    home.NestedRunRequested: nested.nested_run_requested,
    home.NestedRunDropped: nested.nested_run_dropped,
    home.TimerDue: roots.timer_due,
    home.ParentTaskEnded: roots.parent_task_ended,
    home.ResultFileOpened: run_records.result_file_opened,
    home.ResultPartWritten: run_records.result_part_written,
    home.ResultsWritten: run_records.results_written,
    home.ResultsFailed: run_records.results_failed,
    home.OutputRefused: roots.output_refused,
    home.LimitsTaken: opening.limits_taken,
    home.ParentSubmissionBegan: callbacks.submission_began,
    home.ParentTaskSubmitted: callbacks.task_submitted,
    home.CallbackReceived: callbacks.callback_received,
    home.CallbackAnswered: callbacks.callback_answered,
    StartWithdrawn: started.start_withdrawn,
    ActivityRequested: activities.activity_requested,
    ActivityTaskRequested: activity_tasks.task_requested,
    ActivityTaskWithdrawn: activity_tasks.task_withdrawn,
    ActivityTaskAsked: activity_tasks.task_asked,
    ActivityTaskAnswered: activity_tasks.task_answered,
}
