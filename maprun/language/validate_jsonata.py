"""Validation of JSONata: every expression within a value, wherever a JSONata state may hold one.

An expression has no context item: a name, `$` or `$$` that reads one is refused. Later steps of a path, predicates,
sort terms, groups and transforms have one of their own, so names are free there (measured on AWS by others, the words
too; those for mistyped brackets are ours).
"""

from collections.abc import Iterator
from typing import Any

from maprun.language.diagnostics import Diagnostic, error
from maprun.language.jsonata import BadExpressionError, mistyped, read, source_of
from maprun.language.jsonata_parse import Node

INVALID = "INVALID_JSONATA_EXPRESSION"
UNSUPPORTED = "UNSUPPORTED_JSONATA_EXPRESSION"
INPUT = frozenset({"input", "context"})
"""The members of `$states` that every expression may read."""
RESULT = INPUT | {"result"}
"""In Output and Assign of a state that has a result: Task, Parallel and Map."""
ERROR_OUTPUT = INPUT | {"errorOutput"}
"""In Output and Assign of a catcher."""
_OPAQUE = ("transform", "sort", "regex")


def check_jsonata(value: Any, pointer: str, offered: frozenset[str]) -> Iterator[Diagnostic]:
    """A JSON value in which strings may be expressions; `offered` are the members of `$states` that they may read."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from check_jsonata(inner, f"{pointer}/{key}", offered)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from check_jsonata(inner, f"{pointer}[{at}]", offered)
    elif isinstance(value, str):
        source = source_of(value)
        if source is not None:
            yield from _check(source, pointer, offered)
        elif mistyped(value):
            yield error(INVALID, MISTYPED, pointer)


MISTYPED = "A JSONata expression must begin with '{%' and end with '%}', with nothing before or after it"


def _check(source: str, pointer: str, offered: frozenset[str]) -> Iterator[Diagnostic]:
    """One expression, without its brackets."""
    try:
        tree, _, _ = read(source)
    except BadExpressionError as bad:
        yield error(INVALID, str(bad), pointer)
        return
    refusals: dict[str, None] = {}
    for node in top_level(tree):
        words = _refused(node, offered)
        if words:
            refusals.setdefault(words)
    for words in refusals:
        yield error(UNSUPPORTED, words, pointer)


def top_level(tree: Node) -> Iterator[Node]:
    """The nodes that are evaluated without a context item, in the order written; of a path the whole comes first."""
    open_nodes = [tree]
    while open_nodes:
        node = open_nodes.pop()
        yield node
        if node.kind == "path":
            open_nodes.append(node.parts[0])
        elif node.kind not in _OPAQUE:
            open_nodes += reversed(node.parts)


def _refused(node: Node, offered: frozenset[str]) -> str:
    """Why this node can't be; an empty text where it can."""
    if node.kind == "name":
        return f"Reference to '{node.value}' at the top level is not supported."
    if node.kind == "variable" and node.value == "":
        return "Reference to '$' at the top level is not supported."
    if node.kind == "variable" and node.value == "$":
        return "Reference to '$$' is not supported."
    if node.kind == "path" and len(node.parts) > 1:
        first, second = node.parts[:2]
        read = first.kind == "variable" and first.value == "states" and second.kind == "name"
        if read and second.value not in offered:
            return f"Field '$states.{second.value}' does not exist."
    return ""
