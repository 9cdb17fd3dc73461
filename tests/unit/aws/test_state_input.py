"""Items from the state's own input."""

import pytest

from maprun.aws.errors import SourceError
from maprun.aws.sources import StateInputSource


def test_an_array_gives_its_elements_from_any_checkpoint() -> None:
    """Elements come compact and in order; a checkpoint resumes behind the last one given."""
    source = StateInputSource(b'[1, {"a": [ 2.50 ]}, "x", null]')
    first = source.read(2, 1000)
    assert (first.items, first.keys, first.ended) == ([b"1", b'{"a":[2.50]}'], None, False)
    rest = StateInputSource(b'[1, {"a": [ 2.50 ]}, "x", null]', first.checkpoint).read(10, 1000)
    assert (rest.items, rest.ended) == ([b'"x"', b"null"], True)
    assert source.read(10, 1).items == [b'"x"']


def test_an_object_gives_its_values_with_their_keys() -> None:
    """An object is iterated key by key, up to the limit."""
    chunk = StateInputSource(b'{"b":1,"a":2,"c":3}', b"", 2).read(10, 1000)
    assert (chunk.items, chunk.keys, chunk.ended) == ([b"1", b"2"], ["b", "a"], True)


def test_no_items_end_at_once() -> None:
    """An empty array is no error."""
    chunk = StateInputSource(b"[]").read(10, 1000)
    assert (chunk.items, chunk.ended) == ([], True)


@pytest.mark.parametrize("text", [b"1", b'"x"', b"[1", b"[" * 1000 + b"]" * 1000])
def test_what_holds_no_items_is_refused(text: bytes) -> None:
    """A scalar, broken JSON and JSON nested too deep raise SourceError."""
    with pytest.raises(SourceError):
        StateInputSource(text)
