"""Distributed Map over each of its sources, in batches, with failures tolerated, with results in S3."""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.system.running import PASS, Json, body, map_definition, map_run_of, output_of, run

pytestmark = pytest.mark.integration
BUCKET = "maps"
ROWS = [{"n": str(n), "text": f'row {n}, "quoted"'} for n in range(500)]
CSV = "n,text\r\n" + "".join(f'{n},"row {n}, ""quoted"""\r\n' for n in range(500))
SELECT = {"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value"}


@pytest.fixture(scope="module")
def bucket(s3: Any) -> str:
    """A bucket with the sources."""
    s3.create_bucket(Bucket=BUCKET)
    for key, raw in {
        "rows.csv": CSV.encode(),
        "rows.csv.gz": gzip.compress(CSV.encode()),
        "rows.json": json.dumps(ROWS).encode(),
        "inner.json": json.dumps({"data": {"items": ROWS}}).encode(),
        "object.json": b'{"a": 1, "b": {"c": 2}}',
        "rows.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
        "empty.csv": b"n,text\n",
    }.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=raw)
    for n in range(1_203):
        s3.put_object(Bucket=BUCKET, Key=f"listed/{n:05d}", Body=b"x" * (n % 7))
    return BUCKET


def reader(key: str, kind: str, **config: Any) -> Json:
    """An ItemReader of one object."""
    return {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": kind, **config},
        "Parameters": {"Bucket": BUCKET, "Key": key},
    }


FIRST_ROW = {"CSVHeaderLocation": "FIRST_ROW"}


@pytest.mark.parametrize(
    "source",
    [
        reader("rows.csv", "CSV", **FIRST_ROW),
        reader("rows.csv.gz", "CSV", **FIRST_ROW),
        reader("rows.json", "JSON"),
        reader("inner.json", "JSON", ItemsPointer="/data/items"),
        reader("rows.jsonl", "JSONL"),
    ],
    ids=lambda source: f"{source['Parameters']['Key']}",
)
def test_an_object_gives_its_items_in_order(sfn: Any, bucket: str, source: Json) -> None:
    """Each record of an object is one child; results stand in the order of the source; counts are exact."""
    del bucket
    found = run(sfn, map_definition(PASS, ItemReader=source, ItemSelector=SELECT))
    assert output_of(found) == [{"index": n, "value": row} for n, row in enumerate(ROWS)]
    counts = map_run_of(sfn, found["executionArn"])["itemCounts"]
    assert (counts["succeeded"], counts["total"], counts["pending"], counts["running"]) == (500, 500, 0, 0)


def test_headers_may_be_given(sfn: Any, bucket: str) -> None:
    """With CSVHeaders GIVEN the first row is data, and surplus columns are dropped."""
    del bucket
    source = reader("rows.csv", "CSV", CSVHeaderLocation="GIVEN", CSVHeaders=["only"], MaxItems=2)
    assert output_of(run(sfn, map_definition(PASS, ItemReader=source))) == [{"only": "n"}, {"only": "0"}]


def test_an_object_of_json_gives_keys_and_values(sfn: Any, bucket: str) -> None:
    """The members of a JSON object are items that have a key."""
    del bucket
    select = {"key.$": "$$.Map.Item.Key", "value.$": "$$.Map.Item.Value", "source.$": "$$.Map.Item.Source"}
    found = run(sfn, map_definition(PASS, ItemReader=reader("object.json", "JSON"), ItemSelector=select))
    source = f"s3://{BUCKET}/object.json"
    assert output_of(found) == [
        {"key": "a", "value": 1, "source": source},
        {"key": "b", "value": {"c": 2}, "source": source},
    ]
    pairs = [{"Key": "a", "Value": 1}, {"Key": "b", "Value": {"c": 2}}]
    assert output_of(run(sfn, map_definition(PASS, ItemReader=reader("object.json", "JSON")))) == pairs
    batches = map_definition(PASS, ItemReader=reader("object.json", "JSON"), ItemBatcher={"MaxItemsPerBatch": 2})
    assert output_of(run(sfn, batches)) == [{"Items": pairs}]


def test_an_empty_source_succeeds_with_nothing(sfn: Any, bucket: str) -> None:
    """A CSV of headers alone is a Map Run of no children."""
    del bucket
    found = run(sfn, map_definition(PASS, ItemReader=reader("empty.csv", "CSV", **FIRST_ROW)))
    assert output_of(found) == []
    assert map_run_of(sfn, found["executionArn"])["itemCounts"]["total"] == 0


def test_a_listing_gives_each_key_once(sfn: Any, bucket: str) -> None:
    """A listing of more than one page gives AWS's five members for each key, in the listing's order."""
    source = {
        "Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": {"Bucket": bucket, "Prefix": "listed/"},
    }
    child = {"P": {"Type": "Pass", "End": True, "Parameters": {"k.$": "$.Key", "s.$": "$.Size"}}}
    found = output_of(run(sfn, map_definition(child, ItemReader=source)))
    assert found == [{"k": f"listed/{n:05d}", "s": n % 7} for n in range(1_203)]
    one = {**source, "ReaderConfig": {"MaxItems": 1}}
    [item] = output_of(run(sfn, map_definition(PASS, ItemReader=one)))
    assert set(item) == {"Etag", "Key", "LastModified", "Size", "StorageClass"}
    assert re.fullmatch('"[0-9a-f]{32}"', item["Etag"])
    assert isinstance(item["LastModified"], int | float)


def test_items_may_come_from_the_input(sfn: Any) -> None:
    """ItemsPath leads to an array of the state's input; `$` in the selector is that input."""
    select = {"both.$": "States.Format('{} of {}', $$.Map.Item.Value, $.name)"}
    definition = map_definition(PASS, ItemsPath="$.list", ItemSelector=select)
    assert output_of(run(sfn, definition, {"name": "x", "list": [7, 8]})) == [{"both": "7 of x"}, {"both": "8 of x"}]


def test_batches_hold_items_and_the_batch_input(sfn: Any) -> None:
    """ItemBatcher closes a batch at its limit; items and executions are counted apart."""
    batcher = {"MaxItemsPerBatch": 4, "BatchInput": {"fact.$": "$.fact"}}
    found = run(
        sfn, map_definition(PASS, ItemsPath="$.list", ItemBatcher=batcher), {"fact": 1, "list": list(range(10))}
    )
    assert output_of(found) == [
        {"BatchInput": {"fact": 1}, "Items": [0, 1, 2, 3]},
        {"BatchInput": {"fact": 1}, "Items": [4, 5, 6, 7]},
        {"BatchInput": {"fact": 1}, "Items": [8, 9]},
    ]
    described = map_run_of(sfn, found["executionArn"])
    assert described["itemCounts"]["succeeded"] == described["itemCounts"]["total"] == 10
    assert described["executionCounts"]["succeeded"] == described["executionCounts"]["total"] == 3


FATE = {
    "Judge": {
        "Type": "Choice",
        "Choices": [{"Variable": "$", "NumericGreaterThanEquals": 8, "Next": "Bad"}],
        "Default": "Good",
    },
    "Good": {"Type": "Pass", "End": True},
    "Bad": {"Type": "Fail", "Error": "Mine", "Cause": "too large"},
}


@pytest.mark.parametrize(
    ("tolerance", "status"),
    [
        ({}, "FAILED"),
        ({"ToleratedFailureCount": 1}, "FAILED"),
        ({"ToleratedFailureCount": 2}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 19.9}, "FAILED"),
        ({"ToleratedFailurePercentage": 20}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 100, "ToleratedFailureCount": 1}, "FAILED"),
    ],
)
def test_failures_are_tolerated_up_to_the_threshold(sfn: Any, tolerance: Json, status: str) -> None:
    """Two of ten fail: either threshold, passed, fails the run with AWS's error and cause."""
    found = run(sfn, map_definition(FATE, **tolerance), list(range(10)))
    assert found["status"] == status
    described = map_run_of(sfn, found["executionArn"])
    assert described["status"] == status
    counts = described["itemCounts"]
    assert sum(counts[name] for name in ("succeeded", "failed", "timedOut", "aborted", "pending", "running")) == 10
    if status == "FAILED":
        assert found["error"] == "States.ExceedToleratedFailureThreshold"
        assert found["cause"] == "The specified tolerated failure threshold was exceeded"
    else:
        assert (counts["succeeded"], counts["failed"], counts["total"]) == (8, 2, 10)


WRITER = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": BUCKET, "Prefix": "out"}}


def test_result_files_have_the_shapes_of_aws(sfn: Any, s3: Any, bucket: str) -> None:
    """Manifest and records have exactly AWS's members, and the Map's result says where they are."""
    found = run(sfn, map_definition(FATE, ResultWriter=WRITER, ToleratedFailureCount=2), list(range(10)))
    result = output_of(found)
    run_arn = result["MapRunArn"]
    key = f"out/{run_arn.rpartition(':')[2]}"
    assert result == {"MapRunArn": run_arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{key}/manifest.json"}}
    raw = {name: body(s3, bucket, f"{key}/{name}_0.json") for name in ("SUCCEEDED", "FAILED")}
    assert json.loads(body(s3, bucket, f"{key}/manifest.json")) == {
        "DestinationBucket": bucket,
        "MapRunArn": run_arn,
        "ResultFiles": {
            "FAILED": [{"Key": f"{key}/FAILED_0.json", "Size": len(raw["FAILED"])}],
            "PENDING": [],
            "SUCCEEDED": [{"Key": f"{key}/SUCCEEDED_0.json", "Size": len(raw["SUCCEEDED"])}],
        },
    }
    good = {record["Input"]: record for record in json.loads(raw["SUCCEEDED"])}
    assert set(good) == {str(n) for n in range(8)}
    machine = found["stateMachineArn"] + "/L"
    arn = good["3"]["ExecutionArn"]
    assert good["3"] == {
        "ExecutionArn": arn,
        "Input": "3",
        "InputDetails": {"Included": True},
        "Name": arn.rpartition(":")[2],
        "Output": "3",
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        "StartDate": good["3"]["StartDate"],
        "StateMachineArn": machine,
        "Status": "SUCCEEDED",
        "StopDate": good["3"]["StopDate"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", good["3"]["StartDate"])
    bad = {record["Input"]: record for record in json.loads(raw["FAILED"])}
    assert set(bad) == {"8", "9"}
    assert {name: bad["8"][name] for name in ("Cause", "Error", "RedriveStatus", "Status")} == {
        "Cause": "too large",
        "Error": "Mine",
        "RedriveStatus": "REDRIVABLE_BY_MAP_RUN",
        "Status": "FAILED",
    }
    assert "Output" not in bad["8"]
    assert "RedriveStatusReason" not in bad["8"]


def _lines(raw: bytes) -> list[Any]:
    return [json.loads(line) for line in raw.splitlines()]


@pytest.mark.parametrize(
    ("config", "file", "read", "expected"),
    [
        ({"Transformation": "COMPACT", "OutputType": "JSON"}, "SUCCEEDED_0.json", json.loads, [[1, 2], [3]]),
        ({"Transformation": "COMPACT", "OutputType": "JSONL"}, "SUCCEEDED_0.jsonl", _lines, [[1, 2], [3]]),
        ({"Transformation": "FLATTEN", "OutputType": "JSON"}, "SUCCEEDED_0.json", json.loads, [1, 2, 3]),
    ],
    ids=["compact", "lines", "flat"],
)
def test_results_may_be_compact_or_flat(
    sfn: Any, s3: Any, bucket: str, config: Json, file: str, read: Callable[[bytes], list[Any]], expected: list[Any]
) -> None:
    """WriterConfig: outputs alone, one a line, or arrays joined."""
    found = run(sfn, map_definition(PASS, ResultWriter={**WRITER, "WriterConfig": config}), [[1, 2], [3]])
    where = output_of(found)["ResultWriterDetails"]
    key = where["Key"].replace("manifest.json", file)
    assert sorted(read(body(s3, bucket, key)), key=str) == sorted(expected, key=str)


def test_max_concurrency_is_never_exceeded(sfn: Any) -> None:
    """Six children of a second each, two at once, take at least three seconds."""
    child = {"W": {"Type": "Wait", "Seconds": 1, "End": True}}
    found = run(sfn, map_definition(child, MaxConcurrency=2), list(range(6)))
    output_of(found)
    described = map_run_of(sfn, found["executionArn"])
    assert described["maxConcurrency"] == 2
    assert (described["stopDate"] - described["startDate"]).total_seconds() >= 3


def test_the_rest_follows_a_map(sfn: Any) -> None:
    """A Map's result goes on through ResultSelector and ResultPath to the next state; a Catch sees its failure."""
    machine = json.loads(map_definition(FATE, ItemsPath="$.list", ResultPath="$.out", Next="After"))
    del machine["States"]["Map"]["End"]
    machine["States"]["Map"]["Catch"] = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "After"}]
    machine["States"]["After"] = {"Type": "Pass", "End": True}
    definition = json.dumps(machine)
    assert output_of(run(sfn, definition, {"list": [1, 2]})) == {"list": [1, 2], "out": [1, 2]}
    failed = output_of(run(sfn, definition, {"list": [9]}))
    assert failed["error"]["Error"] == "States.ExceedToleratedFailureThreshold"
