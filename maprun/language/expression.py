"""Expressions of JSONPath states: `$…`, `$$…`, `$variable…` and `States.Function(…)`, compiled once."""

import re
from typing import Any

from maprun.language import jsontext
from maprun.language.errors import PathError, PathSyntaxError, StatesError, runtime_error
from maprun.language.functions import FUNCTIONS, FunctionError, format_text
from maprun.language.path import Path
from maprun.language.pathsteps import Names
from maprun.language.scope import Evaluate, Scope

NESTING_MAX = 10
_VARIABLE = re.compile(r"\$([^\W\d][\w]*)", re.UNICODE)
_CALL = re.compile(r"\s*(States\.[A-Za-z0-9]+)\s*\(\s*")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None}


class Expression:
    """A compiled expression.

    `path` is set for a plain path (its root is the input, the context object or a variable); `reads_item` says that the
    value can differ from item to item of a Map (it reads `$$.Map` or draws chance).
    """

    __slots__ = ("_root", "evaluate", "kind", "path", "reads", "reads_item", "text", "variables")

    def __init__(self, text: str) -> None:
        """Raises PathSyntaxError."""
        self.text = text
        self.path: Path | None = None
        self.variables: tuple[str, ...] = ()
        self.reads_item = False
        self.evaluate: Evaluate
        self._root: Evaluate = _input
        if text.startswith("$$"):
            self.kind = "context"
            self.path = path = Path(text[1:])
            self._root, read = _context, path.read
            self.reads_item, only_item = _reads_map(path)
            self.reads = frozenset() if only_item else frozenset({"context"})
            self.evaluate = lambda _root, scope: read(scope.context)
        elif name := _VARIABLE.match(text):
            self.kind = "variable"
            self.path = path = Path("$" + text[name.end() :])
            self.variables = (name.group(1),)
            self.reads = frozenset({"variable"})
            self._root = _variable(name.group(1))
            self.evaluate = _below(self._root, path)
        elif text.startswith("$"):
            self.kind = "input"
            self.reads = frozenset({"input"})
            self.path = path = Path(text)
            read = path.read
            self.evaluate = lambda root, _scope: read(root)
        else:
            self.kind = "call"
            parser = _Parser(text)
            self.evaluate = parser.whole()
            self.reads_item = parser.reads_item
            self.reads = frozenset(parser.reads)
            self.variables = tuple(parser.variables)

    @property
    def reference(self) -> bool:
        """True for a reference path: one that names a single place."""
        return self.path is not None and self.path.reference

    def found(self, root: Any, scope: Scope) -> bool:
        """True if there is something: for IsPresent."""
        try:
            if self.path is not None:
                return self.path.leads_somewhere(self._root(root, scope))
            self.evaluate(root, scope)
        except PathError:
            return False
        return True


def _input(root: Any, _scope: Scope) -> Any:
    return root


def _context(_root: Any, scope: Scope) -> Any:
    return scope.context


def _reads_map(path: Path) -> tuple[bool, bool]:
    """Whether a path of the context object can lead into `Map`, and whether it reads nothing else."""
    first = path.steps[0] if path.steps else None
    if not isinstance(first, Names):
        return True, False
    return "Map" in first.names, first.names == ("Map",) and not path.filtered  # a filter may read from the root again


def _variable(name: str) -> Evaluate:
    def variable(_root: Any, scope: Scope) -> Any:
        if name not in scope.variables:
            raise PathError(f"The variable '${name}' is not assigned")
        return scope.variables[name]

    return variable


def _below(whole: Evaluate, path: Path) -> Evaluate:
    read = path.read
    return lambda root, scope: read(whole(root, scope))


class _Parser:
    """A recursive descent over one intrinsic call."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.reads_item = False
        self.variables: list[str] = []
        self.reads: set[str] = set()

    def whole(self) -> Evaluate:
        call = self.call(1)
        if self.text[self.at :].strip():
            raise PathSyntaxError(self.text)
        return call

    def call(self, depth: int) -> Evaluate:
        found = _CALL.match(self.text, self.at)
        function = FUNCTIONS.get(found.group(1)) if found else None
        if found is None or function is None or depth > NESTING_MAX:
            raise PathSyntaxError(self.text)
        start, self.at = self.at, found.end()
        if found.group(1) in ("States.UUID", "States.MathRandom"):
            self.reads_item = True
            self.reads.add("chance")
        arguments: list[Evaluate] = []
        template: str | None = None
        while not self.text.startswith(")", self.at):
            if arguments:
                self.expect(",")
            if not arguments and self.text.startswith("'", self.at):
                template = self.literal_source()
            arguments.append(self.argument(depth))
            self.skip()
        self.at += 1
        if len(arguments) < function.args_min or (function.args_max is not None and len(arguments) > function.args_max):
            raise PathSyntaxError(self.text)
        shown = self.text[start : self.at].strip()
        if found.group(1) == "States.Format" and template is not None:
            source, values = template, arguments[1:]
            return _guarded(shown, lambda root, scope: format_text(source, [value(root, scope) for value in values]))
        call = function.call
        return _guarded(shown, lambda root, scope: call([value(root, scope) for value in arguments], scope))

    def argument(self, depth: int) -> Evaluate:
        text = self.text
        self.skip()
        if self.at >= len(text):
            raise PathSyntaxError(text)
        char = text[self.at]
        if char == "'":
            value = self.literal()
            return lambda _root, _scope: value
        if char == "$":
            return self.path()
        if number := _NUMBER.match(text, self.at):
            self.at = number.end()
            amount = jsontext.decode(number.group().encode())
            return lambda _root, _scope: amount
        for word, meaning in _WORDS.items():
            if text.startswith(word, self.at):
                self.at += len(word)
                return lambda _root, _scope: meaning
        return self.call(depth + 1)

    def path(self) -> Evaluate:
        start, depth, quote = self.at, 0, ""
        while self.at < len(self.text):
            char = self.text[self.at]
            if quote:
                if char == "\\":
                    self.at += 1
                elif char == quote:
                    quote = ""
            elif char in "'\"" and depth:
                quote = char
            elif char in "[(":
                depth += 1
            elif depth and char in "])":
                depth -= 1
            elif char in ",) " and not depth:
                break
            self.at += 1
        expression = Expression(self.text[start : self.at])
        self.reads_item |= expression.reads_item
        self.variables += expression.variables
        self.reads |= expression.reads
        evaluate, shown = expression.evaluate, expression.text

        def read(root: Any, scope: Scope) -> Any:
            try:
                return evaluate(root, scope)
            except PathError as missing:
                raise FunctionError(
                    f"The JsonPath argument for the field '{shown}' could not be found in the input "
                    f"'{jsontext.encode(root).decode()}'"
                ) from missing

        return read

    def literal_source(self) -> str:
        at = self.at
        self.literal()
        source, self.at = self.text[at + 1 : self.at - 1], at
        return source

    def literal(self) -> str:
        at, out = self.at + 1, []
        while at < len(self.text) and self.text[at] != "'":
            if self.text[at] == "\\":
                at += 1
                if at >= len(self.text) or self.text[at] not in "'{}\\":
                    raise PathSyntaxError(self.text)
            out.append(self.text[at])
            at += 1
        if at >= len(self.text):
            raise PathSyntaxError(self.text)
        self.at = at + 1
        return "".join(out)

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def expect(self, sign: str) -> None:
        self.skip()
        if not self.text.startswith(sign, self.at):
            raise PathSyntaxError(self.text)
        self.at += 1
        self.skip()


def _guarded(shown: str, call: Evaluate) -> Evaluate:
    def evaluate(root: Any, scope: Scope) -> Any:
        try:
            return call(root, scope)
        except FunctionError as error:
            cause = f"The function '{shown}' had the following error: {error}"
            raise StatesError("States.IntrinsicFailure", cause) from error

    return evaluate


def whole_value(expression: Expression | None) -> Evaluate:
    """InputPath or OutputPath: `expression` None (JSON null) gives an empty object."""
    if expression is None:
        return lambda _root, _scope: {}
    evaluate, text = expression.evaluate, expression.text

    def read(root: Any, scope: Scope) -> Any:
        try:
            return evaluate(root, scope)
        except PathError as missing:
            raise runtime_error(f"Invalid path '{text}' : {missing}") from missing

    return read


def field_value(expression: Expression, field: str) -> Evaluate:
    """A path in a field: what AWS says when it leads nowhere names the field and the input."""
    evaluate, text = expression.evaluate, expression.text

    def read(root: Any, scope: Scope) -> Any:
        try:
            return evaluate(root, scope)
        except PathError as missing:
            raise not_found(text, field, root) from missing

    return read


def not_found(text: str, field: str, root: Any) -> StatesError:
    """The error of a path in a template or field that leads nowhere."""
    shown = jsontext.encode(root).decode()
    return runtime_error(
        f"The JSONPath '{text}' specified for the field '{field}' could not be found in the input '{shown}'"
    )
