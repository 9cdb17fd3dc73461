"""Manifests: which objects an S3 inventory or an Athena UNLOAD is made of."""

from typing import Any

import msgspec

from maprun.aws.errors import SourceError
from maprun.aws.sources.byte_stream import ByteStream
from maprun.aws.sources.object_reads import ObjectName

MANIFEST_BYTES_MAX = 32 * 1024 * 1024  # some 100,000 objects
INVENTORY_FORMATS = ("CSV", "Parquet", "ORC")
_SHOWN_CHARACTERS = 200


class Inventory(msgspec.Struct, frozen=True):
    """An S3 inventory: its files with their sizes, how they are written, and the names of a CSV's columns."""

    files: list[tuple[ObjectName, int | None]]
    file_format: str
    headers: tuple[str, ...]


class _File(msgspec.Struct, frozen=True):
    key: str
    size: int | None = None


class _Manifest(msgspec.Struct, frozen=True):
    """`manifest.json` (S3 user guide, "Inventory manifest"); members that aren't needed are left out."""

    files: list[_File]
    destinationBucket: str = ""  # noqa: N815 - S3's own name
    fileFormat: str = "CSV"  # noqa: N815
    fileSchema: str = ""  # noqa: N815


def whole_text(stream: ByteStream, where: str) -> bytes:
    """All bytes of a manifest. Raises SourceError when there are too many."""
    while stream.fill():
        if len(stream.buffer) - stream.start > MANIFEST_BYTES_MAX:
            raise SourceError(f"The manifest {where} exceeds the maximum of {MANIFEST_BYTES_MAX} bytes")
    return stream.buffer[stream.start :]


def inventory_of(text: bytes, manifest: ObjectName) -> Inventory:
    """The inventory that a manifest.json describes. Raises SourceError."""
    where = f"The S3 inventory manifest {manifest.text}"
    try:
        read = msgspec.json.decode(text, type=_Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{where} can't be read: {error}; Key must name the inventory's manifest.json") from error
    if read.fileFormat not in INVENTORY_FORMATS:
        raise SourceError(f"{where} has the fileFormat {read.fileFormat!r}, none of {', '.join(INVENTORY_FORMATS)}")
    headers = tuple(name.strip() for name in read.fileSchema.split(",")) if read.fileFormat == "CSV" else ()
    if headers == ("",):
        raise SourceError(f"{where} has no fileSchema, so the columns of its CSV files have no names")
    bucket = read.destinationBucket.rpartition(":")[2] or manifest.bucket
    owner = manifest.expected_bucket_owner
    return Inventory(
        [(ObjectName(bucket, file.key, "", owner), file.size) for file in read.files],
        read.fileFormat,
        headers,
    )


def athena_members(text: bytes, manifest: ObjectName) -> list[tuple[ObjectName, int | None]]:
    """The objects of an Athena UNLOAD: one `s3://bucket/key` a line, perhaps in quotes. Raises SourceError."""
    members: list[tuple[ObjectName, Any]] = []
    for number, raw in enumerate(text.split(b"\n"), 1):
        line = raw.strip()
        if line[:1] == line[-1:] == b'"':
            line = line[1:-1].replace(b'""', b'"')
        if not line:
            continue
        address = line.decode(errors="replace")
        bucket, _, key = address[len("s3://") :].partition("/")
        if not address.lower().startswith("s3://") or not bucket or not key:
            wrong = f"Line {number} of the Athena manifest {manifest.text} is no address s3://bucket/key"
            cure = "Key must name the -manifest.csv that UNLOAD wrote"
            raise SourceError(f"{wrong}: {address[:_SHOWN_CHARACTERS]}; {cure}")
        members.append((ObjectName(bucket, key, "", manifest.expected_bucket_owner), None))
    return members
