"""docs/operations.md is true: all operations of AWS's model, what is built, every error, and tests that are there."""

import json
import re
from pathlib import Path

import botocore.session

from services.maprun_tracker.api.operations import LIST_EXECUTIONS, OPERATIONS
from tests.architecture.test_parity import NAMED_TEST, functions_of

RECORDS = Path(__file__).resolve().parents[1] / "conformance" / "records"
PARITY = (Path(__file__).resolve().parents[2] / "docs" / "parity.md").read_text()
TEXT = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
MODEL = botocore.session.get_session().get_service_model("stepfunctions")
OPERATION, STATE, ERRORS, NEVER, PAGES, AGAIN, TESTS = range(7)


def rows() -> dict[str, list[str]]:
    """The cells of each operation's row."""
    lines = [line for line in TEXT.split("## Why never")[0].splitlines() if re.match(r"\| [A-Z]", line)]
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return {row[OPERATION]: row for row in cells}


def named(cell: str) -> list[str]:
    """The names in a cell."""
    return [name for name in cell.split(", ") if name]


def test_every_operation_has_its_row() -> None:
    """Those of the model, all of which are built."""
    assert list(rows()) == sorted(MODEL.operation_names)
    built = {name for name, row in rows().items() if row[STATE] == "there"}
    assert built == {*OPERATIONS, LIST_EXECUTIONS}
    assert built == set(rows())


def test_every_error_of_the_model_is_answered_or_explained() -> None:
    """None is in both columns, and each that is never answered has its reason below."""
    reasons = TEXT.split("## Why never")[1]
    for name, row in rows().items():
        modelled = {shape.name for shape in MODEL.operation_model(name).error_shapes}
        answered, never = named(row[ERRORS]), named(row[NEVER])
        assert sorted([*answered, *never]) == sorted(modelled), name
        if row[STATE] == "there":
            assert [error for error in never if error not in reasons and not error.startswith("Kms")] == [], name


def test_every_list_says_its_order() -> None:
    """And nothing else does."""
    for name, row in rows().items():
        shape = MODEL.operation_model(name).input_shape
        assert bool(row[PAGES]) == (shape is not None and "nextToken" in shape.members), name


def test_every_operation_that_is_there_is_tested() -> None:
    """By tests that exist."""
    for name, row in rows().items():
        tests = re.findall(NAMED_TEST, row[TESTS])
        assert bool(tests) == (row[STATE] == "there"), name
        assert [test for file, test in tests if test not in functions_of(file)] == [], name


def test_every_record_says_how_many_of_its_executions_agree() -> None:
    """All of them, but for those that docs/parity.md names with who is right."""
    section = PARITY.split("### Recorded executions over HTTP")[1].split("\n## ")[0]
    differing = set(re.findall(r"`(test_[^`]+)`", section))
    counted = {}
    for path in sorted(RECORDS.glob("*.json")):
        cases = [case["case"].split("::")[-1] for case in json.loads(path.read_text())]
        counted[path.stem] = (len(cases), sum(case not in differing for case in cases))
    lines = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|$", TEXT.split("## Recorded on AWS")[1], flags=re.MULTILINE)
    assert {name: (int(executions), int(agree)) for name, executions, agree in lines} == counted
