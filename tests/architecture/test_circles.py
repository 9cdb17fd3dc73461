"""No file imports itself by way of others, at whatever place its imports stand."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.architecture.sources import PRODUCT, modules, tree

IMPORTED_LATE = {
    "maprun.aws": "boto3 and botocore, half a second of each command's start, which `maprun test` alone needs",
    "maprun.bus.checkup": "aiokafka, a fifth of a second of each command's start, which `maprun doctor` alone needs",
    "maprun.tutorial": "boto3, which `maprun demo` alone needs",
    "maprun.verification": "it reads S3 by boto3, which `maprun verify` alone needs",
    "pyarrow": "tens of MB, for Parquet and ORC alone, and need not be installed",
    "uvloop": "a compiled event loop that only a service needs, and not every platform has",
}
"""The packages, and the room, that a function may import, each with the reason."""

Imports = Mapping[Path, set[Path]]


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(code: ast.AST) -> Iterator[str]:
    """The names of all that is imported in this code: modules, and what is taken from them."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            given = node.args[0]
            if isinstance(given, ast.Constant):
                yield str(given.value)


def _imports() -> Imports:
    """From each file to the files that it imports: within functions and for type checkers only too."""
    files = {_module(path): path for path in modules(*PRODUCT)}
    found: dict[Path, set[Path]] = {}
    for path in files.values():
        names = [name if name in files else name.rpartition(".")[0] for name in _imported(tree(path))]
        found[path] = {files[name] for name in names if name in files} - {path}
    return found


def _reached(start: Path, imports: Imports) -> set[Path]:
    """All files that one leads to."""
    reached: set[Path] = set()
    waiting = [start]
    while waiting:
        for path in imports[waiting.pop()] - reached:
            reached.add(path)
            waiting.append(path)
    return reached


def _circles(imports: Imports) -> set[frozenset[Path]]:
    """The largest sets of files that all lead to each other."""
    reached = {path: _reached(path, imports) for path in imports}
    return {
        frozenset(other for other in beyond if path in reached[other])
        for path, beyond in reached.items()
        if path in beyond
    }


@pytest.mark.parametrize(
    ("links", "circles"),
    [
        ("a>b b>c", set()),
        ("a>b b>a", {"ab"}),
        ("a>b b>c c>a c>d d>e", {"abc"}),
        ("a>b b>a c>d d>c b>c", {"ab", "cd"}),
    ],
)
def test_a_circle_is_seen(links: str, circles: set[str]) -> None:
    """The check below can fail: it finds circles of any length, and nothing beside them."""
    imports: dict[Path, set[Path]] = {Path(name): set() for name in links if name.isalpha()}
    for link in links.split():
        imports[Path(link[0])].add(Path(link[2]))
    assert _circles(imports) == {frozenset(map(Path, circle)) for circle in circles}


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Files build on each other in one direction, in every room and across rooms."""
    assert _circles(_imports()) == set()


def test_functions_import_heavy_packages_only() -> None:
    """An import within a function spares its module a heavy package; it never hides a circle."""
    late = {
        f"{path}:{node.name} imports {name}"
        for path in modules(*PRODUCT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in _imported(node)
        if not any(f"{name}.".startswith(f"{late_one}.") for late_one in IMPORTED_LATE)
    }
    assert late == set()
