"""Records of home in, changes of the partition out: the scheduler's fold, and what the tracker makes of it."""

import msgspec

from maprun.mapruns.fold import outputs
from maprun.mapruns.fold.home import decode_record
from maprun.mapruns.fold.state import RequestAnswered
from maprun.mapruns.ledger import indexed
from maprun.mapruns.slices import Slices, Spent, drained, never_spent
from schemas.activities import ActivityTaskAsked
from schemas.history_pages import ChildHistoryShown
from schemas.home import HomeRecord, LaneProgress, RedriveRequested
from schemas.machines import MachineWritten
from services.maprun_tracker.archive import ArchivedExecution
from services.maprun_tracker.archiving import fetch
from services.maprun_tracker.blocks import marked
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.state import Partition


def record_arrived(part: Partition, offset: int, timestamp_ms: int, value: bytes | None) -> bool:
    """Folds one record in; False when it can't be read."""
    return drained(record_folding(part, offset, timestamp_ms, value, never_spent))


def record_folding(part: Partition, offset: int, timestamp_ms: int, value: bytes | None, spent: Spent) -> Slices[bool]:
    """Folds one record in, in slices. One that can't be read is passed over, as every reader of home does: False.

    Before the last slice the partition's rows are those before the record, and nothing may be flushed.
    """
    try:
        record: HomeRecord = decode_record(value or b"")
    except (msgspec.DecodeError, RecursionError):
        part.home.skip(offset)
        return False
    archived = _archived(part, record)
    folded = yield from part.home.folding(offset, timestamp_ms, record, spent)
    if archived is not None and (archived.arn in part.home.state.roots or archived.arn in part.home.state.ended):
        fetch(part, archived)  # it may have ended again with the same record
    for output in folded:
        match output:
            case outputs.EntriesAccepted():
                _entries_accepted(part, offset, output)
            case outputs.RunChanged():
                _run_changed(part, output)
            case outputs.RootChanged():
                _root_changed(part, output)
            case outputs.HistoryGrew():
                part.history(output.arn, output.first_id).append(output.first_id, output.events)
            case outputs.Send(message=MachineWritten() as machine):
                part.machine_written(machine)
            case RequestAnswered():
                part.waits.say(output.request_id, output)
            case outputs.ActivityTaskWaits():
                _wake_workers(part, output.arn)
            case _:
                pass  # for the scheduler
    if isinstance(record, ChildHistoryShown):
        part.waits.say(record.request_id, record)
    if isinstance(record, ActivityTaskAsked):
        part.lines.turn_over(record.arn, record.request_id)
        _wake_workers(part, record.arn)
    if isinstance(record, LaneProgress):
        run = part.home.state.runs.get(record.run)
        if run is not None and run.generation == record.generation:
            part.running.lane_reported(record, part.home.state.now_ms)
    _over(part, offset)
    return True


def _wake_workers(part: Partition, arn: str) -> None:
    part.lines.wake(arn, len(part.home.state.activity_tasks.get(arn, ())))


def _archived(part: Partition, record: HomeRecord) -> ArchivedExecution | None:
    """What is archived of an execution that the record may bring back.

    A killed process may have written newer rows of it: that they are there says nothing yet.
    """
    if not isinstance(record, RedriveRequested):
        return None
    state = part.home.state
    open_here = record.arn in state.roots or record.arn in state.ended
    return None if open_here else part.archive.newest(record.arn, part.offset + 1)


def _entries_accepted(part: Partition, offset: int, accepted: outputs.EntriesAccepted) -> None:
    """Answers go into the blocks of their children's indexes."""
    frame, run = accepted.frame, accepted.run
    redriven = frozenset[int]()
    if frame.generation and frame.afterlives:
        afterlives = part.pages.unpack_afterlives(frame.afterlives)
        redriven = frozenset(slot for slot, afterlife in afterlives.items() if afterlife.redrive_count)
    for first_slot, first, length in indexed(frame, accepted.pieces):
        slot, index, end = first_slot, first, first + length
        while index < end:
            number, place = divmod(index, BLOCK_POSITIONS)
            count = min(end - index, BLOCK_POSITIONS - place)
            marks = marked(frame.statuses[slot : slot + count], redriven, slot)
            items = frame.items[slot : slot + count] if frame.items else ()
            part.own_block((run, number)).put(place, marks, items, offset)
            index += count
            slot += count
    part.shrink()


def _run_changed(part: Partition, changed: outputs.RunChanged) -> None:
    run = changed.run
    if run.run not in part.changed_runs:
        if not part.index.has_run(run.run):
            part.index.know_run(part.run_row(run))
        part.keep_definition(run.run, run.definition)
        part.changed_runs[run.run] = run
    if run.phase == "closed" or run.generation_offset == part.offset:  # this record may have ended the one before
        part.running.run_over(run.run)


def _root_changed(part: Partition, changed: outputs.RootChanged) -> None:
    row = part.root_row(changed.arn, changed.root)
    part.changed_roots[changed.arn] = row
    part.index.know_root(row)


def _over(part: Partition, offset: int) -> None:
    """Notes which ended executions are over with all their runs: what can be archived."""
    for arn in [arn for arn in part.index.lingering if arn in part.home.state.ended]:
        row = part.root(arn)
        assert row is not None
        row = part.changed_roots[arn] = msgspec.structs.replace(row, closed=offset)
        part.index.know_root(row)
