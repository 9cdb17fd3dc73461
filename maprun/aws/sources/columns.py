"""Arrow columns to JSON texts: one rule a type, the same at the top of a row and deep inside it.

AWS does not say how it turns Parquet into JSON. That its timestamps are integer milliseconds was recorded by others
(docs/parity.md); the other rules are ours, and keep every value exact:

| column | JSON |
| --- | --- |
| boolean, integers, floats | literal or number; NaN and infinities, which JSON lacks, are null |
| string, JSON, enum | string |
| decimal | string, so that no digit is lost |
| date | `"2024-01-31"` |
| timestamp of any unit, zone or none, INT96 | number: milliseconds since 1970 in UTC, finer digits cut off |
| time | `"12:30:00"` with 0, 3, 6 or 9 digits |
| UUID | `"01234567-89ab-cdef-0123-456789abcdef"` |
| other bytes | string, base64 |
| list | array |
| struct | object |
| map | object when its keys are strings, else array of `{"key": …, "value": …}` |
| null | null |
"""

import base64
import math
from itertools import islice
from typing import Any

import msgspec

from maprun.aws.errors import SourceError

NULL = b"null"
_MILLISECONDS = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
"""What a unit is multiplied with, and divided by."""
_encode = msgspec.json.Encoder().encode


class Columns:
    """Rows of record batches as JSON objects, for one schema; `arrow` is the module pyarrow."""

    def __init__(self, arrow: Any, names: list[str]) -> None:
        self._arrow = arrow
        self._names = names

    def rows(self, batch: Any) -> list[bytes]:
        """Each row of a record batch as the text of a JSON object."""
        if not self._names:
            return [b"{}"] * batch.num_rows
        return self._objects(self._names, list(batch.columns))

    def texts(self, column: Any) -> list[bytes]:
        """Each value of an Arrow array as JSON text."""
        texts, in_quotes = self._texts(column)
        return [b'"%b"' % text for text in texts] if in_quotes else texts

    def _objects(self, names: list[str], columns: list[Any]) -> list[bytes]:
        """Each row of columns of one length as a JSON object."""
        members = []
        values = []
        for name, column in zip(names, columns, strict=True):
            texts, in_quotes = self._texts(column)
            members.append(_encode(name).replace(b"%", b"%%") + (b':"%b"' if in_quotes else b":%b"))
            values.append(texts)
        template = b"{" + b",".join(members) + b"}"
        return [template % row for row in zip(*values, strict=True)]

    def _texts(self, column: Any) -> tuple[list[bytes], bool]:
        """The values' texts, and whether they still need their quotes."""
        types = self._arrow.types
        kind = column.type
        if isinstance(kind, self._arrow.BaseExtensionType):
            if kind.extension_name == "arrow.uuid":
                return _scalars(column.storage, _uuid), False
            is_bool = kind.extension_name == "arrow.bool8"
            return self._texts(column.storage.cast(self._arrow.bool_()) if is_bool else column.storage)
        if types.is_dictionary(kind):
            return self._texts(column.dictionary_decode())
        if types.is_string_view(kind) or types.is_binary_view(kind):
            plain = self._arrow.large_string() if types.is_string_view(kind) else self._arrow.large_binary()
            return self._texts(column.cast(plain))
        if types.is_string(kind) or types.is_large_string(kind):
            return _strings(column)
        if types.is_floating(kind):
            return _numbers(self._floats(column)), False
        if types.is_integer(kind) or types.is_boolean(kind):
            return _numbers(column.to_pylist()), False
        if types.is_null(kind):
            return [NULL] * len(column), False
        if types.is_timestamp(kind):
            return _numbers(self._milliseconds(column)), False
        if types.is_time(kind):
            return _scalars(column.cast(self._arrow.string()), _time), False
        if types.is_date(kind):
            return _scalars(column.cast(self._arrow.date32()).cast(self._arrow.string()), _encode), False
        if types.is_decimal(kind):
            return _scalars(column, _decimal), False
        if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
            return _scalars(column, _base64), False
        if types.is_duration(kind):
            return _numbers(column.cast(self._arrow.int64()).to_pylist()), False
        return self._nested(column), False

    def _floats(self, column: Any) -> list[float | None]:
        if self._arrow.types.is_float64(column.type):
            values = column.to_pylist()
        else:  # 0.1 in 32 bits is 0.1, not 0.10000000149011612
            values = [text and float(text) for text in column.cast(self._arrow.string()).to_pylist()]
        return [value if value is not None and math.isfinite(value) else None for value in values]

    def _milliseconds(self, column: Any) -> list[int | None]:
        times, over = _MILLISECONDS[column.type.unit]
        values = column.cast(self._arrow.int64()).to_pylist()
        return [None if value is None else value * times // over for value in values]

    def _nested(self, column: Any) -> list[bytes]:
        types, kind = self._arrow.types, column.type
        if types.is_list_view(kind) or types.is_large_list_view(kind):
            return self.texts(column.cast(self._arrow.large_list(kind.value_type)))
        if types.is_struct(kind):
            fields = [kind.field(i).name for i in range(kind.num_fields)]
            texts = self._objects(fields, column.flatten()) if fields else [b"{}"] * len(column)
        elif types.is_map(kind):
            texts = self._maps(column)
        elif types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            parts = iter(self.texts(column.flatten()))  # without the values of lists that are null
            texts = [b"[" + b",".join(islice(parts, n)) + b"]" for n in self._lengths(column)]
        else:
            raise SourceError(f"Columns of type {kind} can't be turned into JSON")
        return _with_nulls(texts, column)

    def _maps(self, column: Any) -> list[bytes]:
        kind = column.type
        pair = self._arrow.struct([("key", kind.key_type), ("value", kind.item_type)])
        entries = column.cast(self._arrow.list_(pair))
        keys, values = entries.flatten().flatten()
        texts = zip(self.texts(keys), self.texts(values), strict=True)
        if self._arrow.types.is_string(kind.key_type):
            shape, ends = b"%b:%b", (b"{", b"}")
        else:
            shape, ends = b'{"key":%b,"value":%b}', (b"[", b"]")
        parts = (shape % pair for pair in texts)
        return [ends[0] + b",".join(islice(parts, n)) + ends[1] for n in self._lengths(entries)]

    def _lengths(self, column: Any) -> list[int]:
        """How many values each list has; those that are null have none."""
        return [length or 0 for length in self._arrow.compute.list_value_length(column).to_pylist()]


def _with_nulls(texts: list[bytes], column: Any) -> list[bytes]:
    if not column.null_count:
        return texts
    valid = column.is_valid().to_pylist()
    return [text if there else NULL for text, there in zip(texts, valid, strict=True)]


def _strings(column: Any) -> tuple[list[bytes], bool]:
    values = column.to_pylist()
    if column.null_count or not values:
        return [NULL if value is None else _encode(value) for value in values], False
    joined = _encode(values)[2:-2]
    if (
        b'\\",' in joined
    ):  # a text may end in a quote and a comma: with the quote that ends it they look like what divides
        return [_encode(value)[1:-1] for value in values], True
    # A quote inside of a JSON string has a backslash before it, so `","` stands between two strings and nowhere else.
    return joined.split(b'","'), True


def _numbers(values: list[Any]) -> list[bytes]:
    """Numbers, booleans and None: none of their texts holds a comma."""
    return _encode(values)[1:-1].split(b",") if values else []


def _scalars(column: Any, text: Any) -> list[bytes]:
    return [NULL if value is None else text(value) for value in column.to_pylist()]


def _time(text: str) -> bytes:
    """Arrow's `12:30:00.120000` as `"12:30:00.120"`: no fraction, or 3, 6 or 9 digits."""
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if not fraction:
        return b'"%b"' % whole.encode()
    digits = -(-len(fraction) // 3) * 3
    return f'"{whole}.{fraction:0<{digits}}"'.encode()


def _decimal(value: Any) -> bytes:
    return b'"%b"' % format(value, "f").encode()


def _base64(value: bytes) -> bytes:
    return b'"%b"' % base64.b64encode(value)


def _uuid(value: bytes) -> bytes:
    digits = value.hex()
    return f'"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"'.encode()
