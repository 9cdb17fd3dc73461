"""The checker's view of a lane's quota, on a lane that is taken over while its run closes."""

from schemas.home import ABORTED
from schemas.lanes import Cause, QuotaChanged, RunClosing
from tests.simulation.quotas import started_too_many
from tests.unit.child_runner.driver import RUN, TASK, Driver, opened
from tests.unit.child_runner.pace import StatesPace


class Watched(Driver):
    """Looks at the run after each turn, as the checker does."""

    def __init__(self, quota: int) -> None:
        super().__init__(pace=StatesPace(10**9))
        self.quota = quota
        self.had: frozenset[int] = frozenset()
        self.most = 0
        self.too_many = 0

    def _step(self) -> bool:
        more = super()._step()
        run = self.lane.runs[RUN]
        self.too_many += started_too_many(run, self.had, self.quota, frozenset((0, 1)).__contains__)
        self.had = frozenset(run.running)
        self.most = max(self.most, len(self.had))
        return more


def two_that_ran() -> Watched:
    """A lane on which two children ran, whose next owner has little time in a turn; its quota fell to one."""
    driver = Watched(2)
    first = {"Type": "Task", "Resource": TASK["Resource"], "Next": "B"}
    driver.signal(opened({"A": first, "B": TASK}, quota=2))
    driver.items(0, [b"1", b"2"])
    driver.answer_tasks()
    driver.signal(QuotaChanged(Cause(0, 8, 0), RUN, 0, 1))
    driver.pace.states = 1  # type: ignore[attr-defined]
    driver.quota, driver.had, driver.most = 1, frozenset(), 0
    return driver


def test_who_is_brought_back_to_be_stopped_takes_no_quota() -> None:
    """Both are brought back side by side under a quota of one: they start nothing, and the checker lets them."""
    driver = two_that_ran()
    driver.signals.append(RunClosing(Cause(0, 9, 0), RUN, 0))
    driver.take_over()
    assert driver.most == 2
    assert not driver.too_many
    assert not driver.starts
    assert [driver.answers[0, position].status for position in (0, 1)] == [ABORTED, ABORTED]


def test_in_an_open_run_they_go_on_side_by_side() -> None:
    """The same two while the run goes on: as under their first owner, whatever became of the quota."""
    driver = two_that_ran()
    driver.take_over()
    assert driver.most == 2
    assert not driver.too_many


def test_the_checker_sees_who_starts_without_quota() -> None:
    """Of two children under a quota of one, the one that started last and had not run before."""
    run = two_that_ran().lane.runs[RUN]
    assert len(run.running) == 2
    assert started_too_many(run, frozenset([0]), 1, frozenset([0]).__contains__)
    assert not started_too_many(run, frozenset([0]), 1, frozenset([1]).__contains__)
    assert not started_too_many(run, frozenset([0, 1]), 1, frozenset().__contains__)
