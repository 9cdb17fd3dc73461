"""Root executions on their way into the archive, and back when they are redriven."""

from itertools import islice

from services.maprun_tracker import rows
from services.maprun_tracker.archive import ArchivedExecution, Execution
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.state import Partition


def ending(part: Partition, most: int) -> list[str]:
    """Some of the root executions that are to be archived, longest over first."""
    return list(islice(part.home.state.ended, most))


def execution(part: Partition, arn: str) -> Execution:
    """All that is known of a root execution that is over, as it goes into the archive."""
    root = part.root(arn)
    assert root is not None
    runs = [run for run_id in part.index.runs_of_root(arn) if (run := part.run(run_id)) is not None]
    digests = {root.definition, *(run.definition for run in runs)}
    pack = part.codec.pack
    found = [(rows.root_key(part.number, arn), pack(root))]
    for page in range(len(root.pages)):
        key, events = rows.history_key(part.number, arn, page), part.history_page(root, page)
        found.append((key, part.codec.pack_page(events)))
    for run in runs:
        found.append((rows.run_key(part.number, run.run), pack(run)))
        for number in range(-(-run.index_end // BLOCK_POSITIONS)):
            block = part.block(run.run, number)
            if block is not None:
                found.append((rows.block_key(part.number, run.run, number), block.encode(part.codec)))
    ended = part.home.state.ended[arn]
    wrapped = [(key, rows.wrap(ended.offset, 0, payload)) for key, payload in found]
    return Execution(ended, root, runs, wrapped, digests)


def forget(part: Partition, arn: str) -> None:
    """Nothing is known here any more of a root execution, of its runs, and of definitions that only they had."""
    row = part.root(arn)
    assert row is not None
    keys = [rows.root_key(part.number, arn)]
    keys += [rows.history_key(part.number, arn, page) for page in range(len(row.pages))]
    for run in [run for run_id in part.index.runs_of_root(arn) if (run := part.run(run_id)) is not None]:
        keys.append(rows.run_key(part.number, run.run))
        for number in range(-(-run.index_end // BLOCK_POSITIONS)):
            keys.append(rows.block_key(part.number, run.run, number))
            part.blocks.pop((run.run, number), None)
            part.dirty_blocks.discard((run.run, number))
        part.digests.pop(run.run, None)
        part.changed_runs.pop(run.run, None)
    part.index.forget_root(arn)
    part.histories.pop(arn, None)
    part.digests.pop(arn, None)
    part.changed_roots.pop(arn, None)
    if not part.index.users_of(row.definition) and not part.machines.users_of(row.definition):
        part.definitions.pop(row.definition, None)
        keys.append(rows.definition_key(part.number, row.definition))
    for key in keys:
        part.fetched.pop(key, None)
        if key in part.stored and key not in part.rows_to_delete:
            part.gone[key] = None


def fetch(part: Partition, archived: ArchivedExecution) -> None:
    """An archived execution is redriven: its rows are those of the table again."""
    keys = [rows.root_key(part.number, archived.arn)]
    root = part.codec.root(_fetched(part, archived, keys[0]))
    keys = [rows.history_key(part.number, root.arn, page) for page in range(len(root.pages))]
    digests = {root.definition}
    for run_id in archived.runs:
        run = part.codec.run(_fetched(part, archived, rows.run_key(part.number, run_id)))
        part.index.know_run(run)
        digests.add(run.definition)
        keys += [rows.block_key(part.number, run_id, n) for n in range(-(-run.index_end // BLOCK_POSITIONS))]
    for key in keys:
        row = part.archive.row(archived, key)
        if row is not None:
            part.fetched[key] = row
            part.gone.pop(key, None)
    for digest in digests:
        packed = part.archive.definition(digest)
        if packed is not None:
            part.store_definition(part.codec.decompress(packed))
    part.index.know_root(root)


def _fetched(part: Partition, archived: ArchivedExecution, key: bytes) -> bytes:
    row = part.archive.row(archived, key)
    assert row is not None, "an execution is archived with the rows that it names"
    part.fetched[key] = row
    part.gone.pop(key, None)
    return row
