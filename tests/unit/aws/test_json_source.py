"""Items of JSON documents that arrive in pieces of any size, against the standard library's parser."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.aws.errors import SourceError
from maprun.aws.sources.contract import Budget, Checkpoint, Pin, load_checkpoint
from maprun.aws.sources.json_source import JsonSource
from maprun.aws.sources.jsonl_rows import JsonLines


class FakeStream:
    """A ByteStream over bytes in memory, in pieces of one size."""

    def __init__(self, data: bytes, offset: int = 0, piece: int = 7) -> None:
        self._data = data
        self._fetched = offset
        self._piece = piece
        self.buffer = b""
        self.start = 0
        self.offset = offset
        self.pin = Pin('"e"', len(data))

    @property
    def share(self) -> float:
        """How much was passed."""
        return self.offset / max(1, self.pin.size_bytes)

    def fill(self) -> bool:
        """Appends a piece."""
        piece = self._data[self._fetched : self._fetched + self._piece]
        self._fetched += len(piece)
        self.buffer = self.buffer[self.start :] + piece
        self.start = 0
        return bool(piece)

    def advance(self, count: int) -> None:
        """Drops bytes."""
        self.start += count
        self.offset += count

    def close(self) -> None:
        """Nothing to give back."""


def items_of(data: bytes, pointer: str = "", piece: int = 7, count: int = 1000) -> tuple[list[bytes], list[str]]:
    """All items and keys, resumed from the checkpoint before every read."""
    place = Checkpoint()
    items: list[bytes] = []
    keys: list[str] = []
    while True:
        source = JsonSource(FakeStream(data, place.offset, piece), pointer, place, Budget(0, place.items))
        for _ in range(2):  # the second read of a source may take the way for many elements at once
            chunk = source.read(count, 4000)
            items += chunk.items
            keys += chunk.keys or []
            place = load_checkpoint(chunk.checkpoint)
            if chunk.ended:
                return items, keys


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
records = st.fixed_dictionaries({"a": values, "}, {": st.sampled_from(["},{", "}, {", "\\", '"', "é"])})
styles = st.sampled_from([{"indent": 1}, {"separators": (",", ":")}, {}, {"indent": "\t", "ensure_ascii": False}])


@settings(max_examples=250, deadline=None)
@given(
    st.lists(values, max_size=12) | st.lists(records, max_size=30) | st.dictionaries(st.text(), values, max_size=8),
    styles,
    st.integers(1, 200),
    st.integers(1, 9),
)
def test_any_document_gives_its_elements(document: Any, style: dict[str, Any], piece: int, count: int) -> None:
    """Elements (and keys) are those of the standard library, compact, however the document is written and cut."""
    data = (" \n" + json.dumps(document, **style) + "\n").encode()
    items, keys = items_of(data, piece=piece, count=count)
    expected = list(document.values()) if isinstance(document, dict) else document
    assert [json.loads(item) for item in items] == expected
    assert keys == (list(document) if isinstance(document, dict) else [])
    assert not any(item.startswith(b" ") or b"\n" in item for item in items)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(records, min_size=1, max_size=12) | st.lists(values, min_size=1, max_size=8), st.integers(1, 40), st.data()
)
def test_a_cut_document_is_an_error(document: Any, piece: int, data: st.DataObject) -> None:
    """A document that ends too early never ends as if all were well."""
    text = json.dumps(document).encode()
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(SourceError):
        items_of(text[:end], piece=piece)


@given(st.lists(records, max_size=5), st.lists(records, max_size=5), styles, st.integers(1, 100))
def test_a_pointer_leads_past_what_is_not_asked_for(
    before: Any, wanted: Any, style: dict[str, Any], piece: int
) -> None:
    """Members and elements before the node are passed whatever they hold, also brackets within strings."""
    document = {"x": before, "a/~b": ["skip", 1.5, True, {"items": wanted}], "y": 0}
    items, _ = items_of(json.dumps(document, **style).encode(), "/a~1~0b/3/items", piece)
    assert [json.loads(item) for item in items] == wanted


def test_numbers_stay_as_they_are_written() -> None:
    """1.10, 1E400 and an integer of thirty digits pass unchanged."""
    data = b'[ {"n" : 1.10} , 1E400 , 123456789012345678901234567890 ]'
    assert items_of(data)[0] == [b'{"n":1.10}', b"1E400", b"123456789012345678901234567890"]


def test_unpaired_surrogates_become_question_marks() -> None:
    """An escape that no UTF-8 can hold is replaced as Java does, in JSON as in JSON Lines."""
    assert items_of(b'[ "\\ud83d\\ude00", "x\\ud800" ]')[0] == [b'"\\ud83d\\ude00"', b'"x?"']
    assert JsonLines().parse(b'"x\\ud800"\n', 9, last=True).items == [b'"x?"']


@pytest.mark.parametrize(
    "text", [b"[1,]", b"[NaN]", b"[1 2]", b"[tru]", b'{"a" 1}', b'{"a":1,}', b"[01]", b'["\xff"]', b"[1}"]
)
def test_what_is_no_json_is_an_error(text: bytes) -> None:
    """Each is States.ItemReaderFailed."""
    with pytest.raises(SourceError) as raised:
        items_of(text)
    assert raised.value.error == "States.ItemReaderFailed"


@given(st.lists(values, max_size=10), st.integers(1, 4))
def test_json_lines_skip_blank_lines(rows: list[Any], count: int) -> None:
    """Every line that isn't blank is one item, in steps of any size."""
    text = "\n".join(f" {json.dumps(row)} \r\n\n" for row in rows).encode()
    items: list[bytes] = []
    while text:
        found = JsonLines().parse(text, count, last=True)
        items += found.items
        text = text[found.consumed :]
    assert [json.loads(item) for item in items] == rows
