"""Loops of an expression whose turns are known before they begin: one guard for all of them, not one in each.

- The function written in a call of `$map`, `$filter`, `$single`, `$reduce` or `$sort` runs once for each element (for
  each comparison): nobody else can call it. So the elements are counted where they are handed over. The same holds for
  a function with a name, `$f := function…;`, that is read in one such call and nowhere else.
- `$states.input.items.{…}` gives one object for each element that the names lead to.
- What is put into each turn's value unconditionally and is the same in all of them, `$states.context.Execution.Id`, has
  its size counted once, times the turns.
- `$map`, in no other loop, over what the state was given: all that its elements lead to, each put once, is no larger
  than that, which AWS bounds with 256 KiB. That is not counted, for up to `UNCOUNTED_MAX` places.
"""

import msgspec

from maprun.language.jsonata_parse import Node, nodes_of

UNCOUNTED_MAX = 64
"""Of places in one expression: with what AWS bounds they hold 16 MiB."""
TURNS, COMPARED, EACH = "turns__", "compared__", "each__"
_SEQUENCES = ("map", "filter", "single", "reduce", "sort")
_EVALUATING_TWICE = ("map", "filter", "single", "reduce")
_KEEPS_NOTHING = ("filter", "single", "sort")
_PARTS_OF_FIRST = ("filter", "sort", "reverse", "distinct")
_SMALL = frozenset(
    ("abs", "average", "boolean", "ceil", "contains", "count", "exists", "floor", "length", "max", "millis", "min",
     "not", "number", "parseInteger", "power", "random", "round", "sqrt", "sum", "toMillis", "type")
)  # fmt: skip
"""Functions that give a number, a boolean or the name of a type, or fail."""
_TEXTS = frozenset(("lowercase", "string", "substring", "substringAfter", "substringBefore", "trim", "uppercase"))
"""Functions whose text is hardly longer than their first argument."""
_ONCE = ("apply", "array", "binary", "bind", "block", "call", "condition", "negate")
"""What evaluates each of its parts once at most."""


class Loop(msgspec.Struct, eq=False):
    """One such loop: what is counted, by which guard, and what each turn holds that is the same in all of them."""

    counted: str
    guard: str
    element: str = ""
    """The parameter that is one element, if all elements together are bounded."""
    kept: bool = True
    """What the function gives becomes part of a value."""
    held: list[str] = []

    def call(self) -> str:
        """The guard's call; empty where there is nothing to count."""
        held = "".join(f",{one}" for one in self.held)
        return f"${self.guard}($count({self.counted}){held});" if held or self.guard != EACH else ""

    def opens(self) -> str:
        """What stands before a value that is counted."""
        return "($v__:=" if self.guard != EACH else f"({self.call()}"

    def closes(self) -> str:
        """What stands behind it."""
        return f";{self.call()}$v__)" if self.guard != EACH else ")"


class Loops:
    """The loops of one expression, by the id of the function or the path that they are."""

    def __init__(self, source: str, nodes: list[Node], bound: set[str]) -> None:
        self.source = source
        self.bound = bound
        self.uncounted = 0
        self.aliases = {} if "lambda" not in {node.kind for node in nodes} else self._aliases(nodes)
        self.named = _named(nodes, self.aliases)
        self.parents = {id(part): node for node in nodes for part in node.parts} if self.named else {}
        self.functions: dict[int, Loop] = {}
        self.subjects: dict[int, Loop] = {}
        if "count" not in bound:
            for node in nodes:
                self._call(node)

    def _aliases(self, nodes: list[Node]) -> dict[str, Node]:
        """Variables bound in one place alone."""
        binds = [node for node in nodes if node.kind == "bind"]
        names = [str(node.value) for node in binds]
        parameters = {str(name) for node in nodes if node.kind == "lambda" for name in node.value}
        return {
            name: bind.parts[0]
            for name, bind in zip(names, binds, strict=True)
            if names.count(name) == 1 and name not in parameters
        }

    def twice(self, call: Node, subject: Node) -> bool:
        """True for a call of which the engine would evaluate the subject twice, and that holds such a call in turn."""
        return self._maps(call) and any(map(self._maps, nodes_of(subject)))

    def _maps(self, call: Node) -> bool:
        name = call.parts[0].value if call.kind == "call" and call.parts[0].kind == "variable" else None
        return name in _EVALUATING_TWICE and name not in self.bound and len(call.parts) > 1

    def _call(self, node: Node) -> None:
        """Finds `$map(subject, function…)` and `subject ~> $map(function…)`."""
        if node.kind == "apply":
            subject, call = node.parts
            given = [subject, *call.parts[1:]]
        else:
            call, given = node, node.parts[1:]
        if call.kind != "call" or len(given) < 2:  # noqa: PLR2004
            return
        name = call.parts[0].value
        if call.parts[0].kind != "variable" or name not in _SEQUENCES or name in self.bound:
            return
        subject, handed = given[:2]
        function = self.named.get(id(handed), handed)
        if function.kind != "lambda":
            return
        if any(inner.kind == "bind" for inner in nodes_of(subject)):
            return  # what it binds may be read behind the call
        loop = Loop("$v__", COMPARED if name == "sort" else TURNS, kept=name not in _KEEPS_NOTHING)
        parameters = function.value
        bounded = name == "map" and parameters and parameters[0] not in self._rebound(function) and self.given(subject)
        if bounded and (function is handed or self._once(function, call)):
            loop.element = parameters[0]
        self.functions[id(function)] = self.subjects[id(subject)] = loop

    def _once(self, function: Node, call: Node) -> bool:
        """True if a call runs once at most where the block that binds its function by name runs once."""
        block = self.parents[id(self.parents[id(function)])]
        at = call
        while at is not block:
            outer = self.parents.get(id(at))
            if outer is None or outer.kind not in _ONCE:
                return False
            at = outer
        return True

    def _rebound(self, function: Node) -> set[str]:
        inner = list(nodes_of(function.parts[0]))
        names = {str(node.value) for node in inner if node.kind == "bind"} | set(function.value[1:])
        return names.union(*(node.value for node in inner if node.kind == "lambda"))

    def given(self, node: Node, depth: int = 0) -> bool:
        """True for what is part of what the state was given, and no larger: `$states.input.items[price > 1]`."""
        if node.kind == "call":
            called = node.parts[0]
            mine = called.kind == "variable" and called.value in _PARTS_OF_FIRST and called.value not in self.bound
            return mine and len(node.parts) > 1 and self.given(node.parts[1], depth)
        first = node.parts[0] if node.kind == "path" else node
        if node.group is not None or first.kind != "variable" or not first.value or first.value == "$":
            return False
        if node.kind == "path" and any(step.kind != "name" or step.group is not None for step in node.parts[1:]):
            return False
        name = str(first.value)
        if name not in self.bound:
            return True
        return name in self.aliases and depth < len(self.aliases) and self.given(self.aliases[name], depth + 1)

    def same(self, node: Node) -> bool:
        """True for a variable that the expression does not bind, and names from it on, as they are."""
        steps = node.parts if node.kind == "path" else [node]
        first = steps[0]
        return (
            first.kind == "variable"
            and first.value not in {"", "$", *self.bound}
            and node.group is None
            and not any(step.predicates or step.group for step in steps)
            and all(step.kind == "name" for step in steps[1:])
        )

    def path(self, node: Node) -> tuple[Loop, int] | None:
        """The loop of `$states.input.items.{…}`, and which step is its turn."""
        for at, step in enumerate(node.parts):
            if at and step.kind in ("object", "array", "block"):
                before = Node("path", node.start, node.parts[at - 1].end, parts=node.parts[:at])
                if not self.same(before) or "count" in self.bound:
                    return None
                return Loop(self.source[before.start : before.end], EACH), at
        return None

    def bounded(self, node: Node, element: str) -> bool:
        """True for what an element leads to, once for each; and what a function makes of it that is no larger."""
        if node.kind == "call":
            called = node.parts[0]
            if called.kind != "variable" or called.value not in _TEXTS or called.value in self.bound:
                return False
            return len(node.parts) > 1 and self.bounded(node.parts[1], element)
        steps = node.parts if node.kind == "path" else [node]
        plain = all(step.kind == "name" and step.group is None for step in steps[1:])
        if not plain or steps[0].kind != "variable" or steps[0].value != element or node.group is not None:
            return False
        self.uncounted += 1
        return self.uncounted <= UNCOUNTED_MAX

    def small(self, node: Node) -> bool:
        """True for a call that gives a number or the like."""
        if node.kind != "call" or node.parts[0].kind != "variable":
            return False
        name = node.parts[0].value
        return name in _SMALL and name not in self.bound


def _named(nodes: list[Node], aliases: dict[str, Node]) -> dict[int, Node]:
    """By the id of a variable the function that it stands for, if nothing else can call that function.

    It is bound as a statement of its own (the value of a binding could be handed on), and read in one place.
    """
    statements = {id(part) for node in nodes if node.kind == "block" for part in node.parts[:-1]}
    alone = {str(node.value) for node in nodes if node.kind == "bind" and id(node) in statements}
    read: dict[str, list[Node]] = {}
    for node in nodes:
        if node.kind == "variable":
            read.setdefault(str(node.value), []).append(node)
    return {
        id(places[0]): aliases[name]
        for name, places in read.items()
        if name in alone and name in aliases and len(places) == 1 and not (places[0].predicates or places[0].group)
    }
