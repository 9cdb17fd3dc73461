"""Records of home in, changes of the partition out: the scheduler's fold, and what the tracker makes of it."""

import msgspec

from maprun.mapruns import outputs
from maprun.mapruns.home import decode_record
from maprun.mapruns.ledger import Piece
from schemas.home import ChildrenEnded, HomeRecord, LaneProgress, MachineRequested
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.state import Partition


def record_arrived(part: Partition, offset: int, timestamp_ms: int, value: bytes | None) -> None:
    """Folds one record in. One that can't be read is passed over, as every reader of home does."""
    try:
        record: HomeRecord = decode_record(value or b"")
    except (msgspec.DecodeError, RecursionError):
        part.unreadable += 1
        part.home.skip(offset)
        return
    if isinstance(record, MachineRequested):
        # Machines come from their own topic; folding them here too would put every definition into each snapshot.
        part.home.state.now_ms = max(part.home.state.now_ms, timestamp_ms)
        part.home.skip(offset)
        return
    for output in part.home.apply(offset, timestamp_ms, record):
        match output:
            case outputs.EntriesAccepted():
                _entries_accepted(part, offset, output)
            case outputs.RunChanged():
                _run_changed(part, output)
            case outputs.RootChanged():
                _root_changed(part, output)
            case outputs.HistoryGrew():
                part.history(output.arn, output.first_id).append(output.first_id, output.events)
            case _:
                pass  # for the scheduler
    if isinstance(record, LaneProgress) and record.run in part.home.state.runs:
        part.running.lane_told(record, part.home.state.now_ms)


def _entries_accepted(part: Partition, offset: int, accepted: outputs.EntriesAccepted) -> None:
    for piece in accepted.pieces:
        _index(part, offset, accepted.run, piece, accepted.frame)
    part.shrink()


def _index(part: Partition, offset: int, run: str, piece: Piece, frame: ChildrenEnded) -> None:
    slot, position, end = piece.slot, piece.position, piece.position + piece.count
    while position < end:
        number, place = divmod(position, BLOCK_POSITIONS)
        count = min(end - position, BLOCK_POSITIONS - place)
        items = frame.items[slot : slot + count] if frame.items else ()
        part.own_block((run, number)).put(place, frame.statuses[slot : slot + count], items, offset)
        position += count
        slot += count


def _run_changed(part: Partition, changed: outputs.RunChanged) -> None:
    run = changed.run
    if run.run not in part.changed_runs:
        part.know_run(run.run)
        part.keep_definition(run.run, run.definition)
        part.changed_runs[run.run] = run
    if run.phase == "closed":
        part.running.run_over(run.run)


def _root_changed(part: Partition, changed: outputs.RootChanged) -> None:
    row = part.root_row(changed.arn, changed.root)
    part.changed_roots[changed.arn] = row
    part.know_root(row)
