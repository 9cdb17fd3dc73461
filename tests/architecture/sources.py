"""The Python sources of this tree, parsed once: what the architecture tests look at."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("schemas", "maprun", "services")
EVERYWHERE = (*PRODUCT, "tests", "examples")


@cache
def modules(*folders: str) -> tuple[Path, ...]:
    """Every module below these folders, relative to the root."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return tuple(sorted(path.relative_to(ROOT) for path in found if "__pycache__" not in path.parts))


@cache
def text(path: Path) -> str:
    """The source of a module."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(text(path), str(path))
