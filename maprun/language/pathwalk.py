"""Walks the steps of a path through a value, with the rules and words of JsonPath 2.0.0, which AWS uses.

A step is compiled to a `Visit` that does its part and calls the next step's for each place it leads to. AWS's engine
works on Jackson's nodes but takes the values of members out of theirs: a null that is a member's value, or that stands
for an element past the end, is Java's null, a null element is a node. The two fail in different ways; `bare` tells them
apart.
"""

from collections.abc import Callable, Sequence
from typing import Any, assert_never

from maprun.language.errors import PathError, PathNotFoundError
from maprun.language.javatext import json_text
from maprun.language.pathsteps import (
    Filter,
    FromEnd,
    Index,
    Indexes,
    Names,
    Scan,
    Slice,
    Stay,
    Step,
    Wild,
    is_definite,
)

Read = Callable[[Any], Any]
"""The value of a path below a root value. Raises PathError."""

Where = tuple[Any, str | int] | None
"""The way to a place: the way to its holder and the member or element; None is the root. Written only in messages."""

PLACES_MAX = 524_288
"""Places that one reading may pass; `..` upon `..` would multiply them without end."""


class Walk:
    """One reading of a path: the root for filters, what was found, and how many places were passed."""

    __slots__ = ("found", "places", "root")

    def __init__(self, root: Any) -> None:
        self.root = root
        self.found: list[Any] = []
        self.places = 0

    def passes(self, places: int) -> None:
        """Counts places. Raises PathError at the limit."""
        self.places += places
        if self.places > PLACES_MAX:
            raise PathError(f"The path leads over more than {PLACES_MAX} places")


Visit = Callable[[Walk, Any, Where, bool], None]
"""(walk, value, where it is, whether it is bare): takes the rest of the steps from this place. Raises PathError."""


def reader(steps: Sequence[Step], *, all_names: bool = False, bare: bool = False) -> Read:
    """The value of a definite path, or the list of all values of another one.

    `all_names` makes a step with several names fail when one of them is missing; `bare` says what the root is.
    """
    visit = _compiled(steps, all_names=all_names)
    if not is_definite(steps):

        def read_all(root: Any) -> Any:
            walk = Walk(root)
            visit(walk, root, None, bare)
            return walk.found

        return read_all

    def read_one(root: Any) -> Any:
        walk = Walk(root)
        visit(walk, root, None, bare)
        return walk.found[0]

    keys = [_key(step) for step in steps]
    if None in keys:
        return read_one
    return _straight([key for key in keys if key is not None], read_one)


def _key(step: Step) -> str | int | None:
    if isinstance(step, Names) and len(step.names) == 1:
        return step.names[0]
    return step.place if isinstance(step, Index) and step.place >= 0 else None


def _straight(keys: Sequence[str | int], otherwise: Read) -> Read:
    """Members and elements that are there, in a loop; whatever else happens is `otherwise`'s to tell."""
    if not keys:
        return lambda root: root
    if all(isinstance(key, str) for key in keys):
        if len(keys) == 1:
            return _member(str(keys[0]), otherwise)

        def read_members(root: Any) -> Any:
            value = root
            try:
                for key in keys:
                    value = value[key]
            except (KeyError, TypeError):
                return otherwise(root)
            return value

        return read_members

    def read(root: Any) -> Any:
        value = root
        try:
            for key in keys:
                if key.__class__ is int and value.__class__ is not list:
                    return otherwise(root)  # a text has elements in Python
                value = value[key]
        except (KeyError, IndexError, TypeError):
            return otherwise(root)
        return value

    return read


def _member(key: str, otherwise: Read) -> Read:
    def read(root: Any) -> Any:
        try:
            return root[key]
        except (KeyError, TypeError):
            return otherwise(root)

    return read


def _compiled(steps: Sequence[Step], *, all_names: bool) -> Visit:
    visits: list[Visit] = [_found]
    definite = [True]  # whether the steps from one on are
    for step in reversed(steps):
        definite.append(step.definite and definite[-1])
    definite.reverse()
    for at in range(len(steps) - 1, -1, -1):
        # A missing member ends the way in silence where this step, the one before or one behind is not definite.
        silent = not definite[max(0, at - 1)]
        visits.append(_visit(steps, at, visits, silent=silent, all_names=all_names))
    return visits[-1]


def _found(walk: Walk, value: Any, _where: Where, _bare: bool) -> None:
    walk.found.append(value)


def _visit(steps: Sequence[Step], at: int, visits: Sequence[Visit], *, silent: bool, all_names: bool) -> Visit:
    """The visit of one step; `visits` are those of the steps behind it, the next one last."""
    step, then, leaf = steps[at], visits[-1], at + 1 == len(steps)

    def rest() -> str:
        return "".join(map(str, steps[at:]))

    match step:
        case Names((name,)):
            return _named(name, then, leaf=leaf, silent=silent)
        case Names():
            return _several(step, then if leaf else None, all_names=all_names)
        case Index() | FromEnd() | Indexes() | Slice():
            return _elements(step, rest, then)
        case Wild():
            return _all(then)
        case Filter(keeps):
            return _kept(keeps, rest, then)
        case Scan():
            return _scan(steps[at + 1], then, visits[-2] if at + 2 < len(steps) else None)
        case Stay():
            return lambda walk, value, _where, bare: then(walk, value, None, bare)
        case _:
            assert_never(step)


def _shown(where: Where) -> str:
    parts: list[str] = []
    while where is not None:
        where, key = where
        parts.append(f"['{key}']" if isinstance(key, str) else f"[{key}]")
    return "$" + "".join(reversed(parts))


def _shown_value(value: Any, *, bare: bool) -> str:
    return value if bare and isinstance(value, str) else json_text(value)


def _named(name: str, then: Visit, *, leaf: bool, silent: bool) -> Visit:
    def visit(walk: Walk, value: Any, where: Where, _bare: bool) -> None:
        if not isinstance(value, dict):
            raise PathNotFoundError(f"Property ['{name}'] not found in path {_shown(where)}")
        if name in value:
            then(walk, value[name], (where, name), True)
        elif leaf:
            raise PathNotFoundError(f"No results for path: {_shown((where, name))}")
        elif not silent:
            raise PathNotFoundError(f"Missing property in path {_shown((where, name))}")

    return visit


def _several(step: Names, then: Visit | None, *, all_names: bool) -> Visit:
    def visit(walk: Walk, value: Any, where: Where, _bare: bool) -> None:
        if not isinstance(value, dict):
            raise PathNotFoundError(f"Property {step} not found in path {_shown(where)}")
        if then is None:
            raise PathError(f"Multi properties can only be used as path leafs: {_shown(where)}{step}")
        if all_names and not all(name in value for name in step.names):
            raise PathNotFoundError(f"Missing property in path {_shown(where)}{step}")
        then(walk, {name: value[name] for name in step.names if name in value}, where, True)

    return visit


def _places(step: Index | FromEnd | Indexes | Slice, length: int) -> Sequence[int]:
    """The numbers of the elements, some of which may not be there."""
    match step:
        case Index(place):
            return (place,)
        case FromEnd(offset):
            return (length + offset,)
        case Indexes(places):
            return places
        case Slice(first, last):
            return _slice(first, last, length)
        case _:
            assert_never(step)


def _slice(first: int | None, last: int | None, length: int) -> range:
    """An open slice counts a negative number from the end; one with both sides does not, and meets nothing there."""
    if last is None:
        first = first or 0
        return range(max(0, first if first >= 0 else length + first), length)
    if first is None:
        return range(min(length, last if last >= 0 else length + last))
    return range(first, min(length, last)) if length else range(0)


def _elements(step: Index | FromEnd | Indexes | Slice, rest: Callable[[], str], then: Visit) -> Visit:
    def visit(walk: Walk, value: Any, where: Where, bare: bool) -> None:
        if value is None and bare:
            raise PathNotFoundError(f"The path {_shown(where)} is null")
        if not isinstance(value, list):
            context = _shown_value(value, bare=bare)
            raise PathError(f"Filter: {rest()} can only be applied to arrays. Current context is: {context}")
        places = _places(step, len(value))
        walk.passes(len(places))
        for place in places:
            if 0 <= place < len(value):
                then(walk, value[place], (where, place), False)
            else:
                then(walk, None, (where, place), True)

    return visit


def _all(then: Visit) -> Visit:
    def visit(walk: Walk, value: Any, where: Where, _bare: bool) -> None:
        if isinstance(value, dict):
            walk.passes(len(value))
            for name, member in value.items():
                then(walk, member, (where, name), True)
        elif isinstance(value, list):
            walk.passes(len(value))
            for place, element in enumerate(value):
                try:
                    then(walk, element, (where, place), False)
                except PathNotFoundError:
                    continue  # elements that lack what is asked for are left out; members are not

    return visit


def _kept(keeps: Callable[[Any, Any], bool], rest: Callable[[], str], then: Visit) -> Visit:
    def visit(walk: Walk, value: Any, where: Where, bare: bool) -> None:
        if isinstance(value, dict):
            walk.passes(1)
            if keeps(value, walk.root):
                then(walk, value, where, bare)
        elif isinstance(value, list):
            walk.passes(len(value))
            for place, element in enumerate(value):
                if keeps(element, walk.root):
                    then(walk, element, (where, place), False)
        else:
            context = _shown_value(value, bare=bare)
            raise PathError(f"Filter: {rest()} can not be applied to primitives. Current context is: {context}")

    return visit


def _scan(target: Step, then: Visit, after: Visit | None) -> Visit:
    """`then` is the visit of the target, the step behind the scan, and `after` that of the step behind the target."""
    suits = _suits(target)

    def visit(walk: Walk, value: Any, where: Where, bare: bool) -> None:
        stack = [(value, where, bare)]  # no recursion: payloads nest deeper than Python's stack allows
        while stack:
            here, way, known = stack.pop()
            if isinstance(here, dict):
                walk.passes(1)
                if suits(here, walk.root):
                    then(walk, here, way, known)
                below = [(member, (way, name), True) for name, member in here.items() if _has_more(member)]
                stack.extend(reversed(below))
            elif isinstance(here, list):
                walk.passes(1)
                if suits(here, walk.root):
                    if after is None:
                        then(walk, here, way, known)
                    else:  # AWS's engine goes on from every element here, whatever the target says
                        walk.passes(len(here))
                        for place, element in enumerate(here):
                            after(walk, element, (way, place), True)
                below = [(element, (way, place), True) for place, element in enumerate(here) if _has_more(element)]
                stack.extend(reversed(below))

    return visit


def _has_more(value: Any) -> bool:
    return isinstance(value, dict | list)


def _suits(target: Step) -> Callable[[Any, Any], bool]:
    """Whether the step behind a scan is taken from a place: (object or array, root) → taken."""
    match target:
        case Names(names):
            return lambda value, _root: isinstance(value, dict) and all(name in value for name in names)
        case Index() | FromEnd() | Indexes() | Slice():
            return lambda value, _root: isinstance(value, list)
        case Wild():
            return lambda _value, _root: True
        case Filter(keeps):
            return keeps
        case Scan() | Stay():
            return lambda _value, _root: False
        case _:
            assert_never(target)
