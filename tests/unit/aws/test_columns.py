"""Arrow columns to JSON: the rule of each type, the same at every depth and in every slice."""

import datetime as dt
import decimal
import json
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.aws.errors import SourceError
from maprun.aws.sources.columns import Columns

ID = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")


def texts(column: pa.Array) -> list[str]:
    """The texts of a column's values."""
    return [text.decode() for text in Columns(pa, []).texts(column)]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([True, None, False]), ["true", "null", "false"]),
        (pa.array([-1, None, 2**63 - 1]), ["-1", "null", "9223372036854775807"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([0.1, None, 1e300, -0.0]), ["0.1", "null", "1e300", "-0.0"]),
        (pa.array([float("nan"), float("inf"), float("-inf")]), ["null", "null", "null"]),
        (pa.array([0.1, None, float("nan")], pa.float32()), ["0.1", "null", "null"]),
        (pa.array([1.5], pa.float16()), ["1.5"]),
        (pa.array(['a"', "\\", '","', "é\n", ""]), ['"a\\""', '"\\\\"', '"\\",\\""', '"é\\n"', '""']),
        (pa.array(["x", None]), ['"x"', "null"]),
        (pa.array(["x"], pa.large_string()), ['"x"']),
        (pa.array(["x", "y", "x", None]).dictionary_encode(), ['"x"', '"y"', '"x"', "null"]),
        (pa.array([decimal.Decimal("1.50"), None]), ['"1.50"', "null"]),
        (pa.array([decimal.Decimal(10) ** 30], pa.decimal128(38, 2)), [f'"1{"0" * 30}.00"']),
        (pa.array([dt.date(2024, 1, 31), None]), ['"2024-01-31"', "null"]),
        (pa.array([0], pa.date64()), ['"1970-01-01"']),
        (pa.array([1_706_704_200_000, None], pa.timestamp("ms")), ["1706704200000", "null"]),
        (pa.array([1_500_999, -1, None], pa.timestamp("us", "UTC")), ["1500", "-1", "null"]),
        (pa.array([1_999_999], pa.timestamp("ns", "Europe/Berlin")), ["1"]),
        (pa.array([10**18], pa.timestamp("s")), [f"{10**21}"]),
        (pa.array([[{"at": 1_000}]], pa.list_(pa.struct([("at", pa.timestamp("us"))]))), ['[{"at":1}]']),
        (pa.array(["x", None], pa.string_view()), ['"x"', "null"]),
        (pa.array([b"\xff\x00", None], pa.binary_view()), ['"/wA="', "null"]),
        (pa.array([[1, None], None], pa.list_view(pa.int8())), ["[1,null]", "null"]),
        (pa.array([1, None, 0], pa.bool8()), ["true", "null", "false"]),
        (pa.array([decimal.Decimal("1.50")], pa.decimal256(60, 2)), ['"1.50"']),
        (pa.array([60_000_001], pa.time64("us")), ['"00:01:00.000001"']),
        (pa.array([5], pa.time32("s")), ['"00:00:05"']),
        (pa.array([3], pa.duration("ms")), ["3"]),
        (pa.array([b"\xff\x00", None]), ['"/wA="', "null"]),
        (pa.array([b"ab"], pa.binary(2)), ['"YWI="']),
        (pa.array([ID.bytes, None], pa.uuid()), [f'"{ID}"', "null"]),
        (pa.array([[1, None], None, [], [2]]), ["[1,null]", "null", "[]", "[2]"]),
        (pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)), ["[1,2]", "null", "[3,4]"]),
        (pa.array([{"a%b": [{"c": "x"}]}, None, {"a%b": None}]), ['{"a%b":[{"c":"x"}]}', "null", '{"a%b":null}']),
        (pa.array([{}, None], pa.struct([])), ["{}", "null"]),
        (pa.array([[('k"', 1)], None, []], pa.map_(pa.string(), pa.int8())), ['{"k\\"":1}', "null", "{}"]),
        (pa.array([[(1, "v")]], pa.map_(pa.int8(), pa.string())), ['[{"key":1,"value":"v"}]']),
        (pa.array(['",', "", '","', "\\", ","]), [r'"\","', '""', r'"\",\""', r'"\\"', '","']),
        (pa.array([None, None]), ["null", "null"]),
        (pa.array([], pa.string()), []),
        (pa.array([], pa.int8()), []),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_each_type_has_its_text(column: pa.Array, expected: list[str]) -> None:
    """One row a type: nothing is lost, and what JSON can't hold has one rule."""
    assert texts(column) == expected
    assert texts(column.slice(1)) == expected[1:]
    for text in expected:
        json.loads(text)


def test_a_type_that_has_no_json_is_refused() -> None:
    """A column of a type without a rule fails the source with the type's name."""
    months = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    with pytest.raises(SourceError, match="Columns of type month_day_nano_interval can't be turned into JSON"):
        texts(months)


plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
typed = st.one_of(
    st.lists(st.none() | st.booleans()),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
    st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))),
    st.lists(st.none() | st.lists(st.none() | st.integers(-9, 9), max_size=3)),
    st.lists(st.none() | st.fixed_dictionaries({"a": st.none() | st.text('ab",', max_size=3), "b": st.booleans()})),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(typed, min_size=1, max_size=4), st.integers(0, 5), st.text(st.characters(exclude_categories=["Cs"])))
def test_rows_are_what_python_makes_of_them(columns: list[list[Any]], skip: int, name: str) -> None:
    """A row's text, read as JSON, is the dictionary of its values, for any names, nulls and slices."""
    rows = min(map(len, columns))
    names = [f"{name}{n}" for n in range(len(columns))]
    batch = pa.record_batch([pa.array(column[:rows]) for column in columns], names=names).slice(skip)
    found = Columns(pa, names).rows(batch)
    assert [json.loads(text) for text in found] == batch.to_pylist()
