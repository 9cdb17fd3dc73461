"""Intrinsic functions: results, limits and failures."""

from typing import Any

import pytest

from maprun.language.errors import PathSyntaxError, StatesError
from maprun.language.expression import Expression
from maprun.language.scope import Scope

ROOT = {
    "deep": {"a": [1, 2.5, "x", None, True, {}], "b": {"c": [], "d": 1e10}},
    "a": [1, 2, 2, "x"],
    "name": "World",
    "o": {"p": 1},
    "q": {"p": 2, "r": 3},
    "long": "x" * 10_001,
}


def value(text: str, seed: str = "s") -> Any:
    """The value of an expression over ROOT."""
    return Expression(text).evaluate(ROOT, Scope(lambda: {"State": {"Name": "S"}}, {"v": 7}, lambda: seed))


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ("States.Array('a', 1, $.name, null, true)", ["a", 1, "World", None, True]),
        ("States.Array()", []),
        ("States.ArrayPartition($.a, 3)", [[1, 2, 2], ["x"]]),
        ("States.ArrayContains($.a, 'x')", True),
        ("States.ArrayContains($.a, true)", False),
        ("States.ArrayRange(1, 9, 3)", [1, 4, 7]),
        ("States.ArrayRange(3, 1, -1)", [3, 2, 1]),
        ("States.ArrayGetItem($.a, 3)", "x"),
        ("States.ArrayLength($.a)", 4),
        ("States.ArrayUnique($.a)", [1, 2, "x"]),
        ("States.Base64Encode('Hello')", "SGVsbG8="),
        ("States.Base64Decode('SGVsbG8=')", "Hello"),
        ("States.Hash('a', 'MD5')", "0cc175b9c0f1b6a831c399e269772661"),
        ("States.Hash('a', 'SHA-1')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("States.JsonMerge($.o, $.q, false)", {"p": 2, "r": 3}),
        ("States.StringToJson('\\{\"k\": [1]\\}')", {"k": [1]}),
        ("States.JsonToString($.o)", '{"p":1}'),
        ("States.MathAdd(111, -1)", 110),
        ("States.MathAdd($v, 0.6)", 8),
        ("States.StringSplit('1,2+3', ',+')", ["1", "2", "3"]),
        ("States.Format('Hello {}, {}!', $.name, $.o)", "Hello World, {p=1}!"),
        ("States.Format('{}', $.deep)", "{a=[1, 2.5, x, null, true, {}], b={c=[], d=1.0E10}}"),
        ("States.Format('{} {} {}', 1e-5, null, false)", "1.0E-5 null false"),
        ("States.StringToJson('')", None),
        ("States.StringToJson('  ')", None),
        ("States.StringToJson(' 1 ')", 1),
        ("States.MathAdd(-1.5, 0)", -1),
        ("States.MathAdd(2.5, 0)", 3),
        ("States.MathAdd(-2.5, -0.5)", -2),
        ("States.MathAdd(0.49999999999999994, 0)", 0),
        ("States.MathAdd(-2147483648.5, 0)", -(2**31)),
        ("States.ArrayRange(-1.5, 1.5, 1)", [-1, 0, 1, 2]),
        ("States.ArrayGetItem($.a, 2.5)", "x"),
        ("States.StringSplit('', ',')", []),
        ("States.StringSplit('a.b', '')", ["a.b"]),
        ("States.StringSplit('', '')", []),
        ("States.Hash('é', 'MD5')", "66ddcd97cfdeabb2f6fb8a999b4bc76f"),
        ("States.Array($.a[9], $.a.[0], $.name )", [None, 1, "World"]),
        ("States.Format('{}', $$.State.Name )", "S"),
        ("States.Array($v )", [7]),
        ("States.Format('\\{\\} {}', 1)", "{} 1"),
        ("States.Format('it\\'s {}', $$.State.Name)", "it's S"),
        ("States.Array(States.Format('{}', States.MathAdd(1, 1)))", ["2"]),
    ],
)
def test_a_call_gives(call: str, result: Any) -> None:
    """Each function's result, as the guide shows it."""
    assert value(call) == result


@pytest.mark.parametrize(
    "call",
    [
        "States.ArrayPartition($.a, 0)",
        "States.ArrayPartition($.name, 1)",
        "States.ArrayRange(0, 1000, 1)",
        "States.ArrayRange(0, 1, 0)",
        "States.ArrayGetItem($.a, 4)",
        "States.ArrayGetItem($.a, -1)",
        "States.Base64Encode($.long)",
        "States.Base64Decode('*')",
        "States.Hash('a', 'SHA-3')",
        "States.JsonMerge($.o, $.q, true)",
        "States.StringToJson('{')",
        "States.MathRandom(2, 2)",
        "States.MathAdd(2147483647, 1)",
        "States.MathAdd(2147483647.5, 0)",
        "States.Format('{} {}', 1)",
        "States.Format('{}', 1, 2)",
        "States.Format('{', 1)",
        "States.ArrayLength($.missing)",
    ],
)
def test_a_call_that_cannot_be_done_is_an_intrinsic_failure(call: str) -> None:
    """The error is States.IntrinsicFailure, which Retry and Catch may name; the cause repeats the call."""
    with pytest.raises(StatesError) as caught:
        value(call)
    assert caught.value.error == "States.IntrinsicFailure"
    assert caught.value.cause.startswith(f"The function '{call}' had the following error: ")


@pytest.mark.parametrize(
    "call",
    [
        "States.Nope()",
        "States.Array(",
        "States.UUID(1)",
        "States.MathAdd(1)",
        "States.Format('\\x')",
        "States.StringToJson('\\\"')",
        "States.Array('a' 'b')",
        "States.Array(" * 11 + ")" * 11,
    ],
)
def test_a_malformed_call_is_refused_at_once(call: str) -> None:
    """Unknown names, wrong counts, illegal escapes and more than ten levels never come to run."""
    with pytest.raises(PathSyntaxError):
        Expression(call)


def test_chance_follows_from_the_seed() -> None:
    """Random functions draw the same for the same seed, another value for another draw or seed."""
    both = "States.Array(States.UUID(), States.UUID(), States.MathRandom(0, 1000000))"
    first, second, number = value(both)
    assert value(both) == [first, second, number]
    assert first != second
    assert value(both, "other")[0] != first
    assert len(first) == 36
    assert first[14] == "4"
    assert 0 <= number < 1_000_000
    assert value("States.MathRandom(0, 1000, 5)", "x") == value("States.MathRandom(0, 1000, 5)", "y")
