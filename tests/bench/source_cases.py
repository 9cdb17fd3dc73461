"""The lines of the source matrix: every kind of source, empty, small, large, compressed, and wrong in five ways."""

import gzip
import json
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from maprun.aws.clients import S3
from schemas.plan import ItemReaderPlan
from tests.bench.source_objects import (
    BUCKET,
    HEADER,
    Case,
    alike,
    array,
    cached,
    flattening,
    getting,
    gzipped,
    listing,
    parquet,
    records,
    rows,
    upload,
    upload_many,
    zstded,
)

LARGE_BYTES = 1_100_000_000
Pieces = Callable[[int], Iterator[bytes]]


def csv(count: int) -> Iterator[bytes]:
    """A CSV with its header row."""
    yield HEADER
    yield from cached(rows, count)


def jsonl(count: int) -> Iterator[bytes]:
    """JSON Lines."""
    return cached(records, count)


def cases(items: int, *, large: bool) -> list[Case]:
    """All lines; `items` is the size of the middle ones, `large` adds those of more than 1 GB."""
    found: list[Case] = []
    for kind, pieces, size in (("CSV", csv, 30), ("JSON", array, 83), ("JSONL", jsonl, 82), ("PARQUET", parquet, 33)):
        found += _object_cases(kind, pieces, items, LARGE_BYTES // size if large else 0)
    found += _listing_cases(items)
    found += _flat_cases(items, LARGE_BYTES // 82 if large else 0)
    found += _inventory_cases(items, LARGE_BYTES // 43 if large else 0)
    found += _athena_cases(items, LARGE_BYTES // 82 if large else 0)
    return found + wrong_cases()


def _one(kind: str, name: str, count: int, key: str, pieces: Callable[[], Iterator[bytes]]) -> Case:
    def write(s3: S3) -> None:
        case.source_bytes = upload(s3, key, pieces())

    case = Case(kind, name, getting(key, kind), write, count)
    return case


def _object_cases(kind: str, pieces: Pieces, items: int, large: int) -> list[Case]:
    def sized(name: str, count: int) -> Case:
        return _one(kind, name, count, f"{kind}/{name}", lambda: pieces(count))

    found = [sized("empty", 0), sized("one item", 1), sized(f"{items:,} items", items)]
    if large:
        found.append(sized("1 GB", large))
    if kind == "PARQUET":
        for codec in ("GZIP", "ZSTD", "SNAPPY"):
            make = partial(parquet, items, compression=codec)
            found.append(_one(kind, codec.lower(), items, f"{kind}/{codec}", make))
    else:
        found.append(_one(kind, "gzip", items, f"{kind}/x.gz", lambda: gzipped(pieces(items))))
        found.append(_one(kind, "zstd", items, f"{kind}/x.zstd", lambda: zstded(pieces(items))))
    return found


def _many(
    kind: str, name: str, plan: ItemReaderPlan, count: int, prefix: str, bodies: Callable[[], list[bytes]]
) -> Case:
    def write(s3: S3) -> None:
        case.source_bytes = upload_many(s3, prefix, bodies())

    case = Case(kind, name, plan, write, count)
    return case


def _listing_cases(items: int) -> list[Case]:
    def of(name: str, count: int) -> Case:
        prefix = f"list/{name}/"
        return _many("listing", name, listing(prefix), count, prefix, lambda: [b"x"] * count)

    return [of("empty", 0), of("one item", 1), of(f"{items:,} items", items)]


def _flat_cases(items: int, large: int) -> list[Case]:
    def of(name: str, count: int, objects: int) -> Case:
        prefix = f"flat/{name}/"
        return _many(
            "flattened", name, flattening(prefix, "JSONL"), count, prefix, lambda: alike(jsonl, count, objects)
        )

    found = [of("empty", 0, 0), of("one item", 1, 1), of(f"{items:,} items in 100 objects", items, 100)]
    found.append(of(f"{items // 10:,} objects of an item", items // 10, items // 10))
    prefix = "flat/gzip/"

    def zipped(s3: S3) -> None:
        for n, body in enumerate(alike(jsonl, items, 20)):
            gz.source_bytes += upload(s3, f"{prefix}{n}.gz", iter([gzip.compress(body, 1)]))

    gz = Case("flattened", "gzip, 20 objects", flattening(prefix, "JSONL"), zipped, items)
    found.append(gz)
    if large:
        found.append(of("1 GB in 40 objects", large // 40 * 40, 40))
    return found


def manifest(files: list[str], sizes: list[int]) -> bytes:
    """A manifest.json of an inventory."""
    listed = [{"key": key, "size": size, "MD5checksum": ""} for key, size in zip(files, sizes, strict=True)]
    schema = "Bucket, Key, Size, LastModifiedDate"
    whole = {"destinationBucket": f"arn:aws:s3:::{BUCKET}", "fileFormat": "CSV", "fileSchema": schema, "files": listed}
    return json.dumps(whole).encode()


def inventory_lines(count: int) -> Iterator[bytes]:
    """Lines of an inventory."""
    yield b"".join(b'"source","data/%07d.jpg","%d","2026-11-16T00:29:32.000Z"\n' % (n, n) for n in range(count))


def _inventory_cases(items: int, large: int) -> list[Case]:
    def of(name: str, count: int, files: int) -> Case:
        def write(s3: S3) -> None:
            keys = [f"inv/{name}/{n}.csv.gz" for n in range(files)]
            body = gzip.compress(b"".join(cached(inventory_lines, count // max(1, files))), 1)
            sizes = [upload(s3, key, iter([body])) for key in keys]
            case.source_bytes = sum(sizes)
            upload(s3, f"inv/{name}.json", iter([manifest(keys, sizes)]))

        case = Case("inventory", name, getting(f"inv/{name}.json", "MANIFEST"), write, count)
        return case

    found = [of("empty", 0, 0), of("one item", 1, 1), of(f"{items:,} items, gzip, 10 files", items, 10)]
    return [*found, of("1 GB, gzip, 10 files", large // 10 * 10, 10)] if large else found


def _athena_cases(items: int, large: int) -> list[Case]:
    def of(name: str, count: int, objects: int, *, zipped: bool) -> Case:
        def write(s3: S3) -> None:
            bodies = alike(jsonl, count, objects)
            keys = [f"athena/{name}/{n}{'.gz' * zipped}" for n in range(objects)]
            for key, body in zip(keys, bodies, strict=True):
                case.source_bytes += upload(s3, key, iter([gzip.compress(body, 1) if zipped else body]))
            upload(s3, f"athena/{name}.csv", iter(["\n".join(f"s3://{BUCKET}/{key}" for key in keys).encode()]))

        plan = msgspec.structs.replace(getting(f"athena/{name}.csv", "JSONL"), manifest_type="ATHENA_DATA")
        case = Case("Athena", name, plan, write, count)
        return case

    found = [of("empty", 0, 0, zipped=False), of("one item", 1, 1, zipped=True)]
    found.append(of(f"{items:,} items, 20 objects", items, 20, zipped=False))
    found.append(of(f"{items:,} items, gzip, 20 objects", items, 20, zipped=True))
    return [*found, of("1 GB, 40 objects", large // 40 * 40, 40, zipped=False)] if large else found


def _wrong(kind: str, name: str, plan: ItemReaderPlan, bodies: dict[str, bytes]) -> Case:
    def write(s3: S3) -> None:
        for key, body in bodies.items():
            case.source_bytes += upload(s3, key, iter([body]))

    case = Case(kind, f"wrong: {name}", plan, write, -1)
    return case


def wrong_cases() -> list[Case]:
    """Five damages of each kind."""
    whole = b"".join(parquet(1000, compression="NONE", use_dictionary=False))
    footer = int.from_bytes(whole[-8:-4], "little")
    parted = gzip.compress(b"".join(csv(5000)))
    objects: dict[str, list[tuple[str, str, bytes]]] = {
        "CSV": [
            ("a name twice", "", b"a,a\n1,2\n"),
            ("a header of 20 KB", "", b"h" * 20_000 + b"\n1\n"),
            ("gzip cut short", ".gz", parted[:-5000]),
            ("no gzip", ".gz", b"a,b\n1,2\n"),
            ("a row of 20 MB", "", b'a\n"' + b"x" * 20_000_000 + b'"\n'),
        ],
        "JSON": [
            ("cut short", "", b"".join(array(500))[:-30]),
            ("two values side by side", "", b'[{"a":1} {"a":2}]'),
            ("a number alone", "", b"42"),
            ("not UTF-8", "", b'["\xff\xfe", 2]'),
            ("600 levels deep", "", b"[" * 600 + b"]" * 600),
        ],
        "JSONL": [
            ("a line that breaks off", "", b"".join(jsonl(500)) + b'{"a":'),
            ("CSV instead", "", b"".join(csv(10))),
            ("not UTF-8", "", b'{"a":1}\n{"a":"\xff"}\n'),
            ("600 levels deep", "", b"1\n" + b"[" * 600 + b"]" * 600),
            ("zstd cut short", ".zstd", b"".join(zstded(jsonl(5000)))[:-2000]),
        ],
        "PARQUET": [
            ("CSV instead", "", b"".join(csv(100))),
            ("cut short", "", whole[:-100]),
            ("a broken footer", "", whole[: -8 - footer] + b"\x99" * footer + whole[-8:]),
            ("a broken page", "", whole[:4] + b"\xee" * 2000 + whole[2004:]),
            ("a footer of 2 GB", "", b"PAR1\xff\xff\xff\x7fPAR1"),
        ],
    }
    found = []
    for kind, damages in objects.items():
        for name, extension, body in damages:
            key = f"wrong/{kind}/{name}{extension}"
            found.append(_wrong(kind, name, getting(key, kind), {key: body}))
            if kind == "JSONL":
                flat = {f"wrong/flat/{name}/a": b"1\n", f"wrong/flat/{name}/b{extension}": body}
                found.append(_wrong("flattened", name, flattening(f"wrong/flat/{name}/", kind), flat))
    return found + _wrong_listings() + _wrong_inventories() + _wrong_athena()


def _wrong_listings() -> list[Case]:
    replace = msgspec.structs.replace
    return [
        _wrong("listing", "no such bucket", replace(listing(""), bucket="no-such-bucket"), {}),
        _wrong("listing", "no bucket", replace(listing(""), bucket=""), {}),
        _wrong("listing", "a bucket's name that is none", replace(listing(""), bucket="No/Bucket"), {}),
        _wrong("listing", "MaxItems below 0", replace(listing(""), max_items=-1), {}),
        _wrong("listing", "another action", replace(listing(""), resource="arn:aws:states:::s3:listBuckets"), {}),
    ]


def _wrong_inventories() -> list[Case]:
    found = []
    for name, body, bodies in (
        ("XML instead", b"<Inventory/>", {}),
        ("a format that is none", manifest([], []).replace(b"CSV", b"TSV"), {}),
        ("no fileSchema", manifest([], []).replace(b"Bucket, Key, Size, LastModifiedDate", b""), {}),
        ("a file that isn't there", manifest(["wrong/inv/gone"], [1]), {}),
        ("a file of another size", manifest(["wrong/inv/f"], [9]), {"wrong/inv/f": b"1,2,3,4\n\n"[:8]}),
    ):
        key = f"wrong/inv/{name}.json"
        found.append(_wrong("inventory", name, getting(key, "MANIFEST"), {key: body, **bodies}))
    return found


def _wrong_athena() -> list[Case]:
    found = []
    for name, body, bodies in (
        ("a line that is no address", b"s3://matrix/wrong/athena/good\nhello\n", {"wrong/athena/good": b"1\n"}),
        ("an object that isn't there", b"s3://matrix/wrong/athena/gone", {}),
        ("a bucket that isn't there", b"s3://no-such-bucket/key", {}),
        ("CSV instead of JSONL", b"s3://matrix/wrong/athena/csv", {"wrong/athena/csv": b"".join(csv(10))}),
        ("gzip cut short", b"s3://matrix/wrong/athena/x.gz", {"wrong/athena/x.gz": gzip.compress(b"1\n" * 9999)[:-9]}),
    ):
        key = f"wrong/athena/{name}.csv"
        plan = msgspec.structs.replace(getting(key, "JSONL"), manifest_type="ATHENA_DATA")
        found.append(_wrong("Athena", name, plan, {key: body, **bodies}))
    return found
