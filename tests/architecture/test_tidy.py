"""Sizes, docstrings, broad excepts, work at import: what linters don't see, held over every module."""

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import EVERYWHERE, PRODUCT, modules, text, tree

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
PACKAGE_DEPTH_MAX = 3
BROAD = {"Exception", "BaseException"}
LOGS = {"debug", "info", "warning", "error", "exception", "critical"}

# What may be called while a module is imported: makers of values that never change, and nothing that reaches out.
CALLS_AT_IMPORT = {
    *("bytes", "datetime", "dict", "frozenset", "items", "object", "range", "set", "slice", "tuple"),
    "_replace",  # of a value
    "compile",  # of `re`
    *("add_command", "option"),  # click's declarations
}


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_no_module_is_longer_than_one_idea() -> None:
    """Every module has at most 400 lines (rule R4)."""
    long = {str(path): text(path).count("\n") for path in modules(*EVERYWHERE)}
    assert {path: lines for path, lines in long.items() if lines > MODULE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """Every function has at most 70 lines (rule R4)."""
    long = {
        f"{path}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in modules(*EVERYWHERE)
        for node in _functions(path)
    }
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES_MAX} == {}


def test_no_package_lies_deeper_than_three() -> None:
    """A module's package has at most three names (rule R4)."""
    assert [str(path) for path in modules(*PRODUCT) if len(path.parts) - 1 > PACKAGE_DEPTH_MAX] == []


def test_every_module_begins_with_one_sentence() -> None:
    """The first line of each module is a docstring that ends with a period (rule R4)."""
    wrong = []
    for path in modules(*EVERYWHERE):
        first = (ast.get_docstring(tree(path)) or "").partition("\n")[0]
        if not first.endswith((".", "!", "?")):
            wrong.append(str(path))
    assert wrong == []


def test_every_test_states_a_fact() -> None:
    """Every test has a docstring (rule R12)."""
    assert [
        f"{path}:{node.name}"
        for path in modules("tests")
        for node in _functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ] == []


def test_no_test_patches() -> None:
    """Tests go in by messages and come out by messages: nothing is patched (rule R14)."""
    words = ("unittest.mock", "monkeypatch", "mocker")
    own = Path("tests/architecture/test_tidy.py")
    assert [str(path) for path in modules("tests") if path != own and any(word in text(path) for word in words)] == []


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in BROAD) for kind in caught)


def _hands_on(handler: ast.ExceptHandler) -> bool:
    """Raises, gives the exception to somebody (an answer, a record, a future), or logs it and answers a failure."""
    nodes = list(ast.walk(handler))
    if any(isinstance(node, ast.Raise) for node in nodes):
        return True
    logged = {
        part
        for node in nodes
        if isinstance(node, ast.Call) and _name_of(node) in LOGS
        for part in ast.walk(node)
        if isinstance(part, ast.Name)
    }
    if any(isinstance(node, ast.Call) and _name_of(node) == "exception" for node in nodes):
        return any(isinstance(node, ast.Return) and node.value is not None for node in nodes)
    names = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    return any(name.id == handler.name and name not in logged for name in names)


@pytest.mark.parametrize(
    ("body", "hands_on"),
    [
        ("raise", True),
        ("raise OtherError from error", True),
        ("future.set_exception(error)", True),
        ("return failed(error)", True),
        ("result, error = None, raised", False),
        ("kept = error", True),
        ("log.exception('it_failed')\n    return answer(500)", True),
        ("log.exception('it_failed')\n    return", False),
        ("log.warning('it_failed', error=str(error))", False),
        ("log.error('it_failed', exc_info=error)", False),
        ("logger('bus').info(f'{error}')\n    count += 1", False),
        ("pass", False),
    ],
)
def test_a_lone_log_line_hands_nothing_on(body: str, hands_on: bool) -> None:
    """The check below can fail: an exception that is only logged is swallowed."""
    code = ast.parse(f"try:\n    work()\nexcept Exception as error:\n    {body}\n")
    [handler] = [node for node in ast.walk(code) if isinstance(node, ast.ExceptHandler)]
    assert _hands_on(handler) is hands_on


def test_no_broad_except_swallows() -> None:
    """`except Exception` raises again or hands the exception on (rule R11)."""
    assert [
        f"{path}:{node.lineno}"
        for path in modules(*PRODUCT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _hands_on(node)
    ] == []


def _name_of(call: ast.Call) -> str:
    """`a.b.c(…)` is `c`, `c[…](…)` is `c`."""
    function: ast.expr = call.func
    while isinstance(function, ast.Subscript):
        function = function.value
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "?")


def _local_makers(path: Path) -> set[str]:
    """Functions, classes and imported names with a capital or private helpers of the module that only build values."""
    return {
        node.name for node in tree(path).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    } | {
        alias.asname or alias.name
        for node in tree(path).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PRODUCT
        for alias in node.names
    }


@pytest.mark.parametrize("folder", PRODUCT)
def test_nothing_works_at_import(folder: str) -> None:
    """Importing a module makes values only: no client, no loop, no settings, no file (rule R13)."""
    wrong = []
    for path in modules(folder):
        allowed = CALLS_AT_IMPORT | _local_makers(path)
        for statement in tree(path).body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If):
                continue  # `if __name__ == "__main__"`, and what runs only when it is called
            wrong += [
                f"{path}:{node.lineno} {_name_of(node)}"
                for node in _evaluated_calls(statement)
                if _name_of(node) not in allowed and not _name_of(node)[0].isupper()
            ]
    assert wrong == []


def _evaluated_calls(statement: ast.stmt) -> list[ast.Call]:
    """Calls made when the statement runs; those inside a lambda come later."""
    found: list[ast.Call] = []
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            found.append(node)
        waiting.extend(ast.iter_child_nodes(node))
    return found
