"""The tree of a JSONata expression, with the place of each node: a Pratt parser of the grammar of JSONata 2.0.6.

The engine has a parser too, but shows no tree, speaks of other errors and takes operators of later versions. This one
serves when an expression is read: what AWS refuses is found in the tree (`jsonata_check`), and the places say where the
text gets its guards (`jsonata_guards`).
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

import msgspec

from maprun.language.jsonata_tokens import JsonataSyntaxError, Token, Tokenizer

DEPTH_MAX = 150
"""Of brackets, operands to the right and else-branches within each other. AWS evaluates no more than 100 levels."""
LEFT_BINDING = {
    ".": 75, "[": 80, "{": 70, "(": 80, "@": 80, "#": 80, "?": 20, "+": 50, "-": 50, "*": 60, "/": 60, "%": 60,
    "=": 40, "<": 40, ">": 40, "^": 40, "!=": 40, "<=": 40, ">=": 40, "~>": 40, "and": 30, "or": 25, "in": 40,
    "&": 50, ":=": 10,
}  # fmt: skip
_PREFIX_BINDING = 70
_UNKNOWN = ("!", "~")
_SIMPLE = {"*": "wildcard", "**": "descendant", "%": "parent"}
_One = TypeVar("_One")


class TooDeepError(ValueError):
    """An expression nests deeper than a parser's or an engine's stack could follow."""


class Node(msgspec.Struct, eq=False):
    """One expression. `start` and `end` are places in the source; `parts` are its operands in the order written.

    By kind, `value` and parts:
      name, string, number, value, regex, variable: what is written; no parts
      wildcard, descendant, parent, placeholder, end: neither
      path: steps; array, block: elements; object: key, value, key, value and so on; negate: operand; range: first, last
      binary, apply: the operator; left, right. bind: the variable's name; value. lambda: its parameters; body
      call, partial: function, arguments; condition: test, then, else; transform: pattern, update, delete
      sort, a step of a path: terms
    """

    kind: str
    start: int
    end: int
    value: Any = None
    parts: list["Node"] = []
    predicates: list["Node"] = []
    group: list["Node"] | None = None
    single: bool = False
    """A path of one step that no name made: its step may be any expression."""


def parse(source: str) -> Node:
    """The tree. Raises JsonataSyntaxError as the reference would, TooDeepError."""
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self.tokens = Tokenizer(source)
        self.token = self.read(infix=False)
        self.before = 0
        self.depth = 0
        self.late: list[JsonataSyntaxError] = []
        """What the reference finds in a second pass, after the whole text was read."""

    def whole(self) -> Node:
        tree = self.expression(0)
        if self.token.kind != "(end)":
            raise JsonataSyntaxError("S0201", token=self.token.value)
        if self.late:
            raise self.late[0]
        return tree

    def advance(self, expected: str = "", *, infix: bool = False) -> Token:
        """Goes on to the next token and gives the one before it."""
        token = self.token
        if expected and not (token.kind == "operator" and token.value == expected):
            if token.kind == "(end)":
                raise JsonataSyntaxError("S0203", value=expected)
            raise JsonataSyntaxError("S0202", value=expected, token=token.value)
        self.before = token.end
        self.token = self.read(infix=infix)
        return token

    def read(self, *, infix: bool) -> Token:
        token = self.tokens.next(infix=infix)
        if token.kind == "operator" and token.value in _UNKNOWN:
            raise JsonataSyntaxError("S0204", token=token.value)
        return token

    def is_next(self, *signs: str) -> bool:
        return self.token.kind == "operator" and self.token.value in signs

    def expression(self, binding: int) -> Node:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise TooDeepError(f"The expression nests deeper than {DEPTH_MAX} levels")
        left = self.prefix(self.advance(infix=True))
        while self.token.kind == "operator" and binding < LEFT_BINDING.get(self.token.value, 0):
            left = self.infix(left, self.advance())
        self.depth -= 1
        return left

    def prefix(self, token: Token) -> Node:
        kind, start = token.kind, token.start
        if kind == "(end)":
            self.late.append(JsonataSyntaxError("S0207"))
            return Node("end", start, start)
        if kind == "name" or (kind == "operator" and token.value in ("and", "or", "in")):
            return Node("path", start, token.end, parts=[Node("name", start, token.end, token.value)])
        if kind != "operator":
            return Node(kind, start, token.end, token.value)
        simple = _SIMPLE.get(token.value)
        if simple:
            return Node(simple, start, token.end)
        if token.value in self.brackets:
            return self.brackets[token.value](self, start)
        if token.value != "-":
            raise JsonataSyntaxError("S0211", token=token.value)
        operand = self.expression(_PREFIX_BINDING)
        if operand.kind == "number":
            return Node("number", start, operand.end, -operand.value)
        return Node("negate", start, operand.end, parts=[operand])

    def many(self, one: Callable[[], _One]) -> list[_One]:
        """Elements parted by commas, at least one."""
        out = [one()]
        while self.is_next(","):
            self.advance(",")
            out.append(one())
        return out

    def block(self, start: int) -> Node:
        parts = []
        while not self.is_next(")"):
            parts.append(self.expression(0))
            if not self.is_next(";"):
                break
            self.advance(";")
        self.advance(")", infix=True)
        return Node("block", start, self.before, parts=parts)

    def array(self, start: int) -> Node:
        parts = [] if self.is_next("]") else self.many(self.element)
        self.advance("]", infix=True)
        return Node("array", start, self.before, parts=parts)

    def element(self) -> Node:
        first = self.expression(0)
        if not self.is_next(".."):
            return first
        self.advance("..")
        last = self.expression(0)
        return Node("range", first.start, last.end, parts=[first, last])

    def pairs(self, start: int) -> Node:
        pairs = [] if self.is_next("}") else self.many(self.pair)
        self.advance("}", infix=True)
        return Node("object", start, self.before, parts=[part for pair in pairs for part in pair])

    def pair(self) -> tuple[Node, Node]:
        key = self.expression(0)
        self.advance(":")
        return key, self.expression(0)

    def transform(self, start: int) -> Node:
        parts = [self.expression(0)]
        self.advance("|")
        parts.append(self.expression(0))
        if self.is_next(","):
            self.advance(",")
            parts.append(self.expression(0))
        self.advance("|")
        return Node("transform", start, self.before, parts=parts)

    def infix(self, left: Node, operator: Token) -> Node:
        sign = operator.value
        if sign in self.special:
            return self.special[sign](self, left, operator)
        right = self.expression(LEFT_BINDING[sign])
        if sign == ".":
            return self.step(left, right)
        kind = "apply" if sign == "~>" else "binary"
        return Node(kind, left.start, max(right.end, self.before), sign, [left, right])

    def step(self, left: Node, right: Node) -> Node:
        path = _as_path(left)
        steps = right.parts if right.kind == "path" else [right]
        path.parts += steps
        path.end, path.single = self.before, False
        for step in (path.parts[0], *steps):
            if step.kind in ("number", "value"):
                self.late.append(JsonataSyntaxError("S0213", value=step.value))
            elif step.kind == "string":
                step.kind = "name"
        return path

    def predicate(self, left: Node, _operator: Token) -> Node:
        if self.is_next("]"):
            self.advance("]")  # as the reference does: what follows is read as an operand may begin
            left.end = self.before
            return left
        inner = self.expression(0)
        self.advance("]", infix=True)
        path = _as_path(left)
        step = path.parts[-1]
        if step.group is not None:
            self.late.append(JsonataSyntaxError("S0209"))
        step.predicates.append(inner)
        path.end = self.before
        return path

    def grouped(self, left: Node, operator: Token) -> Node:
        pairs = self.pairs(operator.start)
        path = _as_path(left)
        if path.group is not None:
            self.late.append(JsonataSyntaxError("S0210"))
        path.group = pairs.parts
        if path.single:
            path.parts[0].group = pairs.parts
        path.end = self.before
        return path

    def ordered(self, left: Node, operator: Token) -> Node:
        self.advance("(")
        terms = self.many(self.term)
        self.advance(")")
        path = _as_path(left)
        path.parts.append(Node("sort", operator.start, self.before, parts=terms))
        path.end, path.single = self.before, False
        return path

    def term(self) -> Node:
        if self.is_next("<", ">"):
            self.advance()
        return self.expression(0)

    def condition(self, test: Node, _operator: Token) -> Node:
        parts = [test, self.expression(0)]
        if self.is_next(":"):
            self.advance(":")
            parts.append(self.expression(0))
        return Node("condition", test.start, self.before, parts=parts)

    def bind(self, left: Node, _operator: Token) -> Node:
        if left.kind != "variable":
            raise JsonataSyntaxError("S0212")
        value = self.expression(LEFT_BINDING[":="] - 1)
        return Node("bind", left.start, self.before, left.value, [value])

    def bound_step(self, left: Node, operator: Token) -> Node:
        right = self.expression(LEFT_BINDING[operator.value])
        if right.kind != "variable":
            raise JsonataSyntaxError("S0214", token=operator.value)
        path = _as_path(left)
        step = path.parts[-1]
        if operator.value == "@" and step.predicates:
            self.late.append(JsonataSyntaxError("S0215"))
        elif operator.value == "@" and step.kind == "sort":
            self.late.append(JsonataSyntaxError("S0216"))
        path.end = self.before
        return path

    def call(self, function: Node, _operator: Token) -> Node:
        partial, arguments = False, []
        if not self.is_next(")"):
            arguments = self.many(self.argument)
            partial = any(argument.kind == "placeholder" for argument in arguments)
        self.advance(")", infix=True)
        step = function.parts[0] if function.kind == "path" and len(function.parts) == 1 else function
        if step.kind == "name" and step.value in ("function", "λ") and not step.predicates:
            return self.function(function.start, arguments)
        kind = "partial" if partial else "call"
        return Node(kind, function.start, self.before, parts=[function, *arguments])

    def argument(self) -> Node:
        if not self.is_next("?"):
            return self.expression(0)
        token = self.advance("?")
        return Node("placeholder", token.start, token.end)

    def function(self, start: int, arguments: list[Node]) -> Node:
        for at, argument in enumerate(arguments, 1):
            if argument.kind != "variable":
                raise JsonataSyntaxError("S0208", value=at)
        if self.is_next("<"):
            self.signature()
        self.advance("{")
        body = self.expression(0)
        self.advance("}")
        return Node("lambda", start, self.before, [argument.value for argument in arguments], [body])

    def signature(self) -> None:
        depth, text = 1, "<"
        while depth > 0 and not self.is_next("{") and self.token.kind != "(end)":
            self.advance()
            depth += self.is_next("<") - self.is_next(">")
            text += str(self.token.value)
        self.advance(">")
        check_signature(text)

    brackets: ClassVar[dict[str, Callable[["_Parser", int], Node]]] = {
        "(": block, "[": array, "{": pairs, "|": transform,
    }  # fmt: skip
    special: ClassVar[dict[str, Callable[["_Parser", Node, Token], Node]]] = {
        "(": call, "[": predicate, "{": grouped, "^": ordered, "?": condition, ":=": bind,
        "@": bound_step, "#": bound_step,
    }  # fmt: skip


def _as_path(node: Node) -> Node:
    if node.kind == "path":
        return node
    return Node("path", node.start, node.end, parts=[node], single=True)


def check_signature(text: str) -> None:
    """A lambda's signature such as `<a<n>n?:n>`. Raises JsonataSyntaxError."""
    at, before = 1, ""
    while at < len(text) and text[at] != ":":
        sign = text[at]
        if sign == "(":
            start, at = at, _closing(text, at, "(", ")")
            if "<" in text[start:at]:
                raise JsonataSyntaxError("S0402")
            before = "("
        elif sign == "<":
            if before not in ("a", "f"):
                raise JsonataSyntaxError("S0401")
            at = _closing(text, at, "<", ">")
        elif sign not in "-?+":
            before = sign
        at += 1


def _closing(text: str, at: int, opens: str, closes: str) -> int:
    depth = 0
    while at < len(text):
        depth += (text[at] == opens) - (text[at] == closes)
        if depth == 0:
            return at
        at += 1
    return at


def nodes_of(tree: Node) -> Iterator[Node]:
    """Every node of a tree."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        yield node
        nodes += [*node.parts, *node.predicates, *(node.group or ())]
