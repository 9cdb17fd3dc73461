"""Distributed Map over sources that are made of several objects, and over Parquet, through the whole stack."""

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.integration.system.running import PASS, Json, map_definition, map_run_of, output_of, run

pytestmark = pytest.mark.integration
BUCKET = "many"
SELECT = {"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value", "source.$": "$$.Map.Item.Source"}
PARTS = 60


@pytest.fixture(scope="module")
def bucket(s3: Any) -> str:
    """A bucket with objects of one to three records, and manifests of them."""
    s3.create_bucket(Bucket=BUCKET)
    for n in range(PARTS):
        body = "".join(json.dumps({"part": n, "row": row}) + "\n" for row in range(n % 3 + 1))
        s3.put_object(Bucket=BUCKET, Key=f"parts/{n:03d}.gz", Body=gzip.compress(body.encode()))
    addresses = "".join(f"s3://{BUCKET}/parts/{n:03d}.gz\n" for n in range(PARTS))
    s3.put_object(Bucket=BUCKET, Key="unload-manifest.csv", Body=addresses.encode())
    rows = gzip.compress(b'"source","a",1\n"source","b",2\n')
    s3.put_object(Bucket=BUCKET, Key="inventory/1.csv.gz", Body=rows)
    manifest = {
        "destinationBucket": f"arn:aws:s3:::{BUCKET}",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "inventory/1.csv.gz", "size": len(rows)}],
    }
    s3.put_object(Bucket=BUCKET, Key="inventory/manifest.json", Body=json.dumps(manifest).encode())
    out = io.BytesIO()
    pa.parquet.write_table(pa.table({"n": list(range(1000)), "s": ["é"] * 1000}), out, row_group_size=300)
    s3.put_object(Bucket=BUCKET, Key="rows.parquet", Body=out.getvalue())
    return BUCKET


def reader(resource: str, config: Json, **parameters: str) -> Json:
    """An ItemReader."""
    return {
        "Resource": f"arn:aws:states:::s3:{resource}",
        "ReaderConfig": config,
        "Parameters": {"Bucket": BUCKET, **parameters},
    }


def expected() -> list[Json]:
    """The records of all parts, each with its object."""
    rows = [(n, row) for n in range(PARTS) for row in range(n % 3 + 1)]
    return [
        {"index": i, "value": {"part": n, "row": row}, "source": f"s3://{BUCKET}/parts/{n:03d}.gz"}
        for i, (n, row) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    "source",
    [
        reader("listObjectsV2", {"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"}, Prefix="parts/"),
        reader("getObject", {"InputType": "JSONL", "ManifestType": "ATHENA_DATA"}, Key="unload-manifest.csv"),
    ],
    ids=["LOAD_AND_FLATTEN", "ATHENA_DATA"],
)
def test_records_of_many_objects_are_one_run(sfn: Any, bucket: str, source: Json) -> None:
    """Each record of each object is one child, in order, and ItemSelector sees which object it is of."""
    del bucket
    found = run(sfn, map_definition(PASS, ItemReader=source, ItemSelector=SELECT))
    assert output_of(found) == expected()
    counts = map_run_of(sfn, found["executionArn"])["itemCounts"]
    assert (counts["succeeded"], counts["total"]) == (len(expected()), len(expected()))


def test_batches_hold_records_of_several_objects(sfn: Any, bucket: str) -> None:
    """Items of different objects share a batch, each selected with its own source."""
    del bucket
    config = {"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"}
    source = reader("listObjectsV2", config, Prefix="parts/")
    batcher = {"MaxItemsPerBatch": 50}
    found = run(sfn, map_definition(PASS, ItemReader=source, ItemSelector=SELECT, ItemBatcher=batcher))
    assert [item for batch in output_of(found) for item in batch["Items"]] == expected()


def test_an_inventory_s_lines_are_items(sfn: Any, bucket: str) -> None:
    """The lines of an inventory's files are items named by its schema; the objects they tell of are not read."""
    del bucket
    source = reader("getObject", {"InputType": "MANIFEST"}, Key="inventory/manifest.json")
    rows = [{"Bucket": "source", "Key": key, "Size": size} for key, size in (("a", "1"), ("b", "2"))]
    assert output_of(run(sfn, map_definition(PASS, ItemReader=source))) == rows


def test_parquet_rows_are_items(sfn: Any, bucket: str) -> None:
    """Each row of a Parquet object is an item, over all its row groups."""
    del bucket
    source = reader("getObject", {"InputType": "PARQUET"}, Key="rows.parquet")
    found = output_of(run(sfn, map_definition(PASS, ItemReader=source)))
    assert found == [{"n": n, "s": "é"} for n in range(1000)]
