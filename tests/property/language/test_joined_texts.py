"""Checking what `&` joins changes no expression's outcome, and ends the ones that would double a text for ever."""

import jsonatapy
import pytest

from maprun.language.jsonata_texts import GUARD, guarded
from tests.property.language.jsonata_corpus import EXPRESSIONS, INPUTS, written
from tests.property.language.second_engine import ours

TRICKY = [
    "'a' & function($x)<s-:s>{$x & 'b'}('c')",
    "$map([1, 2], function($v){$v & 'a' = '1a' ? 'y' & $v : 'n'})",
    "($n := 1; IN.Account.Order.Product.{'o': %.OrderID & Name, 'n': Name & '/' & SKU})",
    "($n := 'a/b' & 'c' & $replace('x/y', /\\//, '-' & '+'); $n)",
    "($n := 1 / 2 & 'x' & 6 / 3; $n /* & c */ & 'd')",
    "[1..3].($ & 'x')",
    "($t := 'x' & 'y' in ['xy'] and true; $t)",
    "($q := 1; IN.Account.Order^(OrderID & 'x').OrderID)",
    "IN.p ~> |$|{'w': k & 'z'}|",
    "($f := $substringBefore(?, 'a' & 'b'); $f('xab'))",
    "($f := 'a' & -1 & 2; $f)",
]


def _outcome(source: str, given: object) -> str | None:
    """What the engine makes of it, without the limits: JSON, None for undefined, or that it failed."""
    try:
        engine = jsonatapy.compile(source)
        if GUARD in source:
            engine.register(GUARD, lambda text=None: text)
        shown: str | None = engine.evaluate_json_or_none(None, {"states": {"input": given}})
    except ValueError:
        return "failed"
    return shown


@pytest.mark.parametrize("expression", [line for line in [*EXPRESSIONS, *TRICKY] if " & " in line])
def test_the_check_changes_no_outcome(expression: str) -> None:
    """With every joined text checked, and with none, the outcome on each input is the same."""
    source = f"($named := 1; {written(expression)})"
    assert GUARD in guarded(source)
    for given in INPUTS.values():
        assert _outcome(guarded(source), given) == _outcome(source, given)


def test_only_what_can_come_to_a_place_twice_is_checked() -> None:
    """A plain join costs nothing; one within a function, a range or a block with names is checked as a whole run."""
    assert guarded("'a' & $states.input.b") == "'a' & $states.input.b"
    assert guarded("function($x){$x & $x & 'c'}") == f"function($x){{${GUARD}($x & $x & 'c')}}"
    assert guarded("($a := 'x' & 'y'; $a)") == f"($a :=${GUARD}( 'x' & 'y'); $a)"


@pytest.mark.parametrize("source", ["(1 & 2)) ~> $f", "[1 & 2 ~> $f", "'open & ~> ", "/ & ~>"])
def test_what_is_no_expression_is_left_as_it_is(source: str) -> None:
    """Brackets that don't match are the engine's to complain about."""
    assert guarded(source).count(GUARD) in {0, 1}
    assert ours(source, {})[0] == "refused"
