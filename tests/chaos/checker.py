"""Recounts a finished Map Run from outside: boto3 and JSON alone, no code of the services.

Every child's input must hold its own `index` (by ItemSelector), which is how a result is known for whose it is.
"""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_CHUNK_BYTES = 4 << 20
_SHOWN_MAX = 10
_FILE_OF = {
    "SUCCEEDED": "SUCCEEDED",
    "FAILED": "FAILED",
    "TIMED_OUT": "FAILED",
    "ABORTED": "FAILED",
    "PENDING": "PENDING",
}
_COUNT_OF = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timedOut",
    "ABORTED": "aborted",
    "PENDING": "pending",
}

Json = dict[str, Any]


def records(s3: Any, bucket: str, key: str) -> Iterator[Json]:
    """The elements of a JSON array of objects in S3, read piece by piece."""
    decoder = json.JSONDecoder()
    held = b""
    opened = closed = False
    for piece in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_CHUNK_BYTES):
        held += piece
        text = held[: held.rfind(b"}") + 1].decode()
        at = used = 0
        while True:
            while at < len(text) and text[at] in " \n\r\t,[":
                opened = opened or text[at] == "["
                at += 1
            if at >= len(text):
                break
            try:
                value, at = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                break
            used = at
            yield value
        held = held[len(text[:used].encode()) :]
    rest = held.decode().strip()
    closed = rest == "]" or (rest == "[]" and not opened)
    assert closed, f"s3://{bucket}/{key} ends with {rest[-80:]!r}"


@dataclass
class Recount:
    """What a recount found: indexes without a result, indexes with more than one, and all that is wrong, in words."""

    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0


def check(
    sfn: Any, s3: Any, map_run_arn: str, manifest: tuple[str, str], total: int, status_of: Callable[[int], str]
) -> Recount:
    """What is wrong with a Map Run of `total` items; nothing if every index has its one right result.

    `manifest` is (bucket, key); `status_of` says how the child of an index must have ended.
    """
    recount = Recount()
    wrong = recount.wrong
    bucket, key = manifest
    listed = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    if listed["MapRunArn"] != map_run_arn:
        wrong.append(f"the manifest is of {listed['MapRunArn']}")
    seen = bytearray(total)
    names: set[str] = set()
    counted: Counter[str] = Counter()
    for kind, files in listed["ResultFiles"].items():
        for file in files:
            size = s3.head_object(Bucket=bucket, Key=file["Key"])["ContentLength"]
            if size != file["Size"]:
                wrong.append(f"{file['Key']} has {size} bytes, the manifest says {file['Size']}")
            for record in records(s3, bucket, file["Key"]):
                counted[record["Status"]] += 1
                wrong += _judge(kind, record, seen, names, status_of)
                del wrong[_SHOWN_MAX:]
    recount.lost = seen.count(0)
    recount.doubled = total - recount.lost - seen.count(1)
    wrong += itertools.islice(
        (f"index {index} has {times} results" for index, times in enumerate(seen) if times != 1), _SHOWN_MAX
    )
    wrong += _judge_counts(sfn.describe_map_run(mapRunArn=map_run_arn), counted, total)
    return recount


def _judge(kind: str, record: Json, seen: bytearray, names: set[str], status_of: Callable[[int], str]) -> list[str]:
    """What is wrong with one record."""
    given = json.loads(record["Input"])
    index = given["index"]
    who = f"index {index} ({record.get('ExecutionArn')})"
    if not 0 <= index < len(seen):
        return [f"{who} is not in the source"]
    wrong = []
    if seen[index] < 255:
        seen[index] += 1
    if _FILE_OF[record["Status"]] != kind:
        wrong.append(f"{who} is {record['Status']} in a {kind} file")
    if record["Status"] != status_of(index):
        wrong.append(f"{who} ended {record['Status']}, not {status_of(index)}")
    if str(index) != given["value"]["n"]:
        wrong.append(f"{who} holds the row {given['value']['n']}")
    if record["Status"] != "PENDING":
        if record["ExecutionArn"] in names:
            wrong.append(f"{who} shares its ARN with another")
        names.add(record["ExecutionArn"])
    return wrong


def _judge_counts(described: Json, counted: Counter[str], total: int) -> list[str]:
    """What is wrong with DescribeMapRun against the recount."""
    wrong = []
    for member in ("itemCounts", "executionCounts"):
        counts = described[member]
        expected = {name: counted.get(status, 0) for status, name in _COUNT_OF.items()} | {"total": total, "running": 0}
        wrong += [
            f"{member}.{name} is {counts[name]}, the files hold {number}"
            for name, number in expected.items()
            if counts[name] != number
        ]
    return wrong
