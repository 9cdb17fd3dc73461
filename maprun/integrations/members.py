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


def renamed(answer: Mapping[str, Any], template: Mapping[str, Template], asked: Any) -> dict[str, Any]:
    """An answer with the template's members in place of those that it is filled from."""
    taken = {each.path[0] for each in template.values() if isinstance(each, From) and each.source == "answered"}
    kept = {name: value for name, value in answer.items() if name not in taken}
    return kept | {name: filled(each, asked=asked, answered=answer) for name, each in template.items()}


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
