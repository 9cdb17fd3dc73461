"""Small indexes over a partition's rows, in memory: what is found by a machine, a parent or an id."""

from bisect import bisect_left, insort
from collections.abc import Iterator

import msgspec

from schemas.arns import run_tail
from services.maprun_tracker.rows import RootRow, RunRow


class _Known(msgspec.Struct):
    """What is known of a root execution without its row."""

    listed_under: tuple[str, ...]
    started_ms: int
    created: int
    definition: bytes
    status: str
    redriven: bool


class Indexes:
    """Root executions and Map Runs that have a row, or will have one with the next flush."""

    def __init__(self) -> None:
        self._roots: dict[str, _Known] = {}
        self._of_machine: dict[
            str, list[tuple[int, str]]
        ] = {}  # machine, version or alias → (started ms, root execution), ascending
        self._of_tail: dict[str, str] = {}
        self._of_root: dict[str, dict[str, str]] = {}  # root execution → all its runs → the child that asked, if nested
        self._of_child: dict[str, list[tuple[int, str]]] = {}  # child → (started ms, its nested runs), ascending
        self._definitions: dict[bytes, int] = {}  # digest → root executions that have it
        self.lingering: set[str] = set()  # ended, with runs that are still open

    # ------------------------------------------------------------------ what comes

    def know_root(self, row: RootRow) -> None:
        """Takes a root execution in, as it stands."""
        known = self._roots.get(row.arn)
        if known is None:
            redriven = row.redrive_count > 0
            known = _Known(row.listed_under, row.started_ms, row.created, row.definition, "", redriven)
            self._roots[row.arn] = known
            for listed in row.listed_under:
                insort(self._of_machine.setdefault(listed, []), (row.started_ms, row.arn))
            self._definitions[row.definition] = self._definitions.get(row.definition, 0) + 1
        known.status, known.redriven = row.status, row.redrive_count > 0
        if row.status != "RUNNING" and row.closed < 0:
            self.lingering.add(row.arn)
        else:
            self.lingering.discard(row.arn)

    def order(self, lingering: set[str]) -> None:
        """Puts what was taken in from rows into the order of home; the fold says which ended ones are not over yet."""
        self.lingering = lingering
        for runs in self._of_child.values():
            runs.sort()

    def know_run(self, row: RunRow) -> None:
        """Takes a Map Run in."""
        tail = run_tail(row.run)
        if tail in self._of_tail:
            return
        self._of_tail[tail] = row.run
        nested = row.execution_arn != row.root_arn
        self._of_root.setdefault(row.root_arn, {})[row.run] = row.execution_arn if nested else ""
        if nested:
            self._of_child.setdefault(row.execution_arn, []).append((row.started_ms, row.run))

    def forget_root(self, arn: str) -> None:
        """The root execution and its runs are gone."""
        known = self._roots.pop(arn)
        for machine_arn in known.listed_under:
            listed = self._of_machine[machine_arn]
            del listed[bisect_left(listed, (known.started_ms, arn))]
            if not listed:
                del self._of_machine[machine_arn]
        self._definitions[known.definition] -= 1
        if not self._definitions[known.definition]:
            del self._definitions[known.definition]
        for run, child in self._of_root.pop(arn, {}).items():
            del self._of_tail[run_tail(run)]
            self._of_child.pop(child, None)

    # ------------------------------------------------------------------ what is asked

    def has_root(self, arn: str) -> bool:
        """True for a known root execution."""
        return arn in self._roots

    def has_run(self, run: str) -> bool:
        """True for a known Map Run."""
        return self._of_tail.get(run_tail(run)) == run

    def roots(self) -> list[str]:
        """The known root executions."""
        return list(self._roots)

    def created_at(self, arn: str, otherwise: int) -> int:
        """The offset at which a root execution was accepted."""
        known = self._roots.get(arn)
        return otherwise if known is None else known.created

    def status_of(self, arn: str) -> str:
        """A known root execution's status."""
        return self._roots[arn].status

    def redriven(self, arn: str) -> bool:
        """Whether a known root execution was redriven."""
        return self._roots[arn].redriven

    def run_of_tail(self, tail: str) -> str:
        """The Map Run whose children have this in their names; empty when there is none."""
        return self._of_tail.get(tail, "")

    def runs_of_root(self, arn: str) -> list[str]:
        """All Map Runs of a root execution, nested ones too."""
        return list(self._of_root.get(arn, ()))

    def runs_of_child(self, arn: str) -> list[str]:
        """The nested Map Runs of a child execution, in the order they started."""
        return [run for _, run in self._of_child.get(arn, [])]

    def users_of(self, definition: bytes) -> int:
        """How many root executions have this definition."""
        return self._definitions.get(definition, 0)

    def newest_roots(self, machine_arn: str, below: tuple[int, str] | None) -> Iterator[tuple[int, str]]:
        """(started ms, ARN) of the executions of a machine, version or alias, newest first, from below a place on."""
        listed = self._of_machine.get(machine_arn, [])
        for place in range(len(listed) if below is None else bisect_left(listed, below), 0, -1):
            yield listed[place - 1]
