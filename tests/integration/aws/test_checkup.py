"""What `maprun doctor` says of S3: of a server that does all, and of set-ups that are each wrong in their own way."""

import re
import time
from collections.abc import Iterator

import msgspec
import pytest

from maprun.aws.checkup_s3 import look_at_s3
from maprun.aws.clients import S3
from maprun.runtime.checkup import Finding
from tests.integration.aws.conftest import s3_at
from tests.integration.aws.quirky_proxy import Quirk, QuirkyProxy

pytestmark = pytest.mark.integration
ALL = {
    "answers",
    "clock",
    "rights",
    "conditional writes",
    "multipart uploads",
    "ranges",
    "ETags",
    "listings",
    "versions",
}


@pytest.fixture(scope="module")
def proxy(s3: S3) -> Iterator[QuirkyProxy]:
    """A proxy before the real S3."""
    made = QuirkyProxy(s3.endpoint)
    yield made
    made.close()


def look(s3: S3, bucket: str = "") -> dict[str, Finding]:
    """The findings by what was looked at."""
    once = msgspec.structs.replace(s3, retry=msgspec.structs.replace(s3.retry, attempts_max=1))
    return {each.check: each for each in look_at_s3(once, bucket, "here", time.time, lambda: 5.0)}


def wrong(found: dict[str, Finding]) -> set[str]:
    """What is wrong."""
    return {check for check, each in found.items() if each.state == "wrong"}


def test_a_server_that_does_all_is_well(s3: S3) -> None:
    """Nothing is wrong, and nothing is left: neither the bucket that was made, nor an object."""
    found = look(s3)
    assert found.keys() >= ALL
    assert wrong(found) == set()
    assert {check for check, each in found.items() if each.state == "note"} <= {"checksums"}
    assert not [each for each in s3.client.list_buckets()["Buckets"] if each["Name"].startswith("maprun-doctor")]


def test_what_a_look_ends_at_is_named(s3: S3, proxy: QuirkyProxy) -> None:
    """Also where the bucket is the look's own, and is deleted afterwards."""
    proxy.odd("maprun-doctor-here", Quirk(etags="none"))
    assert wrong(look(s3_at(proxy.endpoint))) == {"reads"}
    assert not [each for each in s3.client.list_buckets()["Buckets"] if each["Name"].startswith("maprun-doctor")]


def test_a_bucket_of_ones_own_is_left_as_it_was(s3: S3, bucket: str) -> None:
    """Probe objects stand under one prefix, and are deleted."""
    assert wrong(look(s3, bucket)) == set()
    assert s3.client.list_objects_v2(Bucket=bucket, Prefix="maprun-doctor/")["KeyCount"] == 0


def refused(status: int, code: str, *operations: str) -> Quirk:
    """A bucket where these operations are refused."""
    return Quirk(refused=dict.fromkeys(operations, (status, code)))


SKEWED = Quirk(refused={"ListObjectsV2": (403, "RequestTimeTooSkewed")}, clock_seconds=-3600)


@pytest.mark.parametrize(
    ("name", "quirk", "check", "said"),
    [
        ("doctor-unknown-key", refused(403, "InvalidAccessKeyId", "ListObjectsV2"), "keys", "InvalidAccessKeyId"),
        (
            "doctor-wrong-secret",
            refused(403, "SignatureDoesNotMatch", "ListObjectsV2"),
            "keys",
            "SignatureDoesNotMatch",
        ),
        ("doctor-no-list", refused(403, "AccessDenied", "ListObjectsV2"), "rights", "to ListObjectsV2 of the bucket"),
        (
            "doctor-no-put",
            refused(403, "AccessDenied", "PutObject"),
            "rights",
            "PutObject in the bucket doctor-.* is refused",
        ),
        ("doctor-skewed", SKEWED, "clock", r"360\d s ahead of"),
        ("doctor-behind", Quirk(clock_seconds=400), "clock", r"(399|400) s behind"),
        ("doctor-aborts", Quirk(aborts_delete=True), "multipart uploads", "takes away the object at its key"),
        ("doctor-no-etags", Quirk(etags="none"), "reads", "its version can't be pinned"),
    ],
)
def test_a_wrong_set_up_is_named(s3: S3, proxy: QuirkyProxy, name: str, quirk: Quirk, check: str, said: str) -> None:
    """One thing is wrong, it is that one, and a cure is given."""
    s3.client.create_bucket(Bucket=name)
    proxy.odd(name, quirk)
    found = look(s3_at(proxy.endpoint), name)
    assert wrong(found) == {check}
    assert re.search(said, found[check].said), found[check]
    assert found[check].cure


def test_conditions_that_are_ignored_are_told_with_what_follows(s3: S3, proxy: QuirkyProxy) -> None:
    """A server without If-None-Match and If-Match works, and its owner hears how."""
    s3.client.create_bucket(Bucket="doctor-ignores")
    proxy.odd("doctor-ignores", Quirk(conditional=False, etags="random"))
    found = look(s3_at(proxy.endpoint), "doctor-ignores")
    assert wrong(found) == set()
    told = {check: each.said for check, each in found.items() if each.state == "note"}
    assert "ignores If-None-Match" in told["conditional writes"]
    assert "ignores If-Match" in told["ETags"]
    assert "not made of MD5s" in told["multipart uploads"]


def test_a_bucket_that_is_not_there_is_named(s3: S3) -> None:
    """So is a server that is away."""
    assert "doctor-nowhere" in look(s3, "doctor-nowhere")["bucket"].said
    away = look(s3_at("http://127.0.0.1:9"))
    assert wrong(away) == {"answers"}
    assert "does not answer" in away["answers"].said


def test_a_look_without_time_ends(s3: S3, bucket: str) -> None:
    """What is left is said to have been left."""
    once = msgspec.structs.replace(s3, retry=msgspec.structs.replace(s3.retry, attempts_max=1))
    seconds = iter([1.0, 1.0, 1.0])
    found = look_at_s3(once, bucket, "slow", time.time, lambda: next(seconds, 0.0))
    assert [each.check for each in found if each.state == "skipped"] == ["the rest"]
    assert s3.client.list_objects_v2(Bucket=bucket, Prefix="maprun-doctor/slow/")["KeyCount"] == 0
