"""Child inputs of a Map Run: the ItemSelector, prepared once and filled in for each item."""

from typing import Any

from maprun.language import jsontext
from maprun.language.model import Machine
from maprun.language.scope import Scope
from maprun.language.template import ArrayNode, Dynamic, Literal, Node, ObjectNode, compile_node, reads_item
from maprun.language.timestamps import parse_timestamp_ms
from schemas.plan import BuildInput, MapRunPlan

Piece = bytes | BuildInput


def input_builder(machine: Machine, plan: MapRunPlan) -> BuildInput:
    """How this Map Run makes child inputs. What is the same for all items is evaluated at the first one."""
    if not plan.has_selector:
        return _item_itself
    return _ItemSelector(machine, plan).first


def _item_itself(_index: int, key: str | None, item: bytes, _source: str) -> bytes:
    """The item; of an object's members the pair that AWS passes to the child (page input-output-itemspath)."""
    return item if key is None else b'{"Key":%b,"Value":%b}' % (jsontext.encode(key), item)


class _ItemSelector:
    """Evaluates what is common once, then joins pieces. Items are spliced in as text wherever they stand whole."""

    def __init__(self, machine: Machine, plan: MapRunPlan) -> None:
        self.plan = plan
        self.work = machine.map_work(plan.state)
        self.build: BuildInput | None = None

    def first(self, index: int, key: str | None, item: bytes, source: str) -> bytes:
        if self.build is None:
            self.build = self._prepare()
        return self.build(index, key, item, source)

    def _prepare(self) -> BuildInput:
        self.root = jsontext.decode(self.plan.selector_input)
        self.context: dict[str, Any] = jsontext.decode(self.plan.context)
        self.variables: dict[str, Any] = jsontext.decode(self.plan.variables)
        if self.work.selector is None:
            select = self.work.select
            assert select is not None
            root = {"input": self.root}
            return lambda *item: jsontext.encode(select(root, self._scope(0, *item)))
        pieces: list[Piece] = []
        self._cut(self.work.selector, pieces)
        return _joined(pieces)

    def _scope(self, place: int, index: int, key: str | None, item: bytes, source: str) -> Scope:
        """`place` tells the expressions of one template apart, so that each draws its own chance."""

        def context() -> dict[str, Any]:
            shown: dict[str, Any] = {"Index": index, "Value": jsontext.decode(item)}
            if key is not None:
                shown["Key"] = key
            shown["Source"] = source
            return {**self.context, "Map": {"Item": shown}}

        execution, state = self.context.get("Execution") or {}, self.context.get("State") or {}
        entered_ms = parse_timestamp_ms(state.get("EnteredTime")) or 0
        seed = f"{execution.get('Id')}\n{self.plan.state}\n{state.get('EnteredTime')}\n{index}\n{place}"
        return Scope(context, self.variables, lambda: seed, entered_ms)

    def _cut(self, node: Node, pieces: list[Piece]) -> None:
        """The node as pieces of text, appended to those before it."""
        if not reads_item(node):
            scope = Scope(lambda: self.context, self.variables, str)
            _text(pieces, jsontext.encode(compile_node(node)(self.root, scope)))
        elif isinstance(node, ObjectNode):
            for at, (name, inner) in enumerate(node.members):
                _text(pieces, (b"," if at else b"{") + jsontext.encode(name) + b":")
                self._cut(inner, pieces)
            _text(pieces, b"}")
        elif isinstance(node, ArrayNode):
            for at, inner in enumerate(node.elements):
                _text(pieces, b"," if at else b"[")
                self._cut(inner, pieces)
            _text(pieces, b"]")
        elif isinstance(node, Dynamic):
            pieces.append(_WHOLE.get(node.expression.text) or self._evaluated(node, len(pieces)))
        else:
            assert isinstance(node, Literal)

    def _evaluated(self, node: Dynamic, place: int) -> Piece:
        evaluate, root = compile_node(node), self.root
        return lambda *item: jsontext.encode(evaluate(root, self._scope(place, *item)))


def _text(pieces: list[Piece], text: bytes) -> None:
    if pieces and isinstance(pieces[-1], bytes):
        pieces[-1] += text
    else:
        pieces.append(text)


_WHOLE: dict[str, BuildInput] = {
    "$$.Map.Item.Index": lambda index, _key, _item, _source: b"%d" % index,
    "$$.Map.Item.Value": lambda _index, _key, item, _source: item,
    "$$.Map.Item.Source": lambda _index, _key, _item, source: jsontext.encode(source),
}


def _joined(pieces: list[Piece]) -> BuildInput:
    fixed = tuple(pieces)

    def build(index: int, key: str | None, item: bytes, source: str) -> bytes:
        return b"".join([piece if isinstance(piece, bytes) else piece(index, key, item, source) for piece in fixed])

    return build
