"""What `GET /maprun/results` shows of a Map Run's result files, and what where they can't be read."""

import json

import pytest

from maprun.aws.result_files import ResultFileError, ResultFiles
from services.maprun_tracker.api import results
from tests.unit.aws.memory_s3 import MemoryS3

MANIFEST = {
    "DestinationBucket": "b",
    "MapRunArn": "arn",
    "ResultFiles": {
        "FAILED": [],
        "PENDING": [{"Key": "p", "Size": 0}],
        "SUCCEEDED": [{"Key": "s0", "Size": 9}, {"Key": "s1", "Size": 8}],
    },
}


def test_files_come_with_the_first_records_of_each_kind() -> None:
    """All files are listed by kind; of the first of each kind the first records are read, of an empty one none."""
    s3 = MemoryS3()
    s3.put("m", json.dumps(MANIFEST).encode())
    s3.put("s0", b'[{"a":1},\n {"b":[2, 3]}]')
    s3.put("p", b"")
    files, number = results.files_of(ResultFiles(lambda: s3.access), "b", "m")
    assert [(file.status, file.key, file.size, file.first_records) for file in files] == [
        ("PENDING", "p", 0, []),
        ("SUCCEEDED", "s0", 9, ['{"a":1}', '{"b":[2, 3]}']),
        ("SUCCEEDED", "s1", 8, None),
    ]
    assert number == 3


@pytest.mark.parametrize("key", ["secret.json", "runs/secret.json", "runs/a/b/secret.json", "runs/ab/secret.json"])
def test_a_manifest_shows_no_object_but_those_beside_it(key: str) -> None:
    """Who may write one need not be who may read the bucket."""
    s3 = MemoryS3()
    s3.put("runs/a/manifest.json", json.dumps({"ResultFiles": {"SUCCEEDED": [{"Key": key, "Size": 1}]}}).encode())
    s3.put(key, b"[1]")
    with pytest.raises(ResultFileError, match="is not beside it"):
        results.files_of(ResultFiles(lambda: s3.access), "b", "runs/a/manifest.json")


def test_a_manifest_of_a_redrive_shows_the_files_of_the_attempts_before_it() -> None:
    """A redrive has a folder of its own in its run's; what stands in that, or in another redrive's, is the run's."""
    s3 = MemoryS3()
    keys = ["runs/a/SUCCEEDED_0.json", "runs/a/Redrive-1/SUCCEEDED_0.json", "runs/a/Redrive-12/SUCCEEDED_0.json"]
    listed = {"ResultFiles": {"SUCCEEDED": [{"Key": key, "Size": 3} for key in keys]}}
    s3.put("runs/a/Redrive-12/manifest.json", json.dumps(listed).encode())
    s3.put(keys[0], b"[1]")
    files, _ = results.files_of(ResultFiles(lambda: s3.access), "b", "runs/a/Redrive-12/manifest.json")
    assert [file.key for file in files] == keys


@pytest.mark.parametrize(("key", "body"), [("m", b"no manifest"), ("m", None), ("s0", None)])
def test_what_cannot_be_read_is_said(key: str, body: bytes | None) -> None:
    """A manifest that is none, or an object that is gone, is an error with its address or S3's words."""
    s3 = MemoryS3()
    objects = {"m": json.dumps(MANIFEST).encode(), "s0": b"[]", "p": b""}
    for name, content in objects.items():
        if (given := body if name == key else content) is not None:
            s3.put(name, given)
    with pytest.raises(ResultFileError) as said:
        results.files_of(ResultFiles(lambda: s3.access), "b", "m")
    assert ("no manifest" if body else "NoSuchKey") in said.value.cause or "key does not exist" in said.value.cause


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'[{"a":1},{"b":2},{"c', ['{"a":1}', '{"b":2}']),
        (b'{"a":1}\n{"b":2}\n', ['{"a":1}', '{"b":2}']),
        (b"[]", []),
        (b"", []),
        (b"<html>", []),
        (b"[" + b"1," * 9 + b"1]", ["1"] * 5),
        (b'["' + b"x" * 5_000 + b'"]', ['"' + "x" * 1_999]),
    ],
)
def test_records_are_read_as_far_as_they_are_whole(body: bytes, found: list[str]) -> None:
    """Arrays and lines alike; the last one may be cut off in the midst."""
    assert results.first_records(body) == found
