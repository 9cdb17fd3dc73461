"""`GET /maprun/results`: the result files that a Map Run's manifest lists, and the first records of each kind."""

import json
import re
from itertools import chain
from typing import Final

import msgspec

from maprun.aws.result_files import ResultFileError, ResultFiles
from services.maprun_tracker.api import inputs, own_shapes
from services.maprun_tracker.api.runs import find_run
from services.maprun_tracker.api.service import Call, Service

MANIFEST_BYTES_MAX: Final = 8 << 20
SHOWN_BYTES_MAX: Final = 64 << 10
"""Of a file that are read for its first records."""
FILES_MAX, RECORDS_MAX, RECORD_CHARS_MAX = 200, 5, 2_000


_REDRIVE: Final = re.compile(r"Redrive-[0-9]+")


class _File(msgspec.Struct, rename="pascal"):
    key: str
    size: int


class _Manifest(msgspec.Struct, rename="pascal"):
    result_files: dict[str, list[_File]]


async def results(service: Service, ask: inputs.MapRunAsked, _call: Call) -> own_shapes.MapRunResults:
    """Of the present generation, once they are written."""
    _, run = await find_run(service, ask.map_run_arn or "")
    reader, bucket, key = service.result_files, run.results_bucket, run.manifest_key
    if reader is None or not key:
        return own_shapes.MapRunResults(map_run_arn=run.arn)
    try:
        files, number = await service.port.call(lambda: files_of(reader, bucket, key))
    except ResultFileError as error:
        return own_shapes.MapRunResults(map_run_arn=run.arn, bucket=bucket, manifest_key=key, error=error.cause)
    return own_shapes.MapRunResults(
        map_run_arn=run.arn, bucket=bucket, manifest_key=key, files=tuple(files), files_in_all=number
    )


def files_of(reader: ResultFiles, bucket: str, manifest_key: str) -> tuple[list[own_shapes.ResultFileShown], int]:
    """The files, the first of each kind with its first records; and how many there are."""
    body = reader.beginning(bucket, manifest_key, MANIFEST_BYTES_MAX)
    try:
        manifest = msgspec.json.decode(body, type=_Manifest)
    except msgspec.DecodeError as error:
        raise ResultFileError(f"s3://{bucket}/{manifest_key} is no manifest: {error}") from error
    folder = run_folder(manifest_key)
    for file in chain.from_iterable(manifest.result_files.values()):
        if run_folder(file.key) != folder:
            # Who may write a manifest need not be who may read the bucket: it shows no other object of it.
            raise ResultFileError(f"s3://{bucket}/{manifest_key} names {file.key}, which is not beside it")
    shown: list[own_shapes.ResultFileShown] = []
    for status, files in sorted(manifest.result_files.items()):
        for place, file in enumerate(files):
            if len(shown) == FILES_MAX:
                break
            first = None
            if place == 0:
                first = first_records(reader.beginning(bucket, file.key, SHOWN_BYTES_MAX))
            shown.append(own_shapes.ResultFileShown(status=status, key=file.key, size=file.size, first_records=first))
    return shown, sum(map(len, manifest.result_files.values()))


def run_folder(key: str) -> str:
    """The folder of a run's results, of the key of one of them: a redrive has a folder of its own in it."""
    folder, _, last = key.rpartition("/")[0].rpartition("/")
    return folder if _REDRIVE.fullmatch(last) else f"{folder}/{last}"


def first_records(body: bytes) -> list[str]:
    """The first records of a file, which is a JSON array or has one a line; one that is not whole in it is left out."""
    text = body.decode(errors="replace")
    decoder = json.JSONDecoder()
    at, found = 0, list[str]()
    while len(found) < RECORDS_MAX:
        while at < len(text) and text[at] in "[], \r\n\t":
            at += 1
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        found.append(text[at:end][:RECORD_CHARS_MAX])
        at = end
    return found
