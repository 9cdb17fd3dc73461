"""Item sources against a real S3, with connections that break."""

import gzip
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from maprun.aws.clients import S3
from maprun.aws.sources import SourceError, SourceUnavailableError, open_source, source_text
from schemas.plan import ItemReaderPlan
from tests.integration.aws.conftest import s3_at, s3_port
from tests.integration.aws.reading import GET_OBJECT, LIST_OBJECTS, drained, get_plan, ratings, resumed_anywhere
from tests.integration.aws.weed import FaultyProxy

pytestmark = pytest.mark.integration


def as_json_document(rows: int) -> bytes:
    """A document with the items below a pointer, after a larger sibling, with whitespace, and text behind them."""
    items = [{"n": n, "text": "é" * (n % 7), "list": [n, {"deep": None}]} for n in range(rows)]
    sibling = [{"skip": f'["{n}\\"'} for n in range(rows)]
    return json.dumps({"a/b": sibling, "data": {"~items": items}, "end": 1}, indent=1, ensure_ascii=False).encode()


CASES: list[tuple[str, bytes, dict[str, Any]]] = [
    ("r.csv", ratings(3000), {"input_type": "CSV"}),
    ("crlf.csv", ratings(3000).replace(b"\n", b"\r\n"), {"input_type": "CSV"}),
    ("quoted.csv", b"a,b\n" + b'"x ""y"", \n z",\xc3\xa9\\,1\n' * 2000, {"input_type": "CSV"}),
    ("lines.jsonl", b"".join(b'{ "n": %d, "x": [1, 2.50]}\n' % n for n in range(3000)), {"input_type": "JSONL"}),
    ("doc.json", as_json_document(2000), {"input_type": "JSON", "items_pointer": "/data/~0items"}),
    ("map.json", json.dumps({f"k{n}": n for n in range(3000)}).encode(), {"input_type": "JSON"}),
    ("z.csv.gz", gzip.compress(ratings(2000)) + gzip.compress(b"1,2,3,4\n"), {"input_type": "CSV"}),
    ("z.csv.zstd", zstandard.compress(ratings(2000)) + zstandard.compress(b"1,2,3,4\n"), {"input_type": "CSV"}),
]


@pytest.mark.parametrize(("key", "body", "how"), CASES, ids=[case[0] for case in CASES])
def test_every_checkpoint_resumes_with_the_same_items(
    s3: S3,
    bucket: str,
    key: str,
    body: bytes,
    how: dict[str, Any],
) -> None:
    """Opening at any checkpoint and reading on gives byte-identical items, whatever the sizes asked for."""
    s3.client.put_object(Bucket=bucket, Key=key, Body=body)
    plan = get_plan(bucket, key, **how)
    whole = drained(open_source(s3, plan, b"", b""))
    assert len(whole) >= 2000
    resumed_anywhere(s3, plan, key, whole)


def test_rows_become_objects_of_strings(s3: S3, bucket: str) -> None:
    """A row of the tutorial's file is an object of four strings, and MaxItems ends the source."""
    s3.client.put_object(
        Bucket=bucket, Key="t.csv", Body=b"\xef\xbb\xbfuserId,movieId,rating,timestamp\n1,2,3.5,9\n1,2,"
    )
    plan = get_plan(bucket, "t.csv", input_type="CSV")
    first = {"userId": "1", "movieId": "2", "rating": "3.5", "timestamp": "9"}
    second = {"userId": "1", "movieId": "2", "rating": "", "timestamp": ""}
    assert [json.loads(item) for item in drained(open_source(s3, plan, b"", b""))] == [first, second]
    limited = get_plan(bucket, "t.csv", input_type="CSV", max_items=1)
    chunk = open_source(s3, limited, b"", b"").read(10, 1000)
    assert (len(chunk.items), chunk.ended) == (1, True)
    assert open_source(s3, limited, chunk.checkpoint, b"").read(10, 1000).ended


def test_object_iteration_gives_keys(s3: S3, bucket: str) -> None:
    """Iterating an object gives each value with its key, in the document's order."""
    s3.client.put_object(Bucket=bucket, Key="o.json", Body=b' { "b" : 1 , "a\\"\\u00e9" : {"x": [ ]} } ')
    chunk = open_source(s3, get_plan(bucket, "o.json", input_type="JSON"), b"", b"").read(10, 1000)
    assert (chunk.items, chunk.keys, chunk.ended) == ([b"1", b'{"x":[]}'], ["b", 'a"é'], True)


@pytest.mark.parametrize(
    ("body", "how"),
    [
        (b"", {"input_type": "CSV"}),
        (b"a,b\n", {"input_type": "CSV"}),
        (b"", {"input_type": "JSONL"}),
        (b"\n \n", {"input_type": "JSONL"}),
        (b"[ ]", {"input_type": "JSON"}),
        (b"{}", {"input_type": "JSON"}),
    ],
)
def test_a_source_without_items_ends_at_once(s3: S3, bucket: str, body: bytes, how: dict[str, Any]) -> None:
    """Empty objects, headers without rows and empty arrays have no items, which is no error."""
    s3.client.put_object(Bucket=bucket, Key="empty", Body=body)
    chunk = open_source(s3, get_plan(bucket, "empty", **how), b"", b"").read(10, 1000)
    assert (chunk.items, chunk.ended) == ([], True)


def test_listing_gives_objects_in_the_order_of_keys_page_by_page(s3: S3) -> None:
    """2,100 keys come in three pages, in order, with the members recorded on AWS; any checkpoint resumes."""
    s3.client.create_bucket(Bucket="listed")
    for n in range(1050):
        s3.client.put_object(Bucket="listed", Key=f"p/{n:05d} &é", Body=b"x")
        s3.client.put_object(Bucket="listed", Key=f"q/{n:05d}", Body=b"")
    plan = ItemReaderPlan(resource=LIST_OBJECTS, bucket="listed")
    source = open_source(s3, plan, b"", b"")
    assert (source.pin, source.pinned) == (b"", False)
    items: list[bytes] = []
    while True:
        chunk = source.read(333, 1 << 20)
        items += chunk.items
        if chunk.ended:
            break
        source = open_source(s3, plan, chunk.checkpoint, b"") if len(items) % 2 else source
    found = [json.loads(item) for item in items]
    assert [item["Key"] for item in found] == sorted(
        [f"p/{n:05d} &é" for n in range(1050)] + [f"q/{n:05d}" for n in range(1050)],
    )
    assert sorted(found[0]) == ["Etag", "Key", "LastModified", "Size", "StorageClass"]
    assert found[0]["Etag"] == '"9dd4e461268c8034f5c8564e155c67a6"'
    assert found[0]["Size"] == 1
    assert found[0]["LastModified"] > 1_700_000_000
    prefixed = ItemReaderPlan(resource=LIST_OBJECTS, bucket="listed", prefix="q/", max_items=7)
    assert len(drained(open_source(s3, prefixed, b"", b""))) == 7
    others = s3.client.list_objects_v2(Bucket="listed", MaxKeys=2)  # a call of somebody else with the same client
    assert [entry["Size"] for entry in others["Contents"]] == [1, 1]


def test_resets_short_answers_and_5xx_do_not_show(s3: S3, bucket: str) -> None:
    """Answers cut at any byte and 503s in mid-object are asked for again from where they broke."""
    s3.client.put_object(Bucket=bucket, Key="long.csv", Body=ratings(200_000))
    plan = get_plan(bucket, "long.csv", input_type="CSV")
    whole = drained(open_source(s3, plan, b"", b""))
    chance = random.Random(7)
    broken: list[str | int | None] = []

    def fault(_: int, head: bytes) -> str | int | None:
        if not head.startswith(b"GET"):
            return None
        fault = chance.choice(("503", chance.randint(0, 600_000), chance.randint(0, 900), None))
        broken.append(fault)
        return fault

    proxy = FaultyProxy(s3_port(s3), fault)
    try:
        assert drained(open_source(s3_at(proxy.endpoint), plan, b"", b"")) == whole
        assert len(broken) - broken.count(None) > 10
    finally:
        proxy.close()


def always_503(_n: int, _head: bytes) -> str | int | None:
    """S3 that is down."""
    return "503"


def always_cut(_n: int, _head: bytes) -> str | int | None:
    """S3 that hangs up."""
    return 0


@pytest.mark.parametrize("fault", [always_503, always_cut])
@pytest.mark.parametrize("resource", [GET_OBJECT, LIST_OBJECTS])
def test_an_s3_that_stays_down_is_a_retriable_error(
    s3: S3,
    bucket: str,
    fault: Callable[[int, bytes], str | int | None],
    resource: str,
) -> None:
    """After a bounded number of attempts the source says that it can't be read now."""
    s3.client.put_object(Bucket=bucket, Key="down.csv", Body=b"a\n1\n")
    proxy = FaultyProxy(s3_port(s3), fault)
    try:
        plan = ItemReaderPlan(resource=resource, bucket=bucket, key="down.csv", input_type="JSONL")
        with pytest.raises(SourceUnavailableError) as raised:
            open_source(s3_at(proxy.endpoint), plan, b"", b"")
        assert raised.value.retriable
        assert proxy.requests == 10 + (resource == GET_OBJECT)  # the light path's own attempt comes before
    finally:
        proxy.close()


def test_an_object_changed_while_it_is_read_fails_the_run(s3: S3, bucket: str) -> None:
    """The pinned version is read or nothing: after an overwrite or a deletion reading fails, and not retriably."""
    s3.client.put_object(Bucket=bucket, Key="v.csv", Body=ratings(40000))
    plan = get_plan(bucket, "v.csv", input_type="CSV")
    source = open_source(s3, plan, b"", b"")
    chunk = source.read(10, 1000)
    s3.client.put_object(Bucket=bucket, Key="v.csv", Body=ratings(40001))
    with pytest.raises(SourceError, match="changed while it was read") as raised:
        drained(source)
    assert raised.value.error == "States.ItemReaderFailed"
    assert not raised.value.retriable
    with pytest.raises(SourceError, match="changed while it was read"):
        drained(open_source(s3, plan, chunk.checkpoint, source.pin))
    s3.client.delete_object(Bucket=bucket, Key="v.csv")
    with pytest.raises(SourceError, match="deleted while it was read"):
        drained(open_source(s3, plan, chunk.checkpoint, source.pin))


@pytest.mark.parametrize(
    ("plan", "cause"),
    [
        (get_plan("no-such-bucket", "k", input_type="JSONL"), "The specified bucket does not exist (Service: S3, "),
        (get_plan("sources", "no-such-key", input_type="JSONL"), "The specified key does not exist"),
        (ItemReaderPlan(resource=LIST_OBJECTS, bucket="no-such-bucket"), "The specified bucket does not exist"),
        (get_plan("sources", "k", input_type="CSV", max_items=-1), "field MaxItems must be positive"),
        (get_plan("sources", "scalar.json", input_type="JSON"), "Attempting to map over non-iterable node."),
        (get_plan("sources", "dup.csv", input_type="CSV"), "CSV headers cannot contain duplicates."),
        (get_plan("sources", "wide.csv", input_type="CSV"), "CSV headers cannot exceed 10240 bytes."),
        (
            get_plan("sources", "doc2.json", input_type="JSON", items_pointer="/x/y"),
            "ItemsPointer /x/y leads to nothing",
        ),
        (get_plan("sources", "broken.jsonl", input_type="JSONL"), "s3://sources/broken.jsonl, record 2, byte 8"),
        (get_plan("sources", "broken.json", input_type="JSON"), "JSON can't be read: unexpected 'x'"),
        (get_plan("sources", "cut.json", input_type="JSON"), "ends too early (s3://sources/cut.json, item 2"),
        (get_plan("sources", "dup.csv", input_type="JSONL", expected_bucket_owner=""), "JSONL record can't be read"),
        (get_plan("sources", "broken.gz", input_type="JSONL"), "can't be decompressed"),
        (get_plan("sources", "k", input_type="XML"), "needs an InputType of CSV, JSON, JSONL, PARQUET, MANIFEST, not"),
        (get_plan("sources", "k", input_type="PARQUET", version_id="1"), "VersionId is not supported with InputType"),
        (get_plan("sources", "k", manifest_type="ATHENA_DATA"), "ManifestType ATHENA_DATA needs an InputType of CSV"),
        (get_plan("sources", "k", manifest_type="S3_INVENTORY", input_type="CSV"), "must not be given with"),
        (get_plan("sources", "deep.json", input_type="JSON"), "nested"),
        (get_plan("sources", "deep.jsonl", input_type="JSONL"), "nested"),
    ],
    ids=lambda value: value.key or value.bucket if isinstance(value, ItemReaderPlan) else "",
)
def test_what_cannot_be_read_gives_one_clear_error(s3: S3, bucket: str, plan: ItemReaderPlan, cause: str) -> None:
    """Each bad source ends in States.ItemReaderFailed with a cause that names what is wrong."""
    bodies = {
        "scalar.json": b" 42",
        "dup.csv": b"a,b,a\n1,2,3\n",
        "wide.csv": b"a" * 20000 + b"\n1\n",
        "doc2.json": b'{"x":[1]}',
        "broken.jsonl": b'{"a":1}\n{"a":\n',
        "broken.json": b'[{"a":1} x, 2, 3, 4, 5, 6, 7, 8, 9, 10]',
        "cut.json": b'[{"a":1}, {"b":',
        "broken.gz": b"this is no gzip",
        "deep.json": b"[" + b"[" * 600 + b"]" * 600 + b"]",
        "deep.jsonl": b"[" * 3000 + b"]" * 3000 + b"\n",
    }
    for key, body in bodies.items():
        s3.client.put_object(Bucket=bucket, Key=key, Body=body)
    with pytest.raises(SourceError) as raised:
        drained(open_source(s3, plan, b"", b""))
    assert cause in raised.value.cause
    assert raised.value.error == "States.ItemReaderFailed"
    assert not raised.value.retriable


@pytest.mark.parametrize(
    ("key", "how"),
    [
        ("huge.jsonl", {"input_type": "JSONL"}),
        ("huge.json", {"input_type": "JSON"}),
        ("huge.csv", {"input_type": "CSV"}),
    ],
)
def test_a_record_over_8_mb_exceeds_the_data_limit(s3: S3, bucket: str, key: str, how: dict[str, Any]) -> None:
    """A record over 8 MB is States.DataLimitExceeded; one of 7 MB passes."""
    shapes = {"huge.jsonl": b'"%b"\n1\n', "huge.json": b'["%b",1]', "huge.csv": b'h\n"%b"\n1\n'}
    s3.client.put_object(Bucket=bucket, Key=key, Body=shapes[key] % (b"x" * 7_000_000))
    assert len(drained(open_source(s3, get_plan(bucket, key, **how), b"", b""))) == 2
    s3.client.put_object(Bucket=bucket, Key=key, Body=shapes[key] % (b"x" * 20_000_000))
    with pytest.raises(SourceError) as raised:
        drained(open_source(s3, get_plan(bucket, key, **how), b"", b""))
    assert raised.value.error == "States.DataLimitExceeded"


def test_source_text_is_spelled_as_aws_spells_it() -> None:
    """Map.Item.Source is the bucket of a listing, the object's address, or STATE_DATA."""
    assert source_text(ItemReaderPlan(resource=LIST_OBJECTS, bucket="b", prefix="p")) == "s3://b"
    assert source_text(get_plan("b", "x/y.csv")) == "s3://b/x/y.csv"
    assert source_text(None) == "STATE_DATA"
