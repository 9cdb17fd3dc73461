"""Result files against a real S3: one winner, the same bytes, whoever repeats a step."""

import random
from typing import Any

import pytest

from maprun.aws.clients import S3
from maprun.aws.errors import ResultWriterError, ResultWriterUnavailableError, UploadGoneError
from maprun.aws.results import PART_BYTES_MIN, ResultWriter, WrittenPart, composite_etag
from tests.integration.aws.conftest import s3_at, s3_port
from tests.integration.aws.weed import FaultyProxy

pytestmark = pytest.mark.integration

PARTS = [b"a" * PART_BYTES_MIN, b"b" * PART_BYTES_MIN, b"the end"]
SIZE = sum(map(len, PARTS))


@pytest.fixture(scope="session")
def results(s3: S3) -> str:
    """A bucket for results."""
    client: Any = s3.client
    client.create_bucket(Bucket="results")
    return "results"


def uploaded(writer: ResultWriter, bucket: str, key: str, bodies: list[bytes]) -> tuple[str, list[WrittenPart]]:
    """An upload with all its parts, not complete yet."""
    upload = writer.create_upload(bucket, key)
    return upload, [
        WrittenPart(n, writer.upload_part(bucket, key, upload, n, body)) for n, body in enumerate(bodies, 1)
    ]


def test_an_object_is_made_once_and_a_repeat_of_the_same_bytes_succeeds(s3: S3, results: str) -> None:
    """Two uploads of equal parts have equal ETags; the second completion finds the first's object and is content."""
    writer = ResultWriter(s3)
    one, parts = uploaded(writer, results, "same", PARTS)
    two, again = uploaded(writer, results, "same", PARTS)
    assert parts == again
    etag = composite_etag([part.etag for part in parts])
    assert writer.complete(results, "same", one, parts, SIZE)
    assert writer.complete(results, "same", two, parts, SIZE)
    assert writer.complete(results, "same", one, parts, SIZE)
    answer = s3.client.get_object(Bucket=results, Key="same")
    assert (answer["ETag"], answer["ContentLength"], answer["ContentType"]) == (etag, SIZE, "binary/octet-stream")
    assert answer["Body"].read() == b"".join(PARTS)
    writer.abort(results, "same", two)
    writer.abort(results, "same", two)


def test_other_bytes_under_the_same_key_are_refused(s3: S3, results: str) -> None:
    """A completion that meets an object with other content is States.ResultWriterFailed and changes nothing."""
    writer = ResultWriter(s3)
    writer.put_manifest(results, "taken", b"{}")
    upload, parts = uploaded(writer, results, "taken", [b"other"])
    with pytest.raises(ResultWriterError, match="exists with other content") as raised:
        writer.complete(results, "taken", upload, parts, 5)
    assert (raised.value.error, raised.value.retriable) == ("States.ResultWriterFailed", False)
    assert s3.client.get_object(Bucket=results, Key="taken")["Body"].read() == b"{}"


def test_the_manifest_is_written_once(s3: S3, results: str) -> None:
    """The same manifest again is success, another one is refused."""
    writer = ResultWriter(s3)
    writer.put_manifest(results, "m/manifest.json", b'{"a":1}')
    writer.put_manifest(results, "m/manifest.json", b'{"a":1}')
    with pytest.raises(ResultWriterError, match="exists with other content"):
        writer.put_manifest(results, "m/manifest.json", b'{"a":2}')
    assert s3.client.get_object(Bucket=results, Key="m/manifest.json")["Body"].read() == b'{"a":1}'
    # SeaweedFS keeps no application/octet-stream where a key's extension tells it something else: a key without one.
    writer.put_manifest(results, "m/manifest", b"{}")
    assert s3.client.head_object(Bucket=results, Key="m/manifest")["ContentType"] == "application/octet-stream"


def test_a_missing_bucket_or_upload_says_so(s3: S3, results: str) -> None:
    """What can't be written is States.ResultWriterFailed with the words that AWS has for it."""
    writer = ResultWriter(s3)
    with pytest.raises(ResultWriterError, match="The specified bucket does not exist") as raised:
        writer.create_upload("no-such-bucket", "k")
    assert raised.value.error == "States.ResultWriterFailed"
    with pytest.raises(ResultWriterError, match="The specified bucket does not exist"):
        writer.put_manifest("no-such-bucket", "k", b"{}")
    upload, parts = uploaded(writer, results, "dropped", [b"x"])
    writer.abort(results, "dropped", upload)
    with pytest.raises(UploadGoneError, match="Status Code: 404"):
        writer.upload_part(results, "dropped", upload, 2, b"y")
    with pytest.raises(UploadGoneError, match="Status Code: 404"):
        writer.complete(results, "dropped", upload, parts, 1)


def test_lost_answers_leave_one_object(s3: S3, results: str) -> None:
    """With 503s and answers that never arrive, also of the completion, the object is written once and found right."""
    chance = random.Random(3)

    def fault(_: int, _head: bytes) -> str | int | None:
        return chance.choice(("503", 0, None, None, None))  # each write is two calls: what is there is looked at first

    proxy = FaultyProxy(s3_port(s3), fault)
    try:
        writer = ResultWriter(s3_at(proxy.endpoint))
        for n in range(5):
            key = f"lossy-{n}"
            upload, parts = uploaded(writer, results, key, [b"x" * PART_BYTES_MIN, b"y%d" % n])
            etag = composite_etag([part.etag for part in parts])
            assert writer.complete(results, key, upload, parts, PART_BYTES_MIN + 2)
            writer.put_manifest(results, f"{key}-m", b"{}")
            assert s3.client.head_object(Bucket=results, Key=key)["ETag"] == etag
        assert proxy.requests > 40
    finally:
        proxy.close()


def test_an_s3_that_stays_down_is_a_retriable_error(s3: S3, results: str) -> None:
    """After bounded attempts the writer says that it can't write now."""
    proxy = FaultyProxy(s3_port(s3), lambda _n, _head: "503")
    try:
        with pytest.raises(ResultWriterUnavailableError) as raised:
            ResultWriter(s3_at(proxy.endpoint)).put_manifest(results, "never", b"{}")
        assert raised.value.retriable
        assert proxy.requests == 10
    finally:
        proxy.close()


def test_a_dropped_upload_leaves_nothing_behind(s3: S3, results: str) -> None:
    """Parts of results that can't be written are not stored, and paid for, for ever."""
    writer = ResultWriter(s3)
    upload, _ = uploaded(writer, results, "dropped/SUCCEEDED_0.json", PARTS)
    listed = s3.client.list_multipart_uploads(Bucket=results, Prefix="dropped/").get("Uploads", [])
    assert [entry["UploadId"] for entry in listed] == [upload]
    writer.abort(results, "dropped/SUCCEEDED_0.json", upload)
    assert s3.client.list_multipart_uploads(Bucket=results, Prefix="dropped/").get("Uploads", []) == []
