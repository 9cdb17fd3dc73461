"""CSV rows to items: the rules of AWS, and the fast way against the exact one."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.aws.errors import SourceError
from maprun.aws.sources.csv_rows import CsvShape, header_row

HEADERS = ("a", "b%s", 'c"é')


def rows_of(text: bytes, headers: tuple[str, ...] = HEADERS, delimiter: str = ",") -> list[list[str]]:
    """The cells of each row of a whole text."""
    found = CsvShape(headers, delimiter).parse(text, 10_000, last=True)
    assert found.consumed == len(text)
    return [list(json.loads(item).values()) for item in found.items]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        (b"1,2,3\n", [["1", "2", "3"]]),
        (b"1,2,3", [["1", "2", "3"]]),
        (b"1,2,3\r\n4,5,6\r\n", [["1", "2", "3"], ["4", "5", "6"]]),
        (b"1,2,3\r\n4,5,6\n", [["1", "2", "3"], ["4", "5", "6"]]),
        (b" 1 , 2,\t3 \n", [[" 1 ", " 2", "\t3 "]]),
        (b",,\n", [["", "", ""]]),
        (b"1\n1,2\n", [["1", "", ""], ["1", "2", ""]]),
        (b"1,2,3,4,5\n", [["1", "2", "3"]]),
        (b"   \n", [["   ", "", ""]]),
        (b"\n\n1,2,3\n\n", [["1", "2", "3"]]),
        (b'"x,y","say ""hi""","two\nlines"\n', [["x,y", 'say "hi"', "two\nlines"]]),
        (b'"two\r\nlines",2,3\r\n', [["two\r\nlines", "2", "3"]]),
        (b'pre"mid"post,"",3\n', [['pre"mid"post', "", "3"]]),
        (b'a\\,b,c\\\\d,\\"e\n', [["a,b", "c\\d", '"e']]),
        (b"a\\bc,2,3\n", [["abc", "2", "3"]]),
        (b'"a\\"b",2,3\n', [['a"b', "2", "3"]]),
        (b"1,2,3\\\n4,5,6\n", [["1", "2", "3"], ["4", "5", "6"]]),
        (b"1,2,3\\\r\n4,5,6\\", [["1", "2", "3"], ["4", "5", "6"]]),
        (b"a\rb,2,3\n", [["a\rb", "2", "3"]]),
        (b"a\x00\x01,\x1f,\x7f\n", [["a\x00\x01", "\x1f", "\x7f"]]),
        ("é,ü,😀\n".encode(), [["é", "ü", "😀"]]),
        (b"\xff,2,3\n", [["\ufffd", "2", "3"]]),
        (b'"open,2,3', [["open,2,3", "", ""]]),
        (b'1,{""K"":""V""},3\n', [["1", '{"K":"V"}', "3"]]),
        (b'{""K"":""V""}', [['{"K":"V"}', "", ""]]),
        (b'""a"",x""""y,z""\r\n', [['"a"', 'x""y', 'z"']]),
        (b'a"""b,"c"d""e,"""f"""\n', [['a""b', 'cd"e', '"f"']]),
        (b'"",x,""\n""\n', [["", "x", ""], ["", "", ""]]),
        (b'a\\"""b,\\\\""c,\\,""d\n', [['a""b', '\\"c', ',"d']]),
        (b'"in ""q"",\n""s""",""o"",3\n', [['in "q",\n"s"', '"o"', "3"]]),
    ],
)
def test_rules(text: bytes, cells: list[list[str]]) -> None:
    """Each rule of input-output-itemreader's CSV section, one row a case."""
    assert rows_of(text) == cells


def test_header_names_are_kept_verbatim() -> None:
    """Names such as 0, True, {} and the empty string are members as they are, also with % and quotes in them."""
    headers = ("0", "True", "{}", "", "%b%%", '"q"')
    found = CsvShape(headers, ",").parse(b"1,2,3,4,5,6\n", 10, last=True)
    assert json.loads(found.items[0]) == dict(zip(headers, "123456", strict=True))


@pytest.mark.parametrize(
    ("headers", "cause"),
    [(("a", "b", "a"), "CSV headers cannot contain duplicates."), (("x" * 10241,), "CSV headers cannot exceed")],
)
def test_headers_that_aws_refuses(headers: tuple[str, ...], cause: str) -> None:
    """Duplicate names, and names of more than 10 KiB, end the run with States.ItemReaderFailed."""
    with pytest.raises(SourceError, match=cause):
        CsvShape(headers, ",")


def test_an_incomplete_row_is_left_for_a_longer_text() -> None:
    """A quote that is open at the text's end is no row yet; what stands before it is."""
    shape = CsvShape(HEADERS, ",")
    found = shape.parse(b'1,2,3\n"4,5\n', 10, last=False)
    assert (len(found.items), found.consumed) == (1, 6)
    assert shape.parse(b'"4,5\n', 10, last=False).consumed == 0
    assert header_row(b'"a\nb"\n', ",", last=False) == (("a\nb",), 6)
    assert header_row(b'"a\n', ",", last=False) is None
    assert header_row(b'a""b,""c""\n', ",", last=False) == (('a"b', '"c"'), 11)


@pytest.mark.parametrize("delimiter", [",", "|", ";", " ", "\t"])
def test_each_delimiter_takes_the_fast_way(delimiter: str) -> None:
    """Plain rows with any of the five delimiters are read by the fast way, and right."""
    shape = CsvShape(("a", "b"), delimiter)
    found = shape.parse_plain(f"1{delimiter}2\n3{delimiter}4\n".encode(), 10)
    assert found is not None
    assert found.items == [b'{"a":"1","b":"2"}', b'{"a":"3","b":"4"}']


def test_rows_in_quotes_take_the_fast_way() -> None:
    """Rows whose cells are all in quotes, as in S3's inventories, take the fast way; a quote in a cell does not."""
    shape = CsvShape(("a", "b"), ",")
    found = shape.parse_plain(b'"1","x, y"\r\n"3",""\r\n"5","6"', 10)
    assert found is not None
    assert found.items == [b'{"a":"1","b":"x, y"}', b'{"a":"3","b":""}', b'{"a":"5","b":"6"}']
    assert shape.parse_plain(b'"1","x ""y"""\n', 10) is None
    assert CsvShape(("a",), ",").parse_plain(b'"\n"a""\n', 10) is None


@settings(max_examples=800, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(["a", "1.5", "é", ",", ",", "\n", "\n", "\r\n", '"', "\\", "\r", " ", "|"]))
    | st.lists(st.sampled_from(['"', '","', '"|"', '"\n"', '"\r\n"', '"\n', "a", "\n"])).map(
        lambda found: ['"', *found]
    ),
    count=st.integers(1, 4),
    width=st.integers(1, 3),
    delimiter=st.sampled_from([",", "|"]),
    last=st.booleans(),
)
def test_the_fast_way_agrees_with_the_exact_one(
    pieces: list[str],
    count: int,
    width: int,
    delimiter: str,
    last: bool,
) -> None:
    """Where the fast way takes a text, items and bytes consumed are those of the exact way."""
    text = "".join(pieces).encode()
    if not last and not text.endswith(b"\n"):
        text += b"\n"
    shape = CsvShape(HEADERS[:width], delimiter)
    plain = shape.parse_plain(text, count)
    if plain is not None:
        exact = shape.parse_exact(text, count, last=last)
        assert (plain.items, plain.consumed) == (exact.items, exact.consumed)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=6), min_size=3, max_size=3),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 5),
)
def test_what_a_csv_writer_quoted_is_read_back(table: list[list[str]], count: int) -> None:
    """Any table written with every cell quoted (backslashes doubled) is read back, in steps of any size."""
    out = io.StringIO()
    escaped = [[cell.replace("\\", "\\\\") for cell in row] for row in table]
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(escaped)
    text = out.getvalue().encode()
    shape = CsvShape(HEADERS, ",")
    items: list[bytes] = []
    while text:
        found = shape.parse(text, count, last=True)
        items += found.items
        text = text[found.consumed :]
    assert [list(json.loads(item).values()) for item in items] == table


bare_cells = st.text(st.sampled_from('a{:" é'), max_size=6).filter(
    # A cell that is empty, or begins with two quotes or is one, can't be told from a cell in quotes.
    lambda cell: cell and not cell.startswith('""') and cell != '"'
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(bare_cells, min_size=3, max_size=3), min_size=1, max_size=5), st.integers(1, 5))
def test_quotes_that_are_doubled_without_quotes_around_are_read_back(table: list[list[str]], count: int) -> None:
    """Any cells written bare, their quotes doubled, are read back, in steps of any size."""
    rows = [",".join(cell.replace('"', '""') for cell in row) for row in table]
    text = "\r\n".join(rows).encode()
    shape = CsvShape(HEADERS, ",")
    items: list[bytes] = []
    while text:
        found = shape.parse(text, count, last=True)
        items += found.items
        text = text[found.consumed :]
    assert [list(json.loads(item).values()) for item in items] == table
