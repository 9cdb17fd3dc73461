"""Values that are put together from what a Task asked for and what its service said. Pure.

A table of services can so say where a job's id is found, and what the call that asks after the job is given.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class From(NamedTuple):
    """The member that `path` leads to in one of the sources; all of the source if the path is empty."""

    source: str
    path: tuple[str | int, ...]


Template = From | str | Mapping[str, "Template"] | tuple["Template", ...]
"""A value with places that are filled."""


def asked(*path: str | int) -> From:
    """A member of the Task's Parameters."""
    return From("asked", path)


def answered(*path: str | int) -> From:
    """A member of the answer to the call that the Task makes."""
    return From("answered", path)


def job(*path: str | int) -> From:
    """A member of the job as its service describes it."""
    return From("job", path)


def filled(template: Template, **sources: Any) -> Any:
    """The value; a member that is nowhere is None."""
    match template:
        case From():
            return at(sources[template.source], template.path)
        case str():
            return template
        case Mapping():
            return {name: filled(each, **sources) for name, each in template.items()}
        case _:
            return [filled(each, **sources) for each in template]


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    """What a path leads to, or None. Parameters may write the first letter of a member small."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        elif isinstance(value, dict):
            value = value.get(step, value.get(step[:1].lower() + step[1:]))
        else:
            return None
    return value
