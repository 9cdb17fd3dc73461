"""Timestamps, retriers, JSON texts: the small pieces everything leans on."""

import pytest

from maprun.language import jsontext
from maprun.language.depth import json_depth_ok
from maprun.language.errors import StatesError
from maprun.language.retry import Retrier, error_matches
from maprun.language.timestamps import format_timestamp, parse_timestamp, parse_timestamp_ms


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:59:59Z", -1_000_000_000),
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01 00:00:00Z", None),
        ("1970-01-01T00:00:00", None),
        ("1970-01-01t00:00:00Z", None),
        ("1970-01-01T00:00:00z", None),
        ("1970-13-01T00:00:00Z", None),
        ("1970-01-01T25:00:00Z", None),
        (5, None),
    ],
)
def test_timestamps_are_rfc_3339_with_upper_case_letters(text: object, nanos: int | None) -> None:
    """Upper-case T and Z or an offset; up to nine digits of a second; anything else is none."""
    assert parse_timestamp(text) == nanos


def test_waiting_never_ends_too_early() -> None:
    """A part of a millisecond counts as a whole one; the context object shows milliseconds."""
    assert parse_timestamp_ms("1970-01-01T00:00:00.000000001Z") == 1
    assert format_timestamp(1_001) == "1970-01-01T00:00:01.001Z"


@pytest.mark.parametrize(
    ("names", "error", "matched"),
    [
        (["States.ALL"], "Boom", True),
        (["States.ALL"], None, True),
        (["States.ALL"], "States.Timeout", True),
        (["States.ALL"], "States.Runtime", False),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
        (["States.Runtime"], "States.Runtime", False),
        (["States.TaskFailed"], "Boom", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.TaskFailed"], "States.Runtime", False),
        (["States.Timeout"], "States.HeartbeatTimeout", True),
        (["Boom"], "Boo", False),
    ],
)
def test_which_errors_a_name_covers(names: list[str], error: str | None, matched: bool) -> None:
    """The wildcards and what they leave out."""
    assert error_matches(frozenset(names), error) is matched


def test_delays_grow_to_their_bound() -> None:
    """Interval 2, rate 3, at most 10 s; a rate beyond all numbers is just the bound."""
    retrier = Retrier(frozenset(), 2, 9, 3.0, 10)
    assert [retrier.delay_ms(attempt, "") for attempt in (1, 2, 3, 4)] == [2_000, 6_000, 10_000, 10_000]
    assert Retrier(frozenset(), 1, 9, 1e9, None).delay_ms(5_000, "") == 99_999_999_000


def test_full_jitter_is_drawn_from_the_seed() -> None:
    """Between nothing and the whole delay, the same for the same seed."""
    retrier = Retrier(frozenset(), 100, 9, 1.0, None, jitter=True)
    drawn = [retrier.delay_ms(1, str(seed)) for seed in range(50)]
    assert drawn == [retrier.delay_ms(1, str(seed)) for seed in range(50)]
    assert all(0 <= delay <= 100_000 for delay in drawn)
    assert len(set(drawn)) > 40


def test_depth_is_counted_outside_strings() -> None:
    """Brackets within strings, escaped quotes included, are no nesting."""
    assert json_depth_ok(b'["' + b"[" * 900 + b'\\"]"]', 10)
    assert json_depth_ok(b"[" * 10 + b"]" * 10, 10)
    assert not json_depth_ok(b"[" * 11 + b"]" * 11, 10)
    assert json_depth_ok(b"[[],[],[],[],[],[],[],[],[],[],[]]", 2)


@pytest.mark.parametrize("text", [b"", b"{", b"nope", b"\xff", b'"\\ud800"', b"1e999", b"[1,]", b'{"a":1}x'])
def test_what_is_no_json_is_states_runtime(text: bytes) -> None:
    """Every way a text can be broken is one error, never an exception of the decoder's own."""
    with pytest.raises(StatesError):
        jsontext.decode(text)


def test_compaction_keeps_numbers_and_strings_as_written() -> None:
    """Only white space between tokens goes; a text without any comes back as it is."""
    assert jsontext.compact(b'{ "a b" : [ 1.00 ,\n1e3 ] }') == b'{"a b":[1.00,1e3]}'
    text = b'{"a":1}'
    assert jsontext.compact(text) is text


@pytest.mark.parametrize("white", [" ", "\n", "\t", "\r"])
@pytest.mark.parametrize("digits", [1, 511, 512, 5_000])
def test_compaction_finds_any_white_space_in_texts_of_any_length(white: str, digits: int) -> None:
    """A text of more than half a thousand bytes is searched in another way than a short one, to the same end."""
    number = b"1" * digits
    assert jsontext.compact(b"[%b,%b2]" % (number, white.encode())) == b"[%b,2]" % number
    assert jsontext.compact(number) is number
