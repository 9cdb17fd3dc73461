"""Each service and Kafka killed once in the middle of a small Map Run; and the checker itself is not blind."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checker import Recount, check
from tests.chaos.driver import expected_status, run_chaos
from tests.integration.system.stack import PARTS_TO_KILL, Stack

Json = dict[str, Any]
TOTAL = 50


@pytest.mark.integration
def test_each_service_killed_once_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """After kill -9 of each service and of Kafka in mid-run, every index has exactly one right result."""
    stack = Stack(tmp_path)
    stack.up()
    try:
        report = run_chaos(stack, items=6_000, kills=5, seed=7, concurrency=100)
    finally:
        stack.down()
    assert report.wrong == []
    assert {kill.name for kill in report.struck} == set(PARTS_TO_KILL)


class _Body(io.BytesIO):
    """botocore's StreamingBody, as far as it is used."""

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        """Pieces that cut records anywhere."""
        while piece := self.read(min(size, 101)):
            yield piece


class _Aws:
    """S3 with a run's result files, and DescribeMapRun."""

    def __init__(self, rows: dict[str, list[Json]], counts: Json) -> None:
        self._objects = {f"{kind}_0.json": json.dumps(found).encode() for kind, found in rows.items()}
        listed = {kind: [{"Key": f"{kind}_0.json", "Size": len(self._objects[f"{kind}_0.json"])}] for kind in rows}
        self._objects["manifest.json"] = json.dumps({"MapRunArn": "arn:run", "ResultFiles": listed}).encode()
        self._counts = counts

    def get_object(self, *, Bucket: str, Key: str) -> Json:  # noqa: ARG002, N803 - boto3's names
        """One object."""
        return {"Body": _Body(self._objects[Key])}

    def head_object(self, *, Bucket: str, Key: str) -> Json:  # noqa: ARG002, N803 - boto3's names
        """Its size."""
        return {"ContentLength": len(self._objects[Key])}

    def describe_map_run(self, *, mapRunArn: str) -> Json:  # noqa: ARG002, N803 - boto3's names
        """The counts."""
        return {"itemCounts": self._counts, "executionCounts": self._counts}


def good_rows() -> dict[str, list[Json]]:
    """What a good run leaves."""
    rows: dict[str, list[Json]] = {"SUCCEEDED": [], "FAILED": []}
    for n in range(TOTAL):
        status = expected_status(n)
        given = json.dumps({"index": n, "value": {"n": str(n), "text": "a, } b"}})
        rows[status].append({"ExecutionArn": f"arn:{n}", "Status": status, "Input": given})
    return rows


def counts_of(rows: dict[str, list[Json]]) -> Json:
    """The counts that belong to them."""
    succeeded, failed = len(rows["SUCCEEDED"]), len(rows["FAILED"])
    return {
        "succeeded": succeeded,
        "failed": failed,
        "timedOut": 0,
        "aborted": 0,
        "pending": 0,
        "running": 0,
        "total": succeeded + failed,
    }


def _lose(rows: dict[str, list[Json]]) -> None:
    rows["SUCCEEDED"].pop()


def _double(rows: dict[str, list[Json]]) -> None:
    rows["SUCCEEDED"].append(rows["SUCCEEDED"][0])


def _both(rows: dict[str, list[Json]]) -> None:
    rows["FAILED"].append({**rows["SUCCEEDED"][5], "Status": "FAILED"})


def _other_row(rows: dict[str, list[Json]]) -> None:
    rows["SUCCEEDED"][4]["Input"] = rows["SUCCEEDED"][4]["Input"].replace('"n": "', '"n": "1')


@pytest.mark.parametrize(
    ("spoil", "said", "counted"),
    [
        (_lose, "has 0 results", (1, 0)),
        (_double, "has 2 results", (0, 1)),
        (_both, "ended FAILED", (0, 1)),
        (_other_row, "holds the row 1", (0, 0)),
    ],
)
def test_the_checker_sees_what_is_wrong(
    spoil: Callable[[dict[str, list[Json]]], None], said: str, counted: tuple[int, int]
) -> None:
    """A lost, a doubled, a contradicted and an exchanged result are each found; a good run passes."""
    rows = good_rows()
    aws = _Aws(rows, counts_of(rows))
    assert check(aws, aws, "arn:run", ("b", "manifest.json"), TOTAL, expected_status) == Recount()
    spoil(rows)
    aws = _Aws(rows, counts_of(good_rows()))
    found = check(aws, aws, "arn:run", ("b", "manifest.json"), TOTAL, expected_status)
    assert said in " ".join(found.wrong)
    assert (found.lost, found.doubled) == counted
