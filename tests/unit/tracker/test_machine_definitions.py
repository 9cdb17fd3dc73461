"""State machines in the tracker's rows: the fold has them again after any kill, and no definition outlives its use."""

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.mapruns.fold.state import FOLD_VERSION, HomeState
from schemas.home import StopRequested
from schemas.machines import (
    AliasRequested,
    MachineEmptied,
    MachineRequested,
    MachineSpec,
    TagsRequested,
    VersionRequested,
)
from schemas.wire import Fact, encode
from services.maprun_tracker import rows
from services.maprun_tracker.state import Partition
from tests.unit.tracker import fakes
from tests.unit.tracker.test_flush import HOME, KilledError, Table, run_on, start

DEFINITIONS = [fakes.DEFINITION, *(b'{"v":%d}' % n for n in range(3))]


def story(seed: int) -> list[bytes]:
    """Machines are made, changed, published, tagged, deleted, with few definitions among many; executions have some."""
    rng = random.Random(seed)
    records: list[Fact] = []
    for n in range(rng.randrange(4, 40)):
        name = f"m{rng.randrange(4)}"
        arn = fakes.NAMES.machine(name)
        definition = rng.choice(DEFINITIONS)
        publish = rng.random() < 0.5
        match rng.randrange(9):
            case 0 | 1:
                spec = MachineSpec(definition, "role")
                records.append(MachineRequested(f"{n}", "create", arn, name, spec, publish))
            case 2 | 3:
                spec = MachineSpec(rng.choice([definition, b""]), f"role-{n}", "")
                records.append(MachineRequested(f"{n}", "update", arn, name, spec, publish))
            case 6 | 7:
                records.append(VersionRequested(f"{n}", "delete", arn, rng.randrange(1, 4)))
            case 8:
                records.append(AliasRequested(f"{n}", rng.choice(["create", "delete"]), arn, "a", (1, 100)))
            case 4:
                records.append(MachineRequested(f"{n}", "delete", arn, name, MachineSpec()))
                if rng.random() < 0.7:
                    records.append(MachineEmptied(f"e{n}", arn, len(records) - 1))
            case _:
                records.append(TagsRequested(f"{n}", arn, ("k", str(n))))
        if rng.random() < 0.1:
            request = fakes.execution(HOME, n)
            records += [request, StopRequested(f"stop-{n}", request.arn)]
        if rng.random() < 0.2:
            records.append(rng.choice(records))
    return [encode(record) for record in records]


def folded(log: list[bytes]) -> HomeState:
    """What a fold that never stopped knows."""
    table = Table()
    flusher, _ = start(table)
    run_on(flusher, table, log, len(log) + 1)
    return flusher.part.home.state


def definitions(table: Table) -> set[bytes]:
    """The digests of the definitions that are stored."""
    return {key[3:] for key in table.rows if key[rows.KIND] == rows.DEFINITION}


def used(part: Partition) -> set[bytes]:
    """Those that machines or executions have."""
    machines = {rows.definition_digest(m.spec.definition) for m in part.home.state.machines.values()}
    roots = {row.definition for arn in part.index.roots() if (row := part.root(arn)) is not None}
    return machines | roots


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), flush_every=st.integers(1, 9), kills=st.lists(st.integers(0, 40), max_size=4))
def test_killed_between_any_two_writes_the_machines_are_known(seed: int, flush_every: int, kills: list[int]) -> None:
    """Machines and kept answers are those of a fold that never stopped; of definitions those in use are stored."""
    log, table = story(seed), Table()
    for writes in kills:
        table.writes_left = writes
        flusher, _ = start(table)
        try:
            run_on(flusher, table, log, flush_every)
        except KilledError:
            continue
    table.writes_left = -1
    flusher, _ = start(table)
    run_on(flusher, table, log, flush_every)
    again, reason = start(table)
    whole = folded(log)
    for state in (flusher.part.home.state, again.part.home.state):
        assert state.machines == whole.machines
        assert state.answered == whole.answered
    again.flush(table.write, 0.0, mark_now=True)
    assert reason == ""
    assert definitions(table) == used(again.part)


def test_a_mark_holds_no_definition_twice() -> None:
    """Many machines with one large definition have one row for it, and none in the mark."""
    definition = b'{"Comment":"%s"}' % random.Random(1).randbytes(50_000).hex().encode()
    names = [f"m{n}" for n in range(20)]
    specs = MachineSpec(definition, "role")
    log = [encode(MachineRequested(name, "create", fakes.NAMES.machine(name), name, specs)) for name in names]
    table = Table()
    flusher, _ = start(table)
    run_on(flusher, table, log, 1)
    assert len(definitions(table)) == 1
    assert sum(len(row) for key, row in table.rows.items() if key[rows.KIND] != rows.DEFINITION) < 20_000


def test_a_mark_of_a_fold_without_machines_is_gone_on_from_with_those_of_their_topic() -> None:
    """Earlier versions passed over what made machines: their marks are good for everything else."""
    table = Table()
    flusher, _ = start(table)
    run_on(flusher, table, [encode(fakes.execution(HOME))], 1)
    codec = rows.Codec()
    mark = codec.mark(table.rows[rows.mark_key(HOME)])
    for version, lacks in ((mark.version, False), (mark.version - FOLD_VERSION + 3, True)):
        table.rows[rows.mark_key(HOME)] = codec.pack_mark(msgspec.structs.replace(mark, version=version))
        again, reason = start(table)
        assert (reason, again.lacks_machines) == ("", lacks)


def test_a_home_that_lost_its_beginning_may_lack_machines() -> None:
    """Folded from there, it can't know what was made before; folded from its very beginning, it does."""
    interpreter = fakes.FakeInterpreter()

    for begins, lacks in ((0, False), (7, True)):
        flusher = fakes.fresh(HOME, interpreter, begins)
        assert flusher.lacks_machines is lacks
