"""What began and ended, gathered until the owner has it counted. Pure."""

from collections import Counter
from typing import Protocol

from schemas.lanes import RunOpened
from schemas.spans import Span, child_span, execution_span, execution_span_id, is_shown, recorded


class Named(Protocol):
    """Who names the children of a run."""

    def arn(self, index: int, /) -> str:
        """The ARN of a child."""
        ...


class ChildTally:
    """Children of one run: how many began, or were redriven, how many ended at once, how long the others took.

    `machine_arn` is what AWS counts them under: that of their machine, with the label of their Map state. Where their
    root execution is traced, some have spans.
    """

    __slots__ = (
        "_machine",
        "_map_run_arn",
        "_root_arn",
        "_trace",
        "at_once",
        "began",
        "lasted_ms",
        "machine_arn",
        "redriven",
        "spans",
    )

    def __init__(self, opened: RunOpened, machine: Named) -> None:
        self.machine_arn = f"{opened.machine_arn}/{opened.label}"
        self.at_once = 0
        self.began = 0
        self.redriven = 0
        self.lasted_ms: list[int] = []
        self.spans: list[Span] = []
        self._trace = recorded(opened.trace_header)
        self._root_arn = opened.root_arn
        self._map_run_arn = opened.map_run_arn
        self._machine = machine

    def span_id(self, index: int, redrives: int) -> str:
        """Of the child with this index; empty if it has no span."""
        if self._trace is None or not is_shown(index):
            return ""
        return execution_span_id(self._machine.arn(index), redrives)

    def ended(self, index: int, redrives: int, times_ms: tuple[int, int], status: str) -> None:
        """A child began and ended at these times, and so."""
        if self._trace is not None and is_shown(index):
            arn = self._machine.arn(index)
            span = execution_span(self._trace, self.machine_arn, arn, times_ms, status, redrives=redrives)
            self.spans.append(child_span(span, self._root_arn, self._map_run_arn))


class ExpressTally:
    """Root executions by the ARN of their machine: how many began, how many ended how, how long each took; spans."""

    __slots__ = ("began", "ended", "lasted_ms", "spans")

    def __init__(self) -> None:
        self.began: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.lasted_ms: list[tuple[str, int]] = []
        self.spans: list[Span] = []

    def over(self, machine_arn: str, arn: str, header: str, times_ms: tuple[int, int], status: str) -> None:
        """An execution began and ended at these times, and so."""
        self.ended[machine_arn, status] += 1
        self.lasted_ms.append((machine_arn, times_ms[1] - times_ms[0]))
        trace = recorded(header)
        if trace is not None:
            self.spans.append(execution_span(trace, machine_arn, arn, times_ms, status))
