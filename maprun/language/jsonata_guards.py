"""Where an expression's text gets calls that count its work, bound its texts and reach AWS's functions.

The engine tells host functions neither that an argument is undefined nor lets them give undefined, counts no work, and
lets `&` double a text for ever. So the text it compiles is the written one with calls put in: nothing is taken out, and
what an expression gives stays the same.

- `$hash(a, b)` becomes `$lookup($hash__({"v": a}, {"v": b}), "v")`: a member that is undefined is absent.
- The body of a function, and what is evaluated for each item within another loop, becomes `($spent__(); …)`; the last
  number of a range tells how many items there will be. What would never end, ends by that count, everywhere alike.
- A run of texts joined by `&` is handed through `$joined__`, where it can come to a place twice.
- `$map($map(…), f)` becomes `(function($a0__, $a1__){$map($a0__, $a1__)})($map(…), f)`: the engine evaluates what it
  maps over twice, and so what is nested forty times over a million million times.
- A value that is put into another one, or given by a step or a function's body, becomes `($v__ := …; $held__($v__);
  $v__)` where that can happen again and again: the engine shares parts of a tree, but writes each out in the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from maprun.language.jsonata_functions import SIGNATURES, parameters
from maprun.language.jsonata_loops import Loop, Loops
from maprun.language.jsonata_parse import Node, nodes_of

MARK = "__"
"""What names of guards end with; a name that an expression itself binds so is left alone."""
JOINED, SPENT, FIRST, LAST, HELD, PAIRS = "joined__", "spent__", "first__", "last__", "held__", "pairs__"
WRAP = "v"
_OF_CONTEXT = {"pad": 2, "formatInteger": 2}
"""Functions that take their first argument from the context when fewer are given than so many."""
_STEPS = ("name", "wildcard", "descendant", "parent", "variable", "sort")
_PILING_CALLS = ("append", "zip")
PILING_BINDS = 2
PILING_VARIABLES = 200
"""So many variables in one expression, or values bound in it, can make something large without any loop."""
_COMPUTING = frozenset(("binary", "negate", "call", "partial", "apply", "variable"))
_GUARDED = frozenset(("lambda", "range", "apply", "bind", "sort", "transform"))
_LITERALS = ("number", "string", "value", "array", "path")


@dataclass(slots=True)
class Guarded:
    """The text for the engine, the functions of AWS's it calls, the guards, and whether it computes numbers."""

    text: str
    called: set[str] = field(default_factory=set)
    guards: set[str] = field(default_factory=set)
    computes: bool = False


class _Place(msgspec.Struct, eq=False):
    """A node on the way: how many loops it is in (a function's body counts as two), and what it is to its parent."""

    node: Node
    loops: int
    role: str = ""
    kept: bool = False
    """Its value becomes part of another one, or of the result."""
    loop: Loop | None = None
    """Whose turns each come to this place."""
    element: str = ""
    """The parameter that is one element of bounded ones, where each turn comes once at most."""


def guarded(source: str, tree: Node) -> Guarded:
    """The expression with its guards."""
    return _Guards(source, tree).text()


class _Guards:
    def __init__(self, source: str, tree: Node) -> None:
        self.source = source
        self.tree = tree
        self.edits: list[tuple[int, int, int, str | Loop]] = []
        self.out = Guarded(source)
        nodes = self.nodes = list(nodes_of(tree))
        self.bound = _bound(nodes)
        self.repeats = any(node.kind in ("lambda", "bind", "apply", "range") for node in nodes)
        self.loops = any(node.kind == "lambda" for node in nodes)
        self.counted = Loops(source, nodes, self.bound)
        self.paths: dict[int, tuple[Loop, int]] = {}
        binds = sum(node.kind == "bind" for node in nodes)
        self.piles = binds >= PILING_BINDS or sum(node.kind == "variable" for node in nodes) >= PILING_VARIABLES

    def text(self) -> Guarded:
        self.out.computes = any(node.kind in _COMPUTING for node in self.nodes)
        if any(map(_needs_looks, self.nodes)) or self.piles:
            self.walk()
        return self.out

    def walk(self) -> None:
        open_places = [_Place(self.tree, 0, kept=True)]
        while open_places:
            place = open_places.pop()
            self.mark(place)
            open_places += reversed(list(self.inner(place)))
        out: list[str] = []
        at = 0
        for where, opens, _, text in sorted(self.edits, key=lambda edit: edit[:3]):
            out += (self.source[at:where], text if isinstance(text, str) else self.loop_guard(text, opens=bool(opens)))
            at = where
        self.out.text = "".join((*out, self.source[at:]))

    def loop_guard(self, loop: Loop, *, opens: bool) -> str:
        """The text of a loop's guard, once it is known what the loop holds."""
        if not loop.call():
            return ""
        self.use(loop.guard)
        return loop.opens() if opens else loop.closes()

    def before(self, at: int, text: str | Loop) -> None:
        """Puts a text before the place; of two, the outer node's comes first."""
        self.edits.append((at, 1, len(self.edits), text))

    def after(self, at: int, text: str | Loop) -> None:
        """Puts a text after what ends at the place; of two, the inner node's comes first."""
        self.edits.append((at, 0, -len(self.edits), text))

    def around(self, node: Node, opens: str | Loop, closes: str | Loop) -> None:
        self.before(node.start, opens)
        self.after(node.end, closes)

    def use(self, guard: str) -> str:
        self.out.guards.add(guard)
        return "$" + guard

    def mark(self, place: _Place) -> None:
        node, role = place.node, place.role
        if loop := self.counted.subjects.get(id(node)):
            self.around(node, loop, loop)
        if node.kind == "path" and not place.loops and (found := self.counted.path(node)):
            self.paths[id(node)] = found
            self.around(node, found[0], found[0])
        if place.kept and (place.loops or self.piles) and self.refers(node):
            self.held(place)
        if (compared := self.compared(node)) is not None:
            self.around(compared, "($v__:=", f";{self.use(PAIRS)}($count($v__));$v__)")
        if node.kind == "binary" and node.value == "&" and role != "joined" and self.repeats:
            self.around(node, f"{self.use(JOINED)}(", ")")
        elif node.kind == "lambda" and id(node) not in self.counted.functions:
            self.around(node.parts[0], f"({self.use(SPENT)}();", ")")
        elif node.kind == "apply" and self.counted.twice(node.parts[1], node.parts[0]):
            call = node.parts[1]
            self.around(call, "(function($a__){", "})")
            self.before(call.parts[1].start, "$a__,")
        elif node.kind == "range" and (place.loops or self.loops):
            self.span(*node.parts)
        elif role == "step" and node.kind == "block" and node.parts and place.loops > 1:
            self.before(node.start + 1, f"{self.use(SPENT)}();")
        elif role == "predicate" and place.loops > 1 and node.kind not in _LITERALS and not _climbs(node):
            self.around(node, f"({self.use(SPENT)}();", ")")
        elif node.kind in ("call", "partial"):
            self.call(node, role)
        elif node.kind == "variable" and role in ("argument", "applied") and self.ours(node):
            names = [f"$a{at}__" for at, _ in enumerate(parameters(str(node.value)))]
            given = ",".join(f'{{"{WRAP}":{name}}}' for name in names)
            self.around(node, f"(function({','.join(names)}){{$lookup(", f'{MARK}({given}),"{WRAP}")}})')
            self.out.called.add(str(node.value))

    def held(self, place: _Place) -> None:
        """The size of a value that is put into another one is counted, unless it is bounded or counted already."""
        node = place.node
        if self.counted.small(node) or (place.element and self.counted.bounded(node, place.element)):
            return
        if place.loop is not None and self.counted.same(node):
            place.loop.held.append(self.source[node.start : node.end])
        else:
            self.around(node, "($v__:=", f";{self.use(HELD)}($v__);$v__)")

    def refers(self, node: Node) -> bool:
        """True if the value comes from elsewhere: a variable, a path that begins with one, a built-in function."""
        if node.kind == "path":
            first, *steps = node.parts
            return first.kind in ("variable", "block") and all(step.kind in _STEPS[:4] for step in steps)
        if node.kind in ("call", "apply"):  # a function of the expression's own holds its results itself
            function = node.parts[node.kind == "apply"]
            function = function.parts[0] if function.kind == "call" else function
            return function.kind == "variable" and function.value not in self.bound
        return node.kind == "variable"

    def compared(self, node: Node) -> Node | None:
        """What `$distinct` is given: it compares each element with all before, and is not interrupted by a clock."""
        if node.kind not in ("call", "apply") or {"distinct", "count"} & self.bound:
            return None
        function = node.parts[node.kind == "apply"]
        function = function.parts[0] if node.kind == "apply" and function.kind == "call" else function
        named = function.kind == "variable" and function.value == "distinct"
        return node.parts[node.kind != "apply"] if named and len(node.parts) > 1 else None

    def ours(self, node: Node) -> bool:
        return node.kind == "variable" and node.value in SIGNATURES and not {node.value, "lookup"} & self.bound

    def span(self, first: Node, last: Node) -> None:
        """The numbers of a range are counted before it is made."""
        for node, guard in ((first, FIRST), (last, LAST)):
            if node.kind != "number":
                self.around(node, "($n__:=", f";{self.use(guard)}($n__);$n__)")
            else:
                self.around(node, f"({self.use(guard)}(", f");{self.source[node.start : node.end]})")

    def call(self, node: Node, role: str) -> None:
        function, *arguments = node.parts
        if role != "applied" and arguments and self.counted.twice(node, arguments[0]):
            names = ",".join(f"$a{at}__" for at, _ in enumerate(arguments))
            self.around(function, f"(function({names}){{", f"({names})}})")
        if node.kind == "partial" or not self.ours(function):
            return
        self.out.called.add(str(function.value))
        opens, closes, handed = "$lookup(", f',"{WRAP}")', ""
        if role == "applied":  # x ~> $hash('MD5'): the value on the left comes first
            opens, closes, handed = f"(function($a__){{{opens}", f"{closes}}})", f'{{"{WRAP}":$a__}}'
        elif len(arguments) < _OF_CONTEXT.get(str(function.value), 0):
            handed = f'{{"{WRAP}":$}}'
        self.around(node, opens, closes)
        self.after(function.end, MARK)
        if handed:
            self.before(arguments[0].start if arguments else node.end - 1, handed + ("," if arguments else ""))
        for argument in arguments:
            self.around(argument, f'{{"{WRAP}":', "}")

    def inner(self, place: _Place) -> Iterable[_Place]:
        """The nodes within one, in the order written."""
        node, loops, functions = place.node, place.loops, self.counted.functions
        last = len(node.parts) - 1
        for at, part in enumerate(node.parts):
            inner, role = loops, ""
            kept = (
                node.kind == "array"
                or (node.kind == "lambda" and (id(node) not in functions or functions[id(node)].kept))
                or (node.kind == "bind" and part.kind in ("call", "apply"))
                or (node.kind == "path" and at > 0)
                or (node.kind == "object" and at % 2 == 1)
                or (place.kept and node.kind == "block" and at == last)
                or (place.kept and node.kind == "condition" and at > 0)
                or (node.kind == "call" and node.parts[0].value in _PILING_CALLS)
            )
            if node.kind == "path" and at:
                inner, role = loops + (part.kind not in _STEPS), "step"
            elif node.kind == "lambda":
                inner = loops + 2
            elif node.kind in ("sort", "transform"):
                inner = loops + 1
            elif node.kind in ("call", "partial") and at:
                role = "argument"
            elif node.kind == "apply" and at:
                role = "applied"
            elif node.kind == "binary" and node.value == "&" and part.kind == "binary" and part.value == "&":
                role = "joined"
            loop, element = self.turns(place, part, at, inner)
            yield _Place(part, inner, role, kept, loop, element)
        for inner_node in node.predicates:
            yield _Place(inner_node, loops + 1, "predicate")
        for at, inner_node in enumerate(node.group or ()) if node.kind == "path" else ():
            yield _Place(inner_node, loops + 1, kept=at % 2 == 1)

    def turns(self, place: _Place, part: Node, at: int, loops: int) -> tuple[Loop | None, str]:
        """Loop and element of a part that is in so many loops."""
        node, element = place.node, place.element if loops == place.loops else ""
        if node.kind == "lambda":
            loop = self.counted.functions.get(id(node))
            return loop, loop.element if loop and not place.loops else ""
        if node.kind == "path":
            found = self.paths.get(id(node))
            return found[0] if found and found[1] == at else None, element
        same = node.kind in ("array", "block") or (
            node.kind == "object" and at % 2 == 1 and all(key.kind == "string" for key in node.parts[::2])
        )
        return place.loop if same and part.kind != "range" else None, element


def _bound(nodes: list[Node]) -> set[str]:
    """Names of variables that the expression binds itself."""
    names = {str(node.value) for node in nodes if node.kind == "bind"}
    for node in nodes:
        if node.kind == "lambda":
            names |= set(node.value)
    return names


def _needs_looks(node: Node) -> bool:
    """True if a node may get a guard, or gives one to those within it."""
    if node.kind == "path":
        return node.group is not None or any(step.kind not in _STEPS[:-1] for step in node.parts[1:])
    if node.kind == "variable":
        return node.value in SIGNATURES or node.value == "distinct"
    return node.kind in _GUARDED or bool(node.predicates)


def _climbs(node: Node) -> bool:
    return any(inner.kind == "parent" for inner in nodes_of(node))
