"""Reads a Map Run's result files back from S3 and compares every record with the row of the source it came from."""

import json
from collections.abc import Iterator
from typing import Any

_CHUNK_BYTES = 1 << 20
_DIFFERENCES_SHOWN = 10


def records(s3: Any, bucket: str, key: str) -> Iterator[dict[str, Any]]:
    """The records of one result file, a JSON array, without holding more than a piece of it."""
    decoder = json.JSONDecoder()
    text = ""
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    pending = b""
    for chunk in body.iter_chunks(_CHUNK_BYTES):
        pending += chunk
        cut = pending.rfind(b"}") + 1  # a UTF-8 sequence never holds this byte
        text += pending[:cut].decode()
        pending = pending[cut:]
        at = 0
        while True:
            at = _skip(text, at)
            try:
                record, at = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                break
            yield record
        text = text[at:]
    if (text + pending.decode()).strip(" \r\n\t,[]"):
        raise ValueError(f"s3://{bucket}/{key} does not end as a JSON array: {(text + pending.decode())[:80]!r}")


def _skip(text: str, at: int) -> int:
    """Past what stands between two records."""
    while at < len(text) and text[at] in " \r\n\t,[":
        at += 1
    return at


def differences(s3: Any, manifest_address: str, rows: list[dict[str, str]]) -> tuple[int, list[str]]:
    """How many records the result files hold, and what is wrong with them in words (the first few; none is right)."""
    bucket, _, key = manifest_address.removeprefix("s3://").partition("/")
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    seen = bytearray(len(rows))
    wrong: list[str] = []
    count = 0
    for status, files in manifest["ResultFiles"].items():
        for file in files:
            for record in records(s3, manifest["DestinationBucket"], file["Key"]):
                count += 1
                if len(wrong) < _DIFFERENCES_SHOWN and (found := _difference(status, record, rows, seen)):
                    wrong.append(found)
    if (missing := seen.count(0)) and len(wrong) < _DIFFERENCES_SHOWN:
        wrong.append(f"{missing} rows have no result, the first is row {seen.index(0)}")
    return count, wrong


def _difference(status: str, record: dict[str, Any], rows: list[dict[str, str]], seen: bytearray) -> str:
    """What is wrong with one record; empty if nothing is."""
    name = record.get("ExecutionArn", "a record without ExecutionArn")
    if status != "SUCCEEDED" or record["Status"] != "SUCCEEDED":
        return f"{name} stands in the {status} files as {record['Status']}: {record.get('Error')} {record.get('Cause')}"
    given, made = json.loads(record["Input"]), json.loads(record["Output"])
    index = given["index"]
    if not 0 <= index < len(rows):
        return f"{name} has index {index}, but the source has {len(rows)} rows"
    if seen[index]:
        return f"row {index} has more than one result, the second is {name}"
    seen[index] = 1
    if given["value"] != rows[index]:
        return f"row {index} went in as {given['value']}, the source has {rows[index]}"
    if made != {"statusCode": 200, "inputReceived": given}:
        return f"row {index} came out as {made}"
    return ""
