"""JSONata: values, AWS's functions, errors with their field, and limits that hold."""

from typing import Any

import pytest

from maprun.language.errors import StatesError
from maprun.language.jsonata import BadExpressionError, Query, compile_value, read
from maprun.language.scope import Scope


def scope(seed: str = "s") -> Scope:
    """A scope at one second after 1970."""
    return Scope(lambda: {"State": {"Name": "S"}}, {"v": [1, 2]}, lambda: seed, 1_000)


def value(source: str, given: Any = None, seed: str = "s") -> Any:
    """The value of an expression."""
    return Query(source, "Output")({"input": given}, scope(seed))


@pytest.mark.parametrize(
    ("source", "given", "result"),
    [
        ("$states.input.a[0]", {"a": [5]}, 5),
        ("$states.input.a", {"a": None}, None),
        ("$sum($v) + 1", None, 4),
        ("$states.context.State.Name", None, "S"),
        ("$count($keys($states))", None, 2),
        ("$now()", None, "1970-01-01T00:00:01.000Z"),
        ("$millis()", None, 1000),
        ("$partition([1..5], 2)", None, [[1, 2], [3, 4], [5]]),
        ("$range(1, 9, 3)", None, [1, 4, 7]),
        ("$hash('a', 'MD5')", None, "0cc175b9c0f1b6a831c399e269772661"),
        ("$parse('{\"a\":[1]}')", None, {"a": [1]}),
        ("$pad('x', -3, '0')", None, "00x"),
        ("''", None, ""),
        ("[]", None, []),
        ("$states.input ~> |$|{'b':2}|", {"a": 1}, {"a": 1, "b": 2}),
        ("'\U0001f600' & 'é'", None, "\U0001f600é"),
    ],
)
def test_an_expression_gives(source: str, given: Any, result: Any) -> None:
    """Values, undefined apart from null, and the functions AWS adds; time comes from the scope."""
    assert value(source, given) == result


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("$nope", "returned nothing (undefined)."),
        ("$states.input.none", "returned nothing (undefined)."),
        ("$nope()", "threw an error during evaluation. T1006: Attempted to invoke a non-function"),
        ("function($x){$x}", "returned an unsupported result type."),
        ("$eval('1')", "threw an error during evaluation. "),
        ("'a' + 1", "threw an error during evaluation. T2001"),
        ("$parse('{')", "threw an error during evaluation. "),
    ],
)
def test_a_failure_names_expression_and_field(source: str, words: str) -> None:
    """States.QueryEvaluationError, with AWS's words and the field as its location."""
    with pytest.raises(StatesError) as caught:
        value(source, {})
    assert caught.value.error == "States.QueryEvaluationError"
    assert caught.value.location == "Output"
    assert caught.value.cause.startswith(f"The JSONata expression '{source}' specified for the field 'Output' {words}")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("$sum(['a'])", 'T0412: Argument 1 of function "sum" must be an array of "numbers"'),
        ("$each('x', function($v){$v})", 'T0410: Argument 1 of function "each" does not match function signature'),
        ("$sum(1, 2)", 'T0410: Argument 2 of function "sum" does not match function signature'),
        ("$exists()", 'T0410: Argument 1 of function "exists" does not match function signature'),
        ("$split('a', 'b', -1)", "D3020: Third argument of split function must evaluate to a positive number"),
        ("$sqrt(-1)", "D3060: The sqrt function cannot be applied to a negative number: -1"),
        ("1 + {}", 'T2002: The right side of the "+" operator must evaluate to a number'),
        ("[1] < 2", 'T2010: The expressions either side of operator "<" must evaluate to numeric or string values'),
        ("$number('a\"b')", 'D3030: Unable to cast value to a number: "a\\"b"'),
        (
            "$formatBase(1, 99)",
            "D3100: The radix of the formatBase function must be between 2 and 36.  It was given 99",
        ),
        (
            "$reduce([1,2], function($a){$a})",
            "D3050: The second argument of reduce function must be a function with at",
        ),
        ("$formatNumber(1, 'x')", "D3086: The sub-picture must not contain a passive character that is preceded by an"),
        ("$eval('1')", "T1006: Attempted to invoke a non-function"),
        ("$now('[Q]')", 'D3132: Unknown component specifier "Q" in date/time picture string'),
        ("$pad(1, 2, 3, 4)", 'T0410: Argument 1 of function "pad" does not match function signature'),
    ],
)
def test_an_error_at_run_time_has_the_words_of_the_reference(source: str, words: str) -> None:
    """The code and message of jsonata-js 2.0.6 follow AWS's sentence; no word of Python's or of the engine's own."""
    with pytest.raises(StatesError) as caught:
        value(source, {})
    assert f"' threw an error during evaluation. {words}" in caught.value.cause
    assert "host function" not in caught.value.cause


def test_templates_are_filled_where_strings_are_expressions() -> None:
    """`{% … %}` with nothing outside the braces is an expression, anything else itself; failures say which member."""
    template = {"a": "{% 1 + 1 %}", "b": [" {% 1 %}", "{% $v %}"], "c": {"d": "$states.input"}}
    assert compile_value(template, "Output")({"input": 1}, scope()) == {
        "a": 2,
        "b": [" {% 1 %}", [1, 2]],
        "c": {"d": "$states.input"},
    }
    with pytest.raises(StatesError) as caught:
        compile_value({"a": {"b": "{% $nope %}"}}, "Arguments")({"input": 1}, scope())
    assert caught.value.location == "Arguments/a/b"


def test_what_does_not_parse_is_refused_at_once() -> None:
    """A definition with such an expression is never accepted."""
    with pytest.raises(BadExpressionError):
        read("a[1,2)")


def test_an_expression_that_this_release_refuses_fails_its_state_alone() -> None:
    """A machine made by a release that took it goes on to that state, which fails in words."""
    query = Query("a[1,2)", "Output")
    with pytest.raises(StatesError) as caught:
        query({"input": 1}, scope())
    assert caught.value.error == "States.QueryEvaluationError"
    assert caught.value.cause == (
        "The JSONata expression 'a[1,2)' specified for the field 'Output' threw an error during evaluation: "
        'Expected "]", got ","'
    )


def test_chance_follows_from_the_seed() -> None:
    """$random and $uuid: equal for an equal seed, different for another draw or seed."""
    first, second, number = value("[$uuid(), $uuid(), $random()]")
    assert value("[$uuid(), $uuid(), $random()]") == [first, second, number]
    assert first != second
    assert value("$uuid()", None, "other") != first
    assert 0 <= number < 1
    assert value("$random(5)", None, "x") == value("$random(5)", None, "y")


@pytest.mark.parametrize(
    "source",
    [
        "($f := function($x){ $f($x + 1) }; $f(1))",
        "($f := function($x){ 1 + $f($x + 1) }; $f(1))",
        "[1..1000000000]",
        "[1..9000000]",
        "$map([1..1000000], function($x){ $map([1..1000], function($y){ $x * $y }) })",
        "$pad('a', 1000000000)",
        "$range(0, 1000000000, 1)",
        "$reduce([1..100000], function($a, $b){ $a & 'xxxxxxxxxxxxxxxxxxxxxxxxxxxx' }, '')",
    ],
)
def test_a_hostile_expression_ends_within_its_limits(source: str) -> None:
    """Endless recursion, huge ranges and paddings end as an error, by what they count or would hold."""
    with pytest.raises(StatesError):
        value(source)


@pytest.mark.parametrize("source", ["(" * 3000 + "1" + ")" * 3000, "[" * 3000 + "1" + "]" * 3000])
def test_deep_expressions_are_refused(source: str) -> None:
    """A nesting that would exhaust a stack is no valid expression."""
    with pytest.raises(BadExpressionError):
        read(source)
