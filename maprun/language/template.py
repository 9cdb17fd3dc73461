"""Payload templates of JSONPath states: JSON in which members named `….$` hold expressions."""

from collections.abc import Mapping
from typing import Any

from maprun.language.errors import PathError
from maprun.language.expression import Expression, not_found
from maprun.language.scope import Evaluate, Scope


class Literal:
    """A value that is the same for everybody; nobody may change it in place."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Dynamic:
    """A member's expression; `field` is the member's name as written, for messages."""

    __slots__ = ("expression", "field")

    def __init__(self, expression: Expression, field: str) -> None:
        self.expression = expression
        self.field = field


class ObjectNode:
    """An object with at least one expression somewhere below."""

    __slots__ = ("members",)

    def __init__(self, members: tuple[tuple[str, "Node"], ...]) -> None:
        self.members = members


class ArrayNode:
    """An array with at least one expression somewhere below."""

    __slots__ = ("elements",)

    def __init__(self, elements: tuple["Node", ...]) -> None:
        self.elements = elements


Node = Literal | Dynamic | ObjectNode | ArrayNode


def parse_template(value: Any) -> Node:
    """The template's tree. Raises PathSyntaxError."""
    if isinstance(value, Mapping):
        members: list[tuple[str, Node]] = []
        for key, inner in value.items():
            if key.endswith(".$"):
                members.append((key[:-2], Dynamic(Expression(inner), key)))
            else:
                members.append((key, parse_template(inner)))
        if all(isinstance(node, Literal) for _, node in members):
            return Literal(value)
        return ObjectNode(tuple(members))
    if isinstance(value, list):
        elements = tuple(map(parse_template, value))
        return Literal(value) if all(isinstance(node, Literal) for node in elements) else ArrayNode(elements)
    return Literal(value)


def compile_node(node: Node) -> Evaluate:
    """The function that fills the template in."""
    if isinstance(node, Literal):
        value = node.value
        return lambda _root, _scope: value
    if isinstance(node, Dynamic):
        return _dynamic(node)
    if isinstance(node, ArrayNode):
        elements = tuple(map(compile_node, node.elements))
        return lambda root, scope: [element(root, scope) for element in elements]
    members = tuple((key, compile_node(inner)) for key, inner in node.members)
    return lambda root, scope: {key: evaluate(root, scope) for key, evaluate in members}


def _dynamic(node: Dynamic) -> Evaluate:
    evaluate, field, text = node.expression.evaluate, node.field, node.expression.text

    def read(root: Any, scope: Scope) -> Any:
        try:
            return evaluate(root, scope)
        except PathError as missing:
            raise not_found(text, field, root) from missing

    return read


def reads(node: Node) -> frozenset[str]:
    """Which of "input", "context", "variable" and "chance" the expressions below a node read, `$$.Map` aside."""
    if isinstance(node, Literal):
        return frozenset()
    if isinstance(node, Dynamic):
        return node.expression.reads
    inner = node.elements if isinstance(node, ArrayNode) else tuple(inner for _, inner in node.members)
    return frozenset().union(*map(reads, inner))


def reads_item(node: Node) -> bool:
    """True when the node's value can differ from item to item of a Map."""
    if isinstance(node, Literal):
        return False
    if isinstance(node, Dynamic):
        return node.expression.reads_item
    if isinstance(node, ArrayNode):
        return any(map(reads_item, node.elements))
    return any(reads_item(inner) for _, inner in node.members)
