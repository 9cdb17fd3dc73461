"""Sources on servers of every kind: the version that is pinned is read, or the cause says what the server lacks."""

from typing import Any

import pytest

from maprun.aws.errors import SourceError, SourceUnavailableError
from maprun.aws.retry import LINES_A_WINDOW_MAX, WINDOW_SECONDS, FailedAttempt, RetryWarnings
from maprun.aws.sources import Source, open_source
from schemas.plan import ItemReaderPlan
from tests.unit.aws.memory_s3 import ENDPOINT, MemoryS3, Server

GET_OBJECT = "arn:aws:states:::s3:getObject"
LIST_OBJECTS = "arn:aws:states:::s3:listObjectsV2"
LINES = b"".join(b'{"n":%d}\n' % n for n in range(60_000))


def plan(key: str = "o.jsonl", **more: Any) -> ItemReaderPlan:
    """Reads one object of JSON lines."""
    return ItemReaderPlan(resource=GET_OBJECT, bucket="b", key=key, input_type="JSONL", **more)


FLATTEN = ItemReaderPlan(resource=LIST_OBJECTS, bucket="b", input_type="JSONL", transformation="LOAD_AND_FLATTEN")
LISTING = ItemReaderPlan(resource=LIST_OBJECTS, bucket="b")


def drained(source: Source) -> list[bytes]:
    """All items."""
    items: list[bytes] = []
    while True:
        chunk = source.read(10_000, 1 << 20)
        items += chunk.items
        if chunk.ended:
            return items


@pytest.mark.parametrize("etags", ["md5", "own", "plain"])
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("conditional", ["heeded", "ignored"])
def test_etags_are_compared_without_their_quotes(s3: MemoryS3, etags: str, conditional: str, *, bare: bool) -> None:
    """A server that writes ETags without quotes, or in its own way, is read like any other, whole or resumed."""
    s3.begin(Server(etags=etags, bare_etags=bare, conditional=conditional))
    s3.put("o.jsonl", LINES)
    client = s3.access
    source = open_source(client, plan(), b"", b"")
    chunk = source.read(7, 1 << 20)
    rest = drained(open_source(client, plan(), chunk.checkpoint, source.pin))
    assert b"".join(item + b"\n" for item in [*chunk.items, *rest]) == LINES
    assert drained(open_source(client, FLATTEN, b"", b"")) == LINES.split()
    [listed] = drained(open_source(client, LISTING, b"", b""))
    assert listed.startswith(b'{"Etag":"\\"')


@pytest.mark.parametrize("conditional", ["heeded", "ignored"])
def test_an_object_that_changes_is_noticed_whatever_the_server_heeds(s3: MemoryS3, conditional: str) -> None:
    """Two versions are never mixed, also where If-Match is ignored."""
    s3.begin(Server(conditional=conditional))
    s3.put("o.jsonl", LINES)
    source = open_source(s3.access, plan(), b"", b"")
    s3.put("o.jsonl", LINES.replace(b"n", b"m"))
    with pytest.raises(SourceError, match=r"s3://b/o.jsonl changed while it was read"):
        drained(source)


def test_a_server_without_etags_is_told_apart(s3: MemoryS3) -> None:
    """What can't be pinned isn't read: the cause names server, object and what is missing. A listing needs no ETag."""
    s3.begin(Server(etags="none"))
    s3.put("o.jsonl", LINES)
    cause = f"S3 at {ENDPOINT} sent no ETag in its answer to GetObject of s3://b/o.jsonl.*can't be pinned"
    with pytest.raises(SourceError, match=cause) as raised:
        open_source(s3.access, plan(), b"", b"")
    assert not raised.value.retriable
    with pytest.raises(SourceError, match=cause):
        drained(open_source(s3.access, FLATTEN, b"", b""))
    assert drained(open_source(s3.access, LISTING, b"", b"")) == [
        b'{"Etag":"","Key":"o.jsonl","LastModified":1769860800,"Size":%d,"StorageClass":"STANDARD"}' % len(LINES)
    ]


def test_a_listing_without_etags_is_pinned_by_the_first_answer(s3: MemoryS3) -> None:
    """Objects are as large and as old as they were listed, and have the ETag they were opened with."""
    s3.begin(Server(listed_etags=False))
    s3.put("o.jsonl", LINES)
    assert drained(open_source(s3.access, FLATTEN, b"", b"")) == LINES.split()
    s3.after_listing = lambda: s3.put("o.jsonl", b"1\n")
    with pytest.raises(SourceError, match=r"has 2 bytes, not 708890 as its manifest or listing says"):
        drained(open_source(s3.access, FLATTEN, b"", b""))


def test_an_ignored_version_is_noticed(s3: MemoryS3) -> None:
    """A server that knows no versions sends the newest bytes: they are not read for those that were asked for."""
    s3.begin(Server())
    s3.put("o.jsonl", LINES)
    with pytest.raises(SourceError, match=rf"S3 at {ENDPOINT} ignored VersionId v1 of s3://b/o.jsonl"):
        open_source(s3.access, plan(version_id="v1"), b"", b"")
    assert len(drained(open_source(s3.access, plan(version_id="null"), b"", b""))) == 60_000


@pytest.mark.parametrize("status", [400, 403, 501])
def test_a_refusal_is_final(s3: MemoryS3, status: int) -> None:
    """501 Not Implemented too: one call, no warning, a cause with status and object."""
    s3.begin(Server(status={"GetObject": status, "ListObjectsV2": status}))
    for each in (plan(), LISTING):
        with pytest.raises(SourceError, match=rf"Status Code: {status}.*s3://b") as raised:
            open_source(s3.access, each, b"", b"")
        assert not raised.value.retriable
    assert (sum(s3.calls.values()), s3.warned) == (2, [])


def test_a_server_that_stays_broken_is_warned_of(s3: MemoryS3) -> None:
    """Each failed attempt of opening, listing and reading on is said with what was called on what."""
    s3.begin(Server(status={"ListObjectsV2": 503}))
    s3.put("o.jsonl", LINES)
    with pytest.raises(SourceUnavailableError):
        open_source(s3.access, LISTING, b"", b"")
    assert [(w.operation, w.address, w.attempt) for w in s3.warned] == [
        ("ListObjectsV2", "s3://b", n) for n in range(1, 10)
    ]
    s3.warned.clear()
    source = open_source(s3.access, plan(), b"", b"")
    s3.server.status["GetObject"] = 500
    with pytest.raises(SourceUnavailableError):
        drained(source)
    assert [(w.operation, w.address, w.attempt) for w in s3.warned] == [
        ("GetObject", "s3://b/o.jsonl", n) for n in range(1, 10)
    ]


def test_a_web_page_is_no_s3(s3: MemoryS3) -> None:
    """An endpoint that answers everything with a page fails at once, in words, as object and as listing."""
    s3.begin(Server(page=True))
    with pytest.raises(SourceError, match=r"sent no ETag .* and a body of type text/html"):
        open_source(s3.access, plan(), b"", b"")
    with pytest.raises(
        SourceError, match=r"no S3: it sent '<!doctype html>.*AWS_ENDPOINT_URL_S3.*s3://b, http://s3.test"
    ):
        open_source(s3.access, LISTING, b"", b"")
    assert (sum(s3.calls.values()), s3.warned) == (2, [])


def test_very_many_warnings_are_counted() -> None:
    """A window has so many lines; what came beyond them stands as a number in the first line of the next window."""
    lines: list[dict[str, object]] = []
    now = [0.0]
    warnings = RetryWarnings(lambda: now[0], lambda event, **more: lines.append({"event": event, **more}))

    for attempt in range(LINES_A_WINDOW_MAX + 5):
        warnings(FailedAttempt("GetObject", "s3://b/k", attempt, OSError("gone")))
    assert len(lines) == LINES_A_WINDOW_MAX
    now[0] = WINDOW_SECONDS
    warnings(FailedAttempt("GetObject", "s3://b/k", 1, OSError("gone")))
    assert (lines[-1]["attempt"], lines[-1]["others_unsaid"]) == (1, 5)
    assert lines[0] == {
        "event": "s3_call_failed_is_made_again",
        "operation": "GetObject",
        "address": "s3://b/k",
        "attempt": 0,
        "status": None,
        "error": "OSError: gone",
    }
