"""What a lane keeps in memory is bounded: inputs that the journal holds leave it, running children share a budget."""

from typing import Any

import msgspec

from schemas.effects import TaskSucceeded
from schemas.home import RETURNED, SUCCEEDED
from schemas.lanes import Cause, RunClosing, RunOpened
from services.child_runner.input_store import InputsRead
from services.child_runner.lane_run import CHILD_BYTES
from services.child_runner.machine import shared
from services.child_runner.memory_budget import MemoryBudget
from tests.unit.child_runner.driver import AT_ONCE, RUN, TASK, Driver, opened

LIMITS = msgspec.structs.replace(AT_ONCE, spill_bytes_max=20_000, inputs_read_bytes_max=5_000)
ITEMS = [b'"%04d%s"' % (i, b"x" * 994) for i in range(60)]


def full(*, quota: int = 2) -> Driver:
    """A lane with 60 items of 1,000 bytes of which few may run, some seconds later."""
    driver = Driver(LIMITS)
    driver.signal(opened({"A": TASK}, quota=quota))
    for first in range(0, 60, 10):
        driver.items(first, ITEMS[first : first + 10])
    driver.turn(5.0)
    driver.turn()
    return driver


def test_who_waits_long_leaves_memory() -> None:
    """Sixty waiting inputs pass into the journal; no more of them stay in memory than may."""
    driver = full()
    assert driver.lane.bytes_queued <= LIMITS.spill_bytes_max
    assert driver.lane.memory.inputs_bytes <= LIMITS.spill_bytes_max
    assert driver.lane.position == 6
    assert sum(len(getattr(record, "adopted", ())) for record in driver.log) == 60


def test_who_left_memory_runs_in_turn() -> None:
    """Every child runs with its own input, which is read from the journal when its turn comes."""
    driver = full()
    while driver.starts:
        driver.answer_tasks()
    assert len(driver.answers) == 60
    for position, answer in ((p, a) for (_, p), a in driver.answers.items()):
        assert answer.status == SUCCEEDED
        assert answer.history[0].details[0] == ITEMS[position]
    assert (driver.lane.bytes_queued, driver.lane.memory.inputs_bytes, driver.lane.memory.bytes) == (0, 0, 0)


def test_who_can_not_start_leaves_memory_too() -> None:
    """One large input at the head of a run whose quota is used up would keep out the items its children wait for."""
    driver = Driver(LIMITS)
    driver.signal(opened({"A": TASK}, quota=1))
    driver.items(0, [b'"small"', b'"%s"' % (b"x" * 50_000)])
    driver.turn(5.0)
    driver.turn()
    assert driver.lane.bytes_queued == 0
    driver.answer_tasks()
    driver.answer_tasks()
    assert len(driver.answers) == 2


def test_a_new_owner_keeps_no_more() -> None:
    """It knows where all inputs stand, and keeps as many as may be; those that ran before come first."""
    driver = full(quota=3)
    driver.take_over()
    assert driver.lane.memory.inputs_bytes <= LIMITS.spill_bytes_max
    assert [start.position for start in driver.starts] == [0, 1, 2]
    while driver.starts:
        driver.answer_tasks()
    assert len(driver.answers) == 60


def test_a_run_that_closes_answers_who_left_memory() -> None:
    """The PENDING file needs the inputs of those that never started: they are read again for it."""
    driver = full()
    driver.signal(RunClosing(Cause(0, 9, 0), RUN, 0))
    returned = {p: a for (_, p), a in driver.answers.items() if a.status == RETURNED}
    assert len(returned) == 58
    assert all(msgspec.msgpack.decode(answer.raw) == [ITEMS[p]] for p, answer in returned.items())
    assert (driver.lane.bytes_queued, driver.lane.memory.inputs_bytes) == (0, 0)


def test_an_input_that_moved_is_asked_for_where_it_is() -> None:
    """A snapshot may move it while it is being read: then the answer is empty and it is asked for again.

    One that didn't move and isn't there was deleted by a newer owner of the lane.
    """
    driver = full()
    lane, run = driver.lane, driver.lane.runs[RUN]
    run.loading = False
    lane.store.request(run)
    [request] = lane.take_input_requests()
    position = request.places[0][0]
    assert not lane.inputs_read(InputsRead(request, {}))
    for moved, _, _ in request.places:
        run.memory.adopted[moved].offset += 1_000
    assert lane.inputs_read(InputsRead(request, {}))
    assert run.memory.adopted[position].input is None
    assert not run.loading


# ---------------------------------------------------------------------- running children


def test_running_children_share_a_bound() -> None:
    """At the bound no more start, on any lane of the process; as one ends, the next begins."""
    budget = MemoryBudget(int(CHILD_BYTES * 3.5))
    first, second = Driver(budget=budget), Driver(budget=budget)
    for driver in (first, second):
        driver.signal(opened({"A": TASK}))
        driver.items(0, [b"1"] * 9)
    assert (len(first.starts), len(second.starts)) == (4, 1)
    assert second.lane.memory_full
    first.answer_tasks()
    first.answer_tasks()
    first.answer_tasks()
    assert len(first.answers) == 9
    second.turn(0.1)
    assert len(second.starts) == 4
    while second.starts:
        second.answer_tasks()
    assert len(second.answers) == 9
    assert budget.used == 0


def test_one_child_of_each_run_always_runs() -> None:
    """However full the process is: a run whose child could never start would never end."""
    driver = Driver(budget=MemoryBudget(0))
    driver.signal(opened({"A": TASK}))
    driver.items(0, [b"1"] * 3)
    for done in (1, 2, 3):
        assert len(driver.starts) == 1
        driver.answer_tasks()
        assert len(driver.answers) == done


def test_what_a_child_was_told_counts() -> None:
    """Results stay with a child until it ends, so they take room."""
    chain: dict[str, Any] = {"A": {**TASK, "Next": "B"}, "B": TASK}
    del chain["A"]["End"]
    driver = Driver()
    driver.signal(opened(chain))
    driver.items(0, [b"1"])
    before = driver.budget.used
    driver.outcome(driver.starts[0], TaskSucceeded(driver.starts[0].request.ref, b'"' + b"x" * 9_998 + b'"'))
    assert driver.budget.used - before == 10_000
    driver.take_over()
    assert driver.budget.used - before == 10_000
    driver.answer_tasks()
    assert driver.budget.used == 0


def test_a_process_compiles_a_run_once() -> None:
    """All lanes of a process share what a run's children need; once no lane knows the run it is gone."""
    made: list[RunOpened] = []

    class Machine:
        """Stands for a child machine."""

    def compile_run(opened: RunOpened) -> Any:
        made.append(opened)
        return Machine()

    compile_once = shared(compile_run)
    one = compile_once(opened({"A": TASK}))
    assert compile_once(opened({"A": TASK}, n=5)) is one
    assert compile_once(opened({"A": TASK}, generation=1)) is not one
    assert len(made) == 2
    del one
    compile_once(opened({"A": TASK}))
    assert len(made) == 3
