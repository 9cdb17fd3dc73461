"""Sources made of several objects against a real S3: LOAD_AND_FLATTEN, S3 inventories, Athena's manifests."""

import gzip
import io
import json
import random
import time
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest
import zstandard

from maprun.aws.clients import S3
from maprun.aws.sources import SourceError, open_source
from schemas.plan import ItemReaderPlan
from tests.integration.aws.conftest import s3_at, s3_port
from tests.integration.aws.reading import drained, drained_with_sources, flat_plan, get_plan, ratings, resumed_anywhere
from tests.integration.aws.weed import FaultyProxy

pytestmark = pytest.mark.integration


def lines(rows: int, name: str) -> bytes:
    """JSON Lines that tell where they are from."""
    return b"".join(b'{"of":"%b","n":%d}\n' % (name.encode(), n) for n in range(rows))


def parquet(rows: int, name: str) -> bytes:
    """A Parquet file of several small row groups."""
    out = io.BytesIO()
    table = pa.table({"of": [name] * rows, "n": list(range(rows))})
    pa.parquet.write_table(table, out, row_group_size=170)
    return out.getvalue()


def put(s3: S3, bucket: str, bodies: dict[str, bytes]) -> None:
    """Writes objects."""
    for key, body in bodies.items():
        s3.client.put_object(Bucket=bucket, Key=key, Body=body)


FLAT: list[tuple[str, dict[str, bytes]]] = [
    (
        "CSV",
        {
            "a.csv": ratings(700),
            "b.csv.gz": gzip.compress(ratings(300, 6)),
            "c.csv": b"other,names\n1,2\n",
            "d.csv": b"",
        },
    ),
    ("JSONL", {f"{n:03d}.jsonl": lines(n % 3 * 40, str(n)) or b"\n" for n in range(60)}),
    ("JSON", {"a.json": b'[1,2,{"x":3}]', "b.json": b'{"k":1,"l":2}', "c.json.zstd": zstandard.compress(b"[[4],5]")}),
    ("PARQUET", {f"{n}.parquet": parquet(400 + n, str(n)) for n in range(3)} | {"4.parquet": parquet(0, "")}),
]


@pytest.mark.parametrize(("kind", "bodies"), FLAT, ids=[kind for kind, _ in FLAT])
def test_flattened_objects_give_their_records_one_after_the_other(
    s3: S3, bucket: str, kind: str, bodies: dict[str, bytes]
) -> None:
    """LOAD_AND_FLATTEN gives what each object gives alone, in the order of keys, from any checkpoint."""
    put(s3, bucket, {f"flat/{kind}/{key}": body for key, body in bodies.items()} | {f"flat/{kind}/": b""})
    plan = flat_plan(bucket, f"flat/{kind}/", input_type=kind)
    found = drained_with_sources(open_source(s3, plan, b"", b""))
    expected = [
        (item, f"s3://{bucket}/flat/{kind}/{key}")
        for key, body in sorted(bodies.items())
        if body
        for item in drained(open_source(s3, get_plan(bucket, f"flat/{kind}/{key}", input_type=kind), b"", b""))
    ]
    assert found == expected
    resumed_anywhere(s3, plan, kind, [item for item, _ in expected])
    limited = open_source(s3, flat_plan(bucket, f"flat/{kind}/", input_type=kind, max_items=4), b"", b"")
    assert len(drained(limited, count=3)) == 4
    assert not limited.pinned


def test_flattened_json_objects_carry_their_keys(s3: S3, bucket: str) -> None:
    """A chunk holds items of one object: with keys if that is a JSON object, without if it is an array."""
    put(s3, bucket, {"keys/a.json": b"[1]", "keys/b.json": b'{"k":2}'})
    source = open_source(s3, flat_plan(bucket, "keys/", input_type="JSON"), b"", b"")
    first, second = source.read(10, 1000), source.read(10, 1000)
    assert [(c.items, c.keys) for c in (first, second)] == [([b"1"], None), ([b"2"], ["k"])]


def test_a_flattened_object_that_changes_is_noticed(s3: S3, bucket: str) -> None:
    """An object is read in the version that was listed: changed within or before its reading it fails the run."""
    put(s3, bucket, {"moving/a.csv": ratings(5000), "moving/b.csv": ratings(5000)})
    plan = flat_plan(bucket, "moving/", input_type="CSV")
    source = open_source(s3, plan, b"", b"")
    chunk = source.read(10, 1000)
    put(s3, bucket, {"moving/a.csv": ratings(5001)})
    with pytest.raises(SourceError, match=r"moving/a.csv changed while it was read"):
        drained(open_source(s3, plan, chunk.checkpoint, b""))


@pytest.mark.parametrize("kind", ["JSONL", "PARQUET"])
def test_resets_and_503s_do_not_show_in_objects_opened_ahead(s3: S3, bucket: str, kind: str) -> None:
    """Sixteen objects at once over connections that break anywhere: the records are those of a calm reading."""
    body = {"JSONL": lines(20, "x"), "PARQUET": parquet(500, "x")}[kind]
    put(s3, bucket, {f"torn/{kind}/{n:02d}": body for n in range(40)})
    plan = flat_plan(bucket, f"torn/{kind}/", input_type=kind)
    whole = drained(open_source(s3, plan, b"", b""))
    chance = random.Random(3)
    broken: list[str | int | None] = []

    def fault(_: int, head: bytes) -> str | int | None:
        fault = chance.choice(("503", chance.randint(0, 2000), None, None)) if head.startswith(b"GET") else None
        broken.append(fault)
        return fault

    proxy = FaultyProxy(s3_port(s3), fault)
    try:
        assert drained(open_source(s3_at(proxy.endpoint), plan, b"", b"")) == whole
        assert len(broken) - broken.count(None) > 10
    finally:
        proxy.close()


def inventory(bucket: str, file_format: str, files: list[tuple[str, int]], schema: str = "Bucket, Key, Size") -> bytes:
    """A manifest.json as S3 writes it."""
    manifest = {
        "sourceBucket": "source",
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "version": "2016-11-30",
        "creationTimestamp": "1668560400000",
        "fileFormat": file_format,
        "fileSchema": schema,
        "files": [{"key": key, "size": size, "MD5checksum": "0"} for key, size in files],
    }
    return json.dumps(manifest, indent=1).encode()


def inventory_rows(first: int, count: int) -> bytes:
    """Lines of a CSV inventory."""
    return b"".join(b'"source","csv/%d, x","%d"\n' % (n, 7 * n) for n in range(first, first + count))


@pytest.mark.parametrize("how", [{"input_type": "MANIFEST"}, {"manifest_type": "S3_INVENTORY"}])
def test_an_inventory_gives_an_item_a_line(s3: S3, bucket: str, how: dict[str, Any]) -> None:
    """Each line of each gz file is an object of strings named by fileSchema; both spellings of the type do it."""
    bodies = {f"inv/data/{n}.csv.gz": gzip.compress(inventory_rows(500 * n, 500)) for n in range(4)}
    put(s3, bucket, bodies)
    files = [(key, len(body)) for key, body in bodies.items()]
    put(s3, bucket, {"inv/manifest.json": inventory(bucket, "CSV", files)})
    plan = get_plan(bucket, "inv/manifest.json", **how)
    found = drained_with_sources(open_source(s3, plan, b"", b""))
    assert [json.loads(item) for item, _ in found] == [
        {"Bucket": "source", "Key": f"csv/{n}, x", "Size": str(7 * n)} for n in range(2000)
    ]
    assert {source for _, source in found} == {f"s3://{bucket}/{key}" for key in bodies}
    resumed_anywhere(s3, plan, how, [item for item, _ in found])
    assert open_source(s3, plan, b"", b"").pinned


@pytest.mark.parametrize("file_format", ["Parquet", "ORC"])
def test_an_inventory_may_be_parquet_or_orc(s3: S3, bucket: str, file_format: str) -> None:
    """AWS reads CSV inventories alone; those in Parquet and ORC give typed values here, from any checkpoint."""
    table = pa.table({"bucket": ["b"] * 9000, "key": [f"k{n}" for n in range(9000)], "size": list(range(9000))})
    out = io.BytesIO()
    if file_format == "ORC":
        pa.orc.write_table(table, out)
    else:
        pa.parquet.write_table(table, out, row_group_size=2500)
    key = f"inv/{file_format}"
    put(s3, bucket, {key: out.getvalue()})
    put(s3, bucket, {f"{key}.json": inventory(bucket, file_format, [(key, len(out.getvalue()))])})
    plan = get_plan(bucket, f"{key}.json", manifest_type="S3_INVENTORY")
    found = drained(open_source(s3, plan, b"", b""))
    assert [json.loads(item) for item in found] == [{"bucket": "b", "key": f"k{n}", "size": n} for n in range(9000)]
    resumed_anywhere(s3, plan, file_format, found, lambda chance: chance.randint(1, 2500))


ATHENA: list[tuple[str, dict[str, bytes], dict[str, Any]]] = [
    (
        "CSV",
        {"x/1.gz": gzip.compress(b"1,a\n2,b\n"), "x/2": b"3,c\n", "x/3": b""},
        {"csv_header_location": "GIVEN", "csv_headers": ("n", "s")},
    ),
    ("JSONL", {f"x/{n}.gz": gzip.compress(lines(30, str(n))) for n in range(25)}, {}),
    ("PARQUET", {f"x/{n}": parquet(300, str(n)) for n in range(3)}, {}),
]


@pytest.mark.parametrize(("kind", "bodies", "how"), ATHENA, ids=[case[0] for case in ATHENA])
def test_an_athena_manifest_gives_the_records_of_its_objects(
    s3: S3, bucket: str, kind: str, bodies: dict[str, bytes], how: dict[str, Any]
) -> None:
    """The objects an UNLOAD wrote are read in its manifest's order; CSV has no header row; any checkpoint resumes."""
    put(s3, bucket, {f"athena/{kind}/{key}": body for key, body in bodies.items()})
    addresses = [f"s3://{bucket}/athena/{kind}/{key}" for key in sorted(bodies, reverse=True)]
    key = f"athena/{kind}-manifest.csv"
    put(s3, bucket, {key: "\r\n".join([f'"{addresses[0]}"', *addresses[1:], ""]).encode()})
    plan = get_plan(bucket, key, input_type=kind, manifest_type="ATHENA_DATA", **how)
    found = drained_with_sources(open_source(s3, plan, b"", b""))
    assert list(dict.fromkeys(source for _, source in found)) == [a for a in addresses if not a.endswith("/x/3")]
    if kind == "CSV":
        assert [json.loads(item)["s"] for item, _ in found] == ["c", "a", "b"]
    assert len(found) == {"CSV": 3, "JSONL": 750, "PARQUET": 900}[kind]
    resumed_anywhere(s3, plan, kind, [item for item, _ in found], lambda chance: chance.randint(1, 60))


def test_what_a_manifest_names_must_not_be_written_while_the_run_reads(s3: S3, bucket: str) -> None:
    """An object written after the pin is refused, whether it was opened before or not; so is another manifest."""
    put(s3, bucket, {"late/1": lines(3000, "1"), "late/2": lines(3, "2")})
    put(s3, bucket, {"late/m.csv": f"s3://{bucket}/late/1\ns3://{bucket}/late/2\n".encode()})
    plan = get_plan(bucket, "late/m.csv", input_type="JSONL", manifest_type="ATHENA_DATA")
    source = open_source(s3, plan, b"", b"")
    pin, chunk = source.pin, source.read(10, 1000)
    time.sleep(1.1)  # S3 tells times by the second
    put(s3, bucket, {"late/2": lines(3, "3")})
    with pytest.raises(SourceError, match=r"late/2 was written after the Map Run began"):
        drained(open_source(s3, plan, chunk.checkpoint, pin))
    put(s3, bucket, {"late/1": lines(3000, "9")})
    with pytest.raises(SourceError, match=r"late/1 changed while it was read"):
        drained(open_source(s3, plan, chunk.checkpoint, pin))
    put(s3, bucket, {"late/m.csv": b""})
    with pytest.raises(SourceError, match=r"late/m.csv changed while it was read"):
        open_source(s3, plan, chunk.checkpoint, pin)


BAD: list[tuple[ItemReaderPlan, str]] = [
    (get_plan("sources", "bad/nojson", input_type="MANIFEST"), "bad/nojson can't be read: "),
    (get_plan("sources", "bad/nofiles", input_type="MANIFEST"), "missing required field `files`"),
    (get_plan("sources", "bad/xml", input_type="MANIFEST"), "has the fileFormat 'XML', none of CSV, Parquet, ORC"),
    (get_plan("sources", "bad/noschema", input_type="MANIFEST"), "has no fileSchema"),
    (get_plan("sources", "bad/gone", input_type="MANIFEST"), "The specified key does not exist"),
    (get_plan("sources", "bad/size", input_type="MANIFEST"), "has 8 bytes, not 9 as its manifest"),
    (
        get_plan("sources", "bad/addresses", input_type="JSONL", manifest_type="ATHENA_DATA"),
        "Line 2 of the Athena manifest s3://sources/bad/addresses is no address s3://bucket/key: hello",
    ),
    (
        get_plan("sources", "bad/other", input_type="PARQUET", manifest_type="ATHENA_DATA"),
        "bad/line is no Parquet file",
    ),
    (
        get_plan("sources", "bad/other", input_type="JSONL", manifest_type="ATHENA_DATA"),
        "each line must be one JSON value (s3://sources/bad/line, record 2, byte 2)",
    ),
    (flat_plan("sources", "bad/csv/", input_type="CSV"), "duplicates. (s3://sources/bad/csv/2.csv)"),
    (
        flat_plan("sources", "bad/csv/", input_type=""),
        "LOAD_AND_FLATTEN needs an InputType of CSV, JSON, JSONL, PARQUET",
    ),
    (flat_plan("sources", "bad/gz/", input_type="JSONL"), "bad/gz/2.gz can't be decompressed"),
]


@pytest.mark.parametrize(("plan", "cause"), BAD, ids=[f"{p.key or p.prefix} {p.input_type}" for p, _ in BAD])
def test_what_is_wrong_in_one_of_many_objects_is_named(s3: S3, bucket: str, plan: ItemReaderPlan, cause: str) -> None:
    """The cause names the object among the others, the place in it, and what ought to be there."""
    put(
        s3,
        bucket,
        {
            "bad/nojson": b"<Inventory/>",
            "bad/nofiles": b'{"fileFormat":"CSV"}',
            "bad/xml": inventory(bucket, "XML", []),
            "bad/noschema": inventory(bucket, "CSV", [], ""),
            "bad/gone": inventory(bucket, "CSV", [("bad/not-there", 1)]),
            "bad/size": inventory(bucket, "CSV", [("bad/line", 9)]),
            "bad/line": b"1\n{broke",
            "bad/addresses": f"s3://{bucket}/bad/line\nhello\n".encode(),
            "bad/other": f"s3://{bucket}/bad/line".encode(),
            "bad/csv/1.csv": b"a\n1\n",
            "bad/csv/2.csv": b"a,a\n1,1\n",
            "bad/gz/1.gz": gzip.compress(b"1\n"),
            "bad/gz/2.gz": gzip.compress(b"1\n" * 1000)[:-9],
        },
    )
    with pytest.raises(SourceError) as raised:
        drained(open_source(s3, plan, b"", b""))
    assert cause in raised.value.cause
    assert raised.value.error == "States.ItemReaderFailed"
    assert not raised.value.retriable
