"""The tutorial's own check finds what it is there to find, and its data is the same every time."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from maprun.tutorial import results, source

ROWS = [dict(zip(source.HEADER, source.row(number), strict=True)) for number in range(200)]
Json = dict[str, Any]


class _Body(io.BytesIO):
    """botocore's StreamingBody, as far as it is used."""

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        """Pieces that cut records anywhere."""
        while piece := self.read(min(size, 97)):
            yield piece


class _Bucket:
    """S3 with a few objects."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self._objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> Json:  # noqa: N803 - boto3's names
        """One object."""
        return {"Body": _Body(self._objects[f"{Bucket}/{Key}"])}


def records() -> list[Json]:
    """What a good run writes, in an order of its own."""
    made = []
    for index in reversed(range(len(ROWS))):
        given = {"value": ROWS[index], "index": index}
        made.append(
            {
                "ExecutionArn": f"arn:{index}",
                "Input": json.dumps(given),
                "Output": json.dumps({"inputReceived": given, "statusCode": 200}),
                "Status": "SUCCEEDED",
            }
        )
    return made


def found_in(made: list[Json]) -> tuple[int, list[str]]:
    """What the check says of these records, written to two files."""
    half = len(made) // 2
    files = {
        "b/p/SUCCEEDED_0.json": json.dumps(made[:half]).encode(),
        "b/p/SUCCEEDED_1.json": json.dumps(made[half:], separators=(",", ":")).encode(),
    }
    manifest = {
        "DestinationBucket": "b",
        "ResultFiles": {
            "FAILED": [],
            "PENDING": [],
            "SUCCEEDED": [{"Key": key.removeprefix("b/"), "Size": len(raw)} for key, raw in files.items()],
        },
    }
    files["b/p/manifest.json"] = json.dumps(manifest).encode()
    return results.differences(_Bucket(files), "s3://b/p/manifest.json", ROWS)


def test_the_file_is_the_same_every_time_and_reads_back() -> None:
    """The data is a function of the number of rows."""
    file = source.ratings_csv(200)
    assert file == source.ratings_csv(200)
    assert list(source.rows_of(file)) == ROWS


def test_good_results_have_no_differences() -> None:
    """Records in any order, cut anywhere between reads, over several files: all are found."""
    assert found_in(records()) == (200, [])


def _swap_rating(made: list[Json]) -> None:
    made[3]["Input"] = made[3]["Input"].replace('"rating": "', '"rating": "9')


def _lose(made: list[Json]) -> None:
    del made[5]


def _double(made: list[Json]) -> None:
    made.append(made[7])


def _other_output(made: list[Json]) -> None:
    made[9]["Output"] = '{"statusCode": 200, "inputReceived": {}}'


def _failed(made: list[Json]) -> None:
    made[11]["Status"] = "FAILED"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_swap_rating, "went in as"),
        (_lose, "1 rows have no result, the first is row 194"),
        (_double, "row 192 has more than one result"),
        (_other_output, "row 190 came out as"),
        (_failed, "arn:188 stands in the SUCCEEDED files as FAILED"),
    ],
)
def test_a_spoilt_result_is_found(spoil: Callable[[list[Json]], None], said: str) -> None:
    """A changed value, a lost, a doubled, a wrong and a failed record are each named."""
    made = records()
    spoil(made)
    _, wrong = found_in(made)
    assert len(wrong) in {1, 2}
    assert said in wrong[0]


def test_a_file_that_breaks_off_is_an_error() -> None:
    """Half a record at the end of a file is not passed over."""
    raw = json.dumps(records()).encode()[:-200]
    with pytest.raises(ValueError, match="does not end as a JSON array"):
        list(results.records(_Bucket({"b/k": raw}), "b", "k"))
