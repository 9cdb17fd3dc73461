"""The guards put into an expression change no outcome, and end the ones that would work or grow for ever."""

import jsonatapy
import pytest

from maprun.language.errors import StatesError
from maprun.language.jsonata import Query
from maprun.language.jsonata_guards import FIRST, HELD, JOINED, LAST, PAIRS, SPENT, guarded
from maprun.language.jsonata_loops import COMPARED, EACH, TURNS
from maprun.language.jsonata_parse import parse
from maprun.language.scope import Scope
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
    "($n := 3; [1..$n].[$..$n])",
    "($n := 3; [1..2].([0, 1..$n, 9]))",
    "[1..2].([1..IN.nope])",
    "IN.Account.Order.(Product[Price > $sum([1..3])].SKU)",
    "IN.Account.Order.(Product[SKU in %.Product.SKU].Price)",
    "IN.Account.Order.(Product[0].SKU & Product[-1].SKU)",
    "($f := function($n){$n = 0 ? 'end' : $f($n - 1)}; $f(5000))",
    "($f := function($a, $b){[$a..$b]}; $f(2, 4))",
    "$map([1..3], function($x){IN.Account.Order[$x].OrderID})",
    "(IN.Account.Order.(($x := OrderID; $x & '!')))",
    "($a := [1, 2]; $b := [$a, $a]; $c := {'l': $b, 'r': [$b]}; [$c, $a, [$b]])",
    "($a := IN.nope; $b := [$a, 1]; {'a': $a, 'b': $b, 'c': [$a]})",
    "($one := [1]; $b := [$one]; [1..2].[$one])",
    "($one := [1]; $b := $one; [1..2].$one)",
    "IN.Account.Order.{'id': OrderID, 'all': $states.input.Account.Order.OrderID}",
    "IN.Account.Order.Product{`Product Name`: $sum(Price)}",
    "$reduce(IN.Account.Order.Product.Price, function($a, $b){$append($a, $b)}, [])",
    "$map([1..2], function($x){$states.input.Account.Order[0]})",
    "$map([[1]], function($x){$x})",
    "$distinct(IN.Account.Order.Product.SKU)",
    "IN.Account.Order.Product.SKU ~> $distinct() ~> $count()",
    "IN.Account.Order.Product.SKU ~> $distinct",
    "$distinct([1])",
    "$distinct(IN.nope)",
    "$map([[1, 1]], $distinct)",
    "[1..2].($states.input.Account.Order.Product[])",
    "($f := function($x){$x}; $g := $f; [$g([1]), $f([2])])",
    "IN ~> |Account.Order|{'n': $states.input.Account.Order.OrderID}|",
    "($m := $merge([{'a': 1}, {'b': [2]}]); $n := $m; [1..2].($m))",
    "($z := $zip([1, 2], [3, 4]); $y := $z; [$z, $y])",
    "$map(IN.Account.Order, function($o, $i, $all){{'id': $o.OrderID, 'n': $i, 'all': $all, 'x': $states.input.t}})",
    "$map(IN.nope, function($o){$o})",
    "$map(IN.Account.Order[], function($o){[$o.OrderID]})",
    "$map(IN.Account.Order[0], function($o){$o.Product.SKU})",
    "[$map(IN.Account.Order[0][], function($o){$o.OrderID})]",
    "($map(IN.Account.Order, function($o){$map($o.Product, function($p){{'a': $p.SKU, 'b': $o.OrderID}})}))",
    "IN.Account.Order ~> $map(function($o){$o.OrderID}) ~> $sort(function($l, $r){$l < $r})",
    "$filter(IN.Account.Order, function($o){$o.OrderID = 'order104'}).OrderID",
    "$single(IN.Account.Order, function($o){$o.OrderID = 'order104'})",
    "$single(IN.Account.Order, function($o){$o})",
    "$reduce(IN.Account.Order.Product.Price, function($a, $b){$a + $b}, 1)",
    "$reduce(IN.nope, function($a, $b){$a + $b}, 1)",
    "$sort(IN.Account.Order.Product, function($l, $r){$l.Price > $r.Price}).SKU",
    "$map([1, 2], function($v){$v := 3})",
    "$map($map([1, 2], function($v){[$v, $v]}), function($v){$v})",
    "($count := function($x){7}; $map([1, 2], function($v){$v}))",
    "($map := function($x, $f){$f($x)}; $map(3, function($v){$v + 1}))",
    "(1; $states.input.Account.Order.{'a': OrderID, 'b': $states.input.Account, 'c': $states.nope})",
    "$states.input.Account.Order.{'a': $states.input.Account.Order.OrderID}[0]",
    "$states.input.Account.Order[].[$states.input.Account.`Account Name`]",
    "$states.input.Account.Order.($states.input.Account.Order[0])",
    "$states.input.Account.Order.{OrderID: $states.input.Account.`Account Name`}",
    "$states.input.Account.Order.{'p': %.`Account Name`}",
    "[$states.input.Account.Order[0].{'a': $states.input.Account.`Account Name`}]",
]


_NESTED = [
    "$map($map([1, 2, 3], function($v){$v + 1}), function($v, $i, $all){[$v, $i, $count($all)]})",
    "$map($filter(IN.Account.Order, function($o, $i){$i = 1}), function($o){$o.OrderID})",
    "$map($filter(IN.nope, function($o){$o}), function($o){$o})",
    "$map($map([[1], [2]], function($v){$v}), $count)",
    "$filter($map([1], function($v){$v}), function($v){$v = 1})",
    "$single($map([1, 2], function($v){$v}), function($v){$v = 2})",
    "$reduce($map([1, 2], function($v){$v}), function($a, $b){$a + $b}, 10)",
    "$reduce($filter([1, 2], function($v){$v = 2}), function($a, $b){$a + $b})",
    "$map($map([1, 2], function($v){$error('no')}), function($v){$v})",
    "[1..3] ~> $map(function($v){$v + 1}) ~> $filter(function($v){$v > 2}) ~> $map(function($v){[$v]})",
    "IN.Account.Order.(Product ~> $map(function($p){$p.SKU}) ~> $filter(function($s){$s != %}))",
    "IN.Account.Order.(Product ~> $map(function($p){$p.SKU}) ~> $map(function($s){$s & '!'}))",
    "($n := 2; $map([1, 2], function($v){$v}) ~> $map(function($v){$v * $n}))",
    "($f := $map(?, function($v){$v}); $map($f([1, 2]), function($v){$v}))",
]
"""Loops over what loops gave."""
_NAMED = [
    "($f := function($v){$v * 2}; $map([1, 2], $f))",
    "($f := function($v){{'a': $v}}; $n := $map([1, 2], $f); $n.a)",
    "($f := function($v){$v.SKU}; $map(IN.Account.Order.Product, $f))",
    "($f := function($v){$v.SKU}; IN.Account.Order.Product ~> $map($f))",
    "($f := function($v){$v.SKU}; IN.Account.Order.($map(Product, $f)))",
    "($f := function($v){$v > 1}; $filter([1, 2], $f))",
    "($f := function($l, $r){$l < $r}; $sort([1, 2], $f))",
    "($f := function($a, $b){$a + $b}; $reduce([1, 2, 3], $f))",
    "($f := function($v){$map([$v], $f)}; 1)",
    "($g := $f := function($v){$v}; $map([1, 2], $f); $g(3))",
    "($f := function($v){$v}; $map([1, 2], $f[0]))",
    "($f := function($v){$v}; $map([1, 2], $f) & $f(3))",
    "(1 > 0 ? ($f := function($v){$v}; 2); $map([1, 2], $f))",
]
"""Loops whose function has a name."""
TRICKY += _NESTED + _NAMED

LARGE = {"many": ["x" * 100] * 2_000, "long": "y" * 50_000}


def _outcome(text: str, given: object) -> str | None:
    """What the engine makes of it, without limits: JSON, None for undefined, or that it failed."""
    try:
        engine = jsonatapy.compile(text)
        for guard in (SPENT, FIRST, LAST, HELD, PAIRS, TURNS, COMPARED, EACH):
            engine.register(guard, lambda *_: None)
        engine.register(JOINED, lambda joined=None: joined)
        shown: str | None = engine.evaluate_json_or_none(None, {"states": {"input": given}})
    except ValueError:
        return "failed"
    return shown


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *TRICKY])
def test_the_guards_change_no_outcome(expression: str) -> None:
    """With every guard in place, and with none, the outcome on each input is the same."""
    source = f"($named := function($x){{$x}}; {written(expression)})"
    try:
        found = guarded(source, parse(source))
    except ValueError:
        return  # refused when the definition is made
    if found.called:
        return  # AWS's functions are told in `test_aws_functions`
    for given in INPUTS.values():
        assert _outcome(found.text, given) == _outcome(source, given)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("($f := function($s, $n){$n = 0 ? $s : $f($s & $s, $n - 1)}; $length($f('x', 23)))", "memory limit"),
        ("$reduce([1..60], function($a, $b){$a & $a}, 'ab')", "memory limit"),
        ("[1..900000] ~> $count()", "memory limit"),
        ("($f := function($n){$f($n + 1)}; $f(0))", "timeout"),
        ("($f := function($n){1 + $f($n + 1)}; $f(0))", "Stack overflow"),
        ("[1..100000].([1..100000])", "timeout"),
        ("$distinct([1..200000].{'a': $})", "timeout"),
        ("[1..5000].($a := $; [1..1000][$ = $a])", "timeout"),
        ("$map([1..400000], function($v){$v})", "timeout"),
        ("[1..400000] ~> $filter(function($v){$v > 1}) ~> $count()", "timeout"),
        ("$map([1..1000], function($x){$map([1..1000], function($y){$y})})", "timeout"),
        ("$reduce([1..400000], function($a, $b){$a + $b})", "timeout"),
        ("($f := function($v){$v}; $map([1..400000], $f))", "timeout"),
        ("($f := function($y){$y}; $map([1..1000], function($x){$map([1..1000], $f)}))", "timeout"),
        ("($f := function($v){$v + 1}; $g := $f; $map([1..1000], function($x){$map([1..1000], $g)}))", "timeout"),
        ("($f := function($v){$states.input.long}; $map([1..100000], $f))", "memory limit"),
        (
            "($f := function($v){[$v, $v]}; $g := function($n){$map($states.input.many, $f)}; $map([1..200], $g))",
            "memory limit",
        ),
        ("$sort([1..100000], function($l, $r){$l > $r})", "timeout"),
        ("$map([1..100000], function($v){$states.input.long})", "memory limit"),
        ("$map([1..100000], function($v){{'a': {'b': [$states.input.long]}}})", "memory limit"),
        ("$states.input.many.{'a': $states.input.long}", "memory limit"),
        ("$map($states.input.many, function($v, $i, $all){$all})", "memory limit"),
        (f"($a := $states.input.many; {'$a := $map($a, function($v){[$v, $v]}); ' * 40} $a)", "memory limit"),
    ],
)
def test_what_would_never_end_ends_in_aws_words(source: str, words: str) -> None:
    """The limits are those of AWS, told after a colon as AWS does, and none of them is a clock's."""
    with pytest.raises(StatesError) as caught:
        Query(source, "Output")({"input": LARGE}, Scope(dict, {}, lambda: "seed"))
    assert f"threw an error during evaluation: {'Expression evaluation ' * (words != 'Stack overflow')}{words}" in (
        caught.value.cause
    )


def test_as_much_as_aws_evaluates_is_evaluated() -> None:
    """The largest expressions that AWS was seen to evaluate give their values."""
    assert ours("$sum($map([1..200000], function($v){$v * 2}))", {}) == ("value", 40_000_200_000)
    doubled = "($f := function($s, $n){$n = 0 ? $s : $f($s & $s, $n - 1)}; $length($f('x', 22)))"
    assert ours(doubled, {}) == ("value", 4_194_304)
    forty = "[1, 2]"
    for _ in range(40):
        forty = f"$map({forty}, function($v){{$v}})"
    assert ours(forty, {}) == ("value", [1, 2])
    assert ours("[1, 2]" + " ~> $map(function($v){$v})" * 40, {}) == ("value", [1, 2])
    for body in ("1 + $f($x - 1)", "[$f($x - 1)][0] + 1", "($y := $f($x - 1); $y + 1)"):
        deep = f"($f := function($x){{$x <= 0 ? 0 : {body}}}; $f(31))"
        assert ours(deep, {}) == ("value", 31)
    for nested in ("1" + "+1" * 99, "(" * 99 + "1" + ")" * 99, "[" * 99 + "1" + "]" * 99, "1" + "~>$string" * 99):
        assert ours(nested, {})[0] == "value"
