"""Expressions meant to hang or to eat memory, run in a process of its own: `python -m tests.property.language.hostile`.

Prints one JSON object a case: its name, how it ended, seconds of CPU, and the megabytes the process had grown to.
"""

import json
import pathlib
import re
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from maprun.language.choice import compile_rule
from maprun.language.errors import PathError, PathSyntaxError, StatesError
from maprun.language.expression import Expression
from maprun.language.jsonata import BadExpressionError, Query, read
from maprun.language.scope import Scope
from maprun.language.template import compile_node, parse_template

ADDRESS_SPACE_BYTES = 2 << 30
CPU_SECONDS_MAX = 300
"""Of all cases together; what never ends is killed by it, however busy the machine."""
_A40 = "a" * 40

QUERIES: dict[str, str] = {
    "endless recursion": "($f := function(){$f()}; $f())",
    "endless recursion with a growing argument": "($f := function($n){$f($n + 1)}; $f(0))",
    "endless recursion that is no tail call": "($f := function($n){1 + $f($n + 1)}; $f(0))",
    "mutual recursion": "($a := function($n){$b($n)}; $b := function($n){$a($n)}; $a(0))",
    "mutual recursion that is no tail call": "($a := function(){1 + $b()}; $b := function(){1 + $a()}; $a())",
    "a function that calls itself by argument": "(function($x){$x($x)})(function($x){$x($x)})",
    "partial application of itself": "($f := function($n){$f(?)($n)}; $f(1))",
    "a range of 10^9": "[1..1000000000]",
    "the sum of a range of 10^9": "$sum([1..1000000000])",
    "a range of ranges": "[1..100000].[1..100000]",
    "AWS's $range to 10^9": "$range(1, 1000000000, 1)",
    "AWS's $range in tiny steps": "$range(0, 1, 0.000000001)",
    "deep array": "[" * 3000 + "]" * 3000,
    "deep parentheses": "(" * 100_000 + "1" + ")" * 100_000,
    "a long sum": "1" + "+1" * 50_000,
    "deep conditions": "true ? " * 5000 + "1" + " : 2" * 5000,
    "a long path": "$states" + ".a" * 20_000,
    "many signs": "-" * 20_000 + "1",
    "deep functions": "function(){" * 2000 + "1" + "}" * 2000,
    "deep predicates": "$states" + "[0" * 3000 + "]" * 3000,
    "a string doubled": "($d := function($s, $n){$n = 0 ? $s : $d($s & $s, $n - 1)}; $d('a', 40))",
    "a string doubled by $reduce": "$reduce([1..60], function($a, $b){$a & $a}, 'ab')",
    "a string doubled by hand": "($a0 := 'ab'; "
    + "".join(f"$a{n + 1} := $a{n} & $a{n}; " for n in range(40))
    + "$a40)",
    "an array doubled": "$reduce([1..60], function($a, $b){$append($a, $a)}, [1])",
    "an array that grows": "$reduce([1..100000], function($a, $b){$append($a, $b)}, [])",
    "a tree of shared parts": "($a0 := {'x': 1}; "
    + "".join(f"$a{n + 1} := {{'l': $a{n}, 'r': $a{n}}}; " for n in range(40))
    + "$a40)",
    "a tree of shared parts by $reduce": "$reduce([1..40], function($a, $b){{'l': $a, 'r': $a}}, 1)",
    "a list of shared lists": "($a := [[1..1000]]; $b := [1..1000].[[$a]]; $c := [1..1000].[[$b]]; [1..1000].[[$c]])",
    "one value many times": "[1..800000].($states)",
    "one value a million times by $map": "$map([1..290000], function($x){$states})",
    "a tree told as a text": "$length($string($reduce([1..40], function($a, $b){[[$a], [$a]]}, 1)))",
    "a text lengthened by $replace": "$reduce([1..40], function($a, $b){$replace($a, 'a', 'aa')}, 'aaaa')",
    "a text lengthened by $join": "$reduce([1..40], function($a, $b){$join([$a, $a])}, 'ab')",
    "a sum in every turn": "[1..20000].$sum([1..20000])",
    "an object that nests": "$reduce([1..100000], function($a, $b){{'a': $a}}, {})",
    "a pattern that backtracks": f"$match('{_A40}b', /(a+)+$/)",
    "a pattern of alternatives": f"$contains('{_A40}b', /(a|a)*c/)",
    "a pattern of greedy gaps": "$replace('" + "x" * 30_000 + "', /(.*)(.*)(.*)(.*)z/, 'b')",
    "a pattern that unfolds": "$match('" + "a" * 20_000 + "', /a{1,1000}{1,1000}/)",
    "a giant $pad": "$pad('a', 1000000000)",
    "a giant $pad on the left": "$pad('a', -1e300)",
    "a giant $join": "$join($map([1..1000000], function($i){'" + "x" * 1000 + "'}))",
    "a giant $map": "$map([1..100000], function($i){$map([1..1000], function($j){$i * $j})})",
    "a giant $sort": "$sort([1..100000], function($a, $b){$a < $b})",
    "a giant $zip": "$zip([1..1000000], [1..1000000], [1..1000000])",
    "a giant $distinct": "$distinct([1..200000].{'a': $})",
    "a product": "[1..3000].($a := $; [1..3000].($ + $a))",
    "a giant group": "[1..100000]{$string($): $}",
    "a giant Roman number": "$formatInteger(1e12, 'I')",
    "a picture that breaks the engine": "$fromMillis(0, '[Y" + "0" * 100_000 + "]')",
    "a date far away": "$fromMillis(1e300)",
    "JSON too deep in $parse": "$parse('" + "[" * 100_000 + "')",
    "$eval": "$eval('1')",
}
_WIDE = {"a": [{"b": n, "c": {"b": [n, n]}} for n in range(20_000)]}
_TEXT = "ab" * 50_000


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value, "b": [1]}
    return value


def _calls(depth: int) -> str:
    return "States.Array(" * depth + "1" + ")" * depth


PATHS: dict[str, tuple[str, Any]] = {
    "recursive descent, wide": ("$..b", _WIDE),
    "recursive descent twice, wide": ("$..c..b", _WIDE),
    "recursive descent three times, deep": ("$..a..a..b", _deep(60)),
    "recursive descent of all, deep": ("$..*", _deep(400)),
    "a filter below a descent": ("$..[?(@.b == 19999)]", _WIDE),
    "a filter that reads the root": ("$.a[?(@.b > $.a[0].b && @.c.b[0] == 3)]", _WIDE),
    "a filter with a pattern that backtracks": ("$.a[?(@ =~ /(a+)+$/)]", {"a": [_A40 + "b"]}),
    "a filter with a pattern of alternatives": ("$.a[?(@ =~ /(a|a)*c/)]", {"a": [_A40 + "b"]}),
    "a filter nested deep": ("$.a[?(" + "(" * 2000 + "@" + ")" * 2000 + ")]", {"a": [1]}),
    "a filter that denies often": ("$.a[?(" + "!" * 2000 + "@.b)]", {"a": [1]}),
    "a long path": ("$" + ".a" * 20_000, {}),
    "many wild cards": ("$" + "[*]" * 100, [[[[1]]]]),
    "wild cards that multiply": ("$" + ".*" * 12, [[[[[[[[[[1] * 3] * 3] * 3] * 3] * 3] * 3] * 3] * 3] * 3] * 3),
    "calls nested ten deep": (_calls(10), {}),
    "calls nested eleven deep": (_calls(11), {}),
    "calls nested a thousand deep": (_calls(1000), {}),
    "an endless ArrayRange": ("States.ArrayRange(0, 2147483647, 1)", {}),
    "an ArrayRange of 1001": ("States.ArrayRange(0, 1000, 1)", {}),
    "a giant ArrayUnique": ("States.ArrayUnique($.a)", _WIDE),
    "a giant Format": ("States.Format('" + "{}" * 1000 + "'" + ", $" * 1000 + ")", {"a": "x" * 100}),
    "a giant Base64Encode": ("States.Base64Encode($)", _TEXT),
    "a giant StringSplit": ("States.StringSplit($, 'ab')", _TEXT),
    "deep JSON in StringToJson": ("States.StringToJson($)", "[" * 100_000),
    "a sum beyond 32 bits": ("States.MathAdd(2147483647, 1)", {}),
    "a number of a thousand digits": ("States.MathAdd(" + "9" * 1000 + ", 1)", {}),
}
RULES: dict[str, tuple[dict[str, Any], Any]] = {
    "a glob of many stars": ({"Variable": "$", "StringMatches": "*a" * 2000 + "c"}, "a" * 100_000 + "b"),
    "a glob of stars alone": ({"Variable": "$", "StringMatches": "*" * 20_000}, _TEXT),
    "a glob that nearly matches": ({"Variable": "$", "StringMatches": "*ab" * 1000 + "*b*"}, "ab" * 999 + "a"),
}


def nested_rule(depth: int) -> dict[str, Any]:
    """A Choice rule in `depth` combiners."""
    rule: dict[str, Any] = {"Variable": "$.a", "IsPresent": True}
    for at in range(depth):
        rule = {"Not": rule} if at % 2 else {"And": [rule, rule]} if at < 20 else {"Or": [rule]}
    return rule


def _scope() -> Scope:
    return Scope(dict, {}, lambda: "seed", 1_700_000_000_000)


def _query(source: str) -> Callable[[], Any]:
    def examined_and_evaluated() -> Any:
        read(source)
        return Query(source, "Output")({"input": {"a": 1}}, _scope())

    return examined_and_evaluated


def _path(text: str, value: Any) -> Callable[[], Any]:
    return lambda: compile_node(parse_template({"k.$": text}))(value, _scope()) if text else None


def _rule(rule: dict[str, Any], value: Any) -> Callable[[], Any]:
    return lambda: compile_rule(rule)(value, _scope())


def _tried(work: Callable[[], Any]) -> str:
    try:
        work()
    except (BadExpressionError, PathSyntaxError):
        return "refused"
    except ValueError as error:
        return f"crashed: {error!r}"
    except StatesError as error:
        return error.error
    except PathError:
        return "nowhere"
    return "value"


def _megabytes_at_most() -> int:
    """The most memory this program has held: what getrusage says is that of whoever started it, if that held more."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


def cases() -> dict[str, Callable[[], Any]]:
    """All of them by name."""
    found: dict[str, Callable[[], Any]] = {}
    found |= {f"JSONata: {name}": _query(source) for name, source in QUERIES.items()}
    found |= {f"JSONPath: {name}": _path(*given) for name, given in PATHS.items()}
    found |= {f"Choice: {name}": _rule(*given) for name, given in RULES.items()}
    found["Choice: nested deep"] = _rule(nested_rule(30), {"a": 1})
    found["JSONPath: a filter of a thousand terms"] = lambda: Expression("$[?(" + "@.a || " * 1000 + "@.b)]")
    return found


def main() -> None:
    """Runs every case under a limit of the address space and of CPU time."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    for name, work in cases().items():
        began = time.process_time()
        ended = _tried(work)
        spent = round(time.process_time() - began, 3)
        megabytes = _megabytes_at_most()
        sys.stdout.write(
            json.dumps({"case": name, "ended": ended, "cpu_seconds": spent, "megabytes": megabytes}) + "\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
