"""Whatever a path, call or template meets, it gives a value or a States error."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.language import jsontext
from maprun.language.choice import COMPARISONS, TYPE_TESTS, compile_rule
from maprun.language.errors import PathError, PathSyntaxError, StatesError
from maprun.language.expression import Expression
from maprun.language.scope import Scope
from maprun.language.template import compile_node, parse_template
from tests.property.interpreter.documents import TEMPLATES, VALUES, calls, paths


def scope(value: Any) -> Scope:
    """A scope whose context, variable and input are all made of one value."""
    context = {"Execution": {"Input": value}, "State": {"Name": "S"}}
    return Scope(lambda: context, {"v": value}, lambda: "seed", 1)


@given(st.one_of(paths(), calls()), VALUES)
def test_an_expression_gives_json_or_a_states_error(text: str, value: Any) -> None:
    """Any expression over any JSON gives a value that is JSON again, or a StatesError, or is refused as no path."""
    try:
        found = Expression(text).evaluate(value, scope(value))
    except (PathSyntaxError, PathError, StatesError):
        return
    jsontext.decode(jsontext.encode(found))


@given(st.text(alphabet="$.[]'\"*?@()=<>!&|/\\ ,:ab1-States{}", max_size=30), VALUES)
def test_any_text_is_an_expression_or_no_path(text: str, value: Any) -> None:
    """No text makes the parser fail otherwise than by saying that it is no path."""
    try:
        Expression(text).evaluate(value, scope(value))
    except (PathSyntaxError, PathError, StatesError):
        return


@given(TEMPLATES, VALUES)
def test_a_template_gives_the_same_twice(template: Any, value: Any) -> None:
    """A template filled in twice from equal scopes gives equal bytes, chance included; its input stays as it was."""
    before = jsontext.encode(value)
    try:
        evaluate = compile_node(parse_template(template))
    except PathSyntaxError:
        return
    outcomes: list[Any] = []
    for _ in range(2):
        try:
            outcomes.append(jsontext.encode(evaluate(value, scope(value))))
        except StatesError as error:
            outcomes.append((error.error, error.cause))
    assert outcomes[0] == outcomes[1]
    assert jsontext.encode(value) == before


@given(st.sampled_from([*COMPARISONS, *TYPE_TESTS, "IsPresent", "StringMatches"]), paths(), VALUES, VALUES)
def test_a_choice_rule_gives_a_boolean_or_a_states_error(operator: str, path: str, operand: Any, value: Any) -> None:
    """Any comparison of anything with anything is true, false, or States.Runtime for a variable that isn't there."""
    try:
        outcome = compile_rule({"Variable": path, operator: operand})(value, scope(value))
    except PathSyntaxError:
        return
    except StatesError:
        return
    assert isinstance(outcome, bool)


@settings(max_examples=20)
@given(st.integers(400, 3000))
def test_deep_json_is_refused_in_words(depth: int) -> None:
    """A payload that nests deeper than the limit is a States.Runtime error, never a crash; below it, it is read."""
    text = b"[" * depth + b"]" * depth
    if depth <= jsontext.DEPTH_MAX:
        assert jsontext.encode(jsontext.decode(text)) == text
    else:
        with pytest.raises(StatesError):
            jsontext.decode(text)
