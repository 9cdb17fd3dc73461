"""What result files say of each index: how often it stands in them, and which input it had. Some ten bytes a child."""

from array import array
from collections import Counter
from collections.abc import Iterator

import msgspec

from schemas.arns import parse_child_name, run_tail

EXAMPLES_MAX = 5
_TIMES_MAX = 255
FILE_OF = {
    "SUCCEEDED": "SUCCEEDED",
    "FAILED": "FAILED",
    "TIMED_OUT": "FAILED",
    "ABORTED": "FAILED",
    "PENDING": "PENDING",
}
"""The result file that a child of a status stands in."""


class Record(msgspec.Struct, frozen=True):
    """A record of a result file, as far as it is looked at."""

    Status: str
    Input: str = ""
    Name: str = ""


class Wrong:
    """What is wrong, counted by kind with a few examples of each."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[int, list[str]]] = {}

    def add(self, kind: str, example: str, count: int = 1) -> None:
        """One more of a kind."""
        before, examples = self._kinds.get(kind, (0, []))
        if len(examples) < EXAMPLES_MAX:
            examples.append(example)
        self._kinds[kind] = before + count, examples

    def __iter__(self) -> Iterator[tuple[str, int, list[str]]]:
        for kind, (count, examples) in self._kinds.items():
            yield kind, count, examples


class Ledger:
    """The children that were found, by index. `run` is the Map Run's id."""

    def __init__(self, run: str, wrong: Wrong) -> None:
        self._tail = run_tail(run)
        self._wrong = wrong
        self._times = bytearray()
        self._inputs = array("q")  # a hash of each input: alike inputs are alike, others differ but once in 2^63
        self.statuses: Counter[str] = Counter()
        self.unnamed = 0  # children that never started: their records carry no index

    def take(self, kind: str, record: Record, where: str) -> None:
        """A record of a file of this kind."""
        self.statuses[record.Status] += 1
        if FILE_OF.get(record.Status) != kind:
            self._wrong.add("in the wrong file", f"{record.Name or record.Status} is {record.Status} in {where}")
        if not record.Name:
            self.unnamed += 1
            return
        child = parse_child_name(record.Name)
        if child is None or child.run_tail != self._tail:
            self._wrong.add("of another Map Run", f"{record.Name} in {where}")
            return
        self._grow(child.index)
        if self._times[child.index] < _TIMES_MAX:
            self._times[child.index] += 1
        if self._times[child.index] > 1:
            self._wrong.add("more than once", f"index {child.index}, again in {where}")
        self._inputs[child.index] = hash(record.Input)

    def _grow(self, index: int) -> None:
        if index >= len(self._times):
            more = max(index + 1, 2 * len(self._times)) - len(self._times)
            self._times.extend(bytes(more))
            self._inputs.frombytes(bytes(more * self._inputs.itemsize))

    def found(self, index: int) -> bool:
        """Whether an index stands in the files."""
        return index < len(self._times) and self._times[index] > 0

    def has_input(self, index: int, text: str) -> bool:
        """Whether an index that was found had this input."""
        return self._inputs[index] == hash(text)

    def beyond(self, end: int) -> Iterator[int]:
        """The indexes at or past an end that were found."""
        return (index for index in range(end, len(self._times)) if self._times[index])

    def missing(self, end: int) -> Iterator[int]:
        """The indexes before an end that were not found."""
        return (index for index in range(end) if not self.found(index))
