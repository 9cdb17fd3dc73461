"""Conditions of path filters, `[?(@.price < 10 && @.name)]`, compiled to predicates.

As in JsonPath 2.0.0 the terms are looked at from the last to the first: it decides which of them may fail.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from maprun.language.errors import PathNotFoundError
from maprun.language.pathsteps import Predicate, Step
from maprun.language.pathtests import TESTS, Pattern
from maprun.language.pathwalk import Read, reader


@dataclass(frozen=True, slots=True)
class SubPath:
    """A path within a condition, from the candidate (`@`) or from the root (`$`); `text` is as written."""

    text: str
    steps: tuple[Step, ...]

    @property
    def from_root(self) -> bool:
        """True for a path that begins with `$`."""
        return self.text.startswith("$")


Operand = SubPath | Pattern | str
"""Whatever is neither path nor pattern is a text, numbers too."""


def exists(path: SubPath, *, wanted: bool) -> Predicate:
    """Whether a path leads to something but null; it is followed from the candidate even if it begins with `$`."""
    read = reader(path.steps, all_names=True, bare=True)

    def keeps(candidate: Any, _root: Any) -> bool:
        try:
            return (read(candidate) is not None) is wanted
        except PathNotFoundError:
            return not wanted

    return keeps


def compare(operator: str, left: Operand, right: Operand) -> Predicate:
    """A comparison; false where a path leads nowhere."""
    test = TESTS[operator]
    if isinstance(left, SubPath) and left.from_root and left == right and operator != "=~":
        return _with_itself(test, _reader(left))
    if isinstance(left, SubPath) and not left.from_root and not isinstance(right, SubPath):
        return _with_constant(test, reader(left.steps, bare=True), right)
    given, expected = _reader(left), _reader(right)

    def keeps(candidate: Any, root: Any) -> bool:
        try:
            first, second = given(candidate, root), expected(candidate, root)
        except PathNotFoundError:
            return False
        return test(second, first)

    return keeps


def _with_constant(test: Callable[[Any, Any], bool], read: Read, expected: Pattern | str) -> Predicate:
    """The usual comparison, with the fewest calls."""

    def keeps(candidate: Any, _root: Any) -> bool:
        try:
            given = read(candidate)
        except PathNotFoundError:
            return False
        return test(expected, given)

    return keeps


def _with_itself(test: Callable[[Any, Any], bool], read: Callable[[Any, Any], Any]) -> Predicate:
    """The root is read once, so that even an object or array there equals itself; no other two are ever compared."""

    def keeps(candidate: Any, root: Any) -> bool:
        try:
            value = read(candidate, root)
        except PathNotFoundError:
            return False
        return test("", "") if isinstance(value, dict | list) else test(value, value)

    return keeps


def _reader(operand: Operand) -> Callable[[Any, Any], Any]:
    """(candidate, root) → value."""
    if not isinstance(operand, SubPath):
        return lambda _candidate, _root: operand
    read = reader(operand.steps, bare=not operand.from_root)
    if operand.from_root:
        return lambda _candidate, root: read(root)
    return lambda candidate, _root: read(candidate)


def any_of(alternatives: Sequence[Sequence[Predicate]]) -> Predicate:
    """Alternatives (`||`) of terms that all have to hold (`&&`)."""
    if len(alternatives) == 1 and len(alternatives[0]) == 1:
        return alternatives[0][0]
    backwards = [_all_of(terms) for terms in reversed(alternatives)]
    if len(backwards) == 1:
        return backwards[0]
    return lambda candidate, root: any(all_of(candidate, root) for all_of in backwards)


def _all_of(terms: Sequence[Predicate]) -> Predicate:
    backwards = tuple(reversed(terms))

    def keeps(candidate: Any, root: Any) -> bool:
        for term in backwards:  # noqa: SIM110 - `all` over a generator costs as much as the comparisons
            if not term(candidate, root):
                return False
        return True

    return keeps
