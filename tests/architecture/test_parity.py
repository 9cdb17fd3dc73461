"""docs/parity.md names the tests that hold its rows: each is there, and no row of the Distributed Map goes without."""

import ast
import re
from functools import cache
from pathlib import Path

from schemas.history import SHAPES, EventType
from tests.conformance.folder import recorded_cases

TESTS = Path(__file__).resolve().parents[1]
TEXT = (TESTS.parent / "docs" / "parity.md").read_text()
ROOMS = "architecture|chaos|clients|conformance|fuzz|integration|property|simulation|unit"
NAMED_TEST = re.compile(rf"`((?:{ROOMS})/[\w/]+)::(test_\w+)`")
NAMED = sorted(set(NAMED_TEST.findall(TEXT)))
FILES = sorted(set(re.findall(rf"`((?:tests/)?(?:{ROOMS})/\w[\w/]*?)(?:\.py)?(?:::test_\w+)?`", TEXT)))
RECORDED = sorted(set(re.findall(r"recorded `(test_[^`]+)`", TEXT)))
STATES = {"done", "differs", "untested", "missing"}


@cache
def functions_of(file: str) -> frozenset[str]:
    """The test functions of a module below `tests`."""
    tree = ast.parse((TESTS / f"{file}.py").read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def rows() -> list[list[str]]:
    """The cells of each row about the Distributed Map."""
    section = TEXT[TEXT.index("## Distributed Map, row by row") : TEXT.index("## The language, field by field")]
    lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return [row for row in cells if row[1] != "state"]


def test_every_test_that_is_named_exists() -> None:
    """A test that was renamed or deleted holds nothing any more."""
    missing = [f"{file}::{name}" for file, name in NAMED if name not in functions_of(file)]
    assert missing == []
    assert len(NAMED) > 100


def test_every_file_that_is_named_exists() -> None:
    """Modules and folders of tests that stand for themselves."""
    places = [TESTS / name.removeprefix("tests/") for name in FILES]
    assert [place for place in places if not place.is_dir() and not place.with_suffix(".py").is_file()] == []


def test_every_row_has_its_test_or_says_why_not() -> None:
    """Done means held by a test; whatever isn't done says what is different."""
    found = rows()
    assert len(found) > 150
    assert [row for row in found if len(row) != 4 or row[1] not in STATES] == []
    assert [row for row in found if row[1] == "done" and "`" not in row[2]] == []
    assert [row for row in found if row[1] != "done" and not row[3]] == []


def test_every_recorded_execution_that_is_named_exists() -> None:
    """The cases that stand for a row are among the records."""
    cases = {case["case"].split("::")[-1] for case in recorded_cases()}
    assert [name for name in RECORDED if name not in cases] == []
    assert len(RECORDED) > 15


def test_events_that_are_never_written_are_said_to_be() -> None:
    """A type of AWS's that no module of the engine names stands in the row of those that are missing, and no other."""
    sources = [path.read_text() for room in ("maprun", "services") for path in (TESTS.parent / room).rglob("*.py")]
    written = {name for source in sources for name in re.findall(r"EventType\.([A-Z_]+)", source)}
    unwritten = {
        SHAPES[number][0] for name, number in vars(EventType).items() if name.isupper() and name not in written
    }
    said = [row[0] for row in rows() if row[1] == "missing" and row[2].endswith("_are_said_to_be`")]
    assert [set(names.split(", ")) for names in said] == [unwritten]
