"""Expressions of every part of JSONata, and the documents they are tried on. `IN` stands for `$states.input`."""

from typing import Any

INPUTS: dict[str, Any] = {
    "order": {
        "Account": {
            "Name": "Firefly",
            "Order": [
                {
                    "OrderID": "o103",
                    "Product": [
                        {"Name": "Bowler Hat", "SKU": "0406654608", "Price": 34.45, "Quantity": 2, "Colour": "Purple"},
                        {"Name": "Trilby hat", "SKU": "0406634348", "Price": 21.67, "Quantity": 1, "Colour": "Orange"},
                    ],
                },
                {
                    "OrderID": "o104",
                    "Product": [
                        {"Name": "Bowler Hat", "SKU": "040657863", "Price": 34.45, "Quantity": 4, "Colour": "Purple"},
                        {"Name": "Cloak", "SKU": "0406654603", "Price": 107.99, "Quantity": 1, "Colour": "Black"},
                    ],
                },
            ],
        },
    },
    "plain": {
        "n": [5, 3, -1.5, 8, 3],
        "s": ["pear", "apple", "fig", "Äpfel"],
        "m": [[1, 2], [3, [4]], []],
        "t": "Hello, World",
        "u": "añb\U0001f600c",
        "b": [True, False],
        "z": None,
        "o": {"a": 1, "b": {"a": 2, "c": [{"a": 3}, {"a": [4, 5]}]}},
        "p": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "x", "v": 3}],
        "d": "2018-09-30T12:34:56.789Z",
        "e": [],
        "f": {},
        "i": 42,
        "r": "abc123def45",
    },
    "empty": {},
    "list": [{"a": 1, "t": "one"}, {"a": 2, "t": "two"}, {"b": 3}],
}

PATHS = """
IN
IN.Account
IN.Account.Name
IN.Account.Order.OrderID
IN.Account.Order.Product.Price
IN.Account.Order[0].Product.Name
IN.Account.Order[-1].OrderID
IN.Account.Order[5]
IN.Account.Order.Product[0].Name
(IN.Account.Order.Product)[0].Name
(IN.Account.Order.Product)[-1].SKU
IN.Account.Order.Product[Price > 30].Name
IN.Account.Order.Product[Price > 30 and Quantity = 2].Name
IN.Account.Order.Product[Name = 'Cloak']
IN.Account.Order.Product[Name in ['Cloak', 'Trilby hat']].SKU
IN.Account.Order.Product[$contains(Name, /hat/i)].Price
IN.Account.Order.Product.(Price * Quantity)
IN.Account.Order.Product.{'n': Name, 't': Price * Quantity}
IN.Account.Order.{OrderID: Product.Name}
IN.Account.Order{OrderID: $sum(Product.(Price * Quantity))}
IN.Account.Order.Product{Name: Price}
IN.Account.Order.Product{Name: $sum(Quantity)}
IN.Account.Order.Product{Colour: $count($)}
IN.Account.Order.Product{Name: {'c': Colour, 'q': $sum(Quantity)}}
IN.Account.Order[OrderID = 'o104'].Product[1].Colour
IN.Account.*
IN.Account.*.OrderID
IN.Account.**.Name
IN.**.Price
IN.**[Price > 100].Name
IN.Account.Order.Product^(Price).Name
IN.Account.Order.Product^(>Price).Name
IN.Account.Order.Product^(<Quantity, >Price).SKU
IN.Account.Order.Product^(>Name).Name
IN.Account.Order.Product.%.OrderID
IN.Account.Order.Product.{'o': %.OrderID, 'n': Name}
IN.Account.Order.Product[%.OrderID = 'o104'].Name
IN.Account.Order@$o.Product@$p.{'o': $o.OrderID, 'p': $p.Name}
IN.Account.Order#$i.Product.{'i': $i, 'n': Name}
IN.Account.Order.Product#$i[$i < 2].Name
IN.Account.Order.Product[[0..1]].Name
IN.Account.Order[[0, 1]].OrderID
IN.Account.Order.Product.Price[]
IN.Account.Name[]
IN.Account.Order[0].OrderID[]
IN.Account.Order.Product.Name[$ = 'Cloak']
IN.m
IN.m[0]
IN.m[0][1]
IN.m.$
IN.m[1][1][0]
IN.n[$ > 3]
IN.n[-2]
IN.n[1.7]
IN.n[$ = 3]
IN.p[k = 'x'].v
IN.p[k = 'x'][1].v
IN.p.v
IN.p{k: v}
IN.p{k: $sum(v)}
IN.p{k: v[]}
IN.p[v > 1].k
IN.p.k[0]
IN.o.*
IN.o.**.a
IN.o.b.c.a
IN.o.b.c[0].a
IN.`Account`.`Name`
IN."Account"."Name"
IN.Account.Nope
IN.Account.Nope.Deeper
IN.z
IN.e
IN.f
IN.e[0]
IN.a
IN.t
IN[0].a
IN[1].t
IN[a = 2].t
IN.(a + 1)
IN[].a
$states.input.i
$states.nothing
"""

OPERATORS = """
1 + 2
7 - 9.5
3 * 4
7 / 2
1 / 0
7 % 3
-7 % 3
7.5 % 2
-(3)
- IN.i
1 + 2 * 3 - 4 / 2
(1 + 2) * 3
0.1 + 0.2
1e3 + 1
1e-7
1e21
100000000000000000000
9007199254740993
1.0
-0
5 / 3
1 / 3
10 / 5
'a' & 'b'
'a' & 1
1 & 2
'x' & true & null
'x' & IN.nope
'n: ' & [1, 2]
'o: ' & {'a': 1}
1 = 1
1 = 1.0
1 = '1'
'a' = 'a'
null = null
[1, 2] = [1, 2]
{'a': 1} = {'a': 1}
{'a': 1, 'b': 2} = {'b': 2, 'a': 1}
IN.nope = 1
IN.nope = IN.nope2
1 != 2
IN.nope != 1
1 < 2
2 <= 2
3 > 4
3 >= 3
'a' < 'b'
'B' < 'a'
'10' < '9'
1 < 'a'
true < false
IN.nope < 1
null < 1
[1] < 2
true and false
true or false
true and IN.nope
not true
1 and 2
'' or 'a'
[] or [0]
[0] or false
[1] and true
{} or false
1 in [1, 2]
'a' in ['b']
'a' in 'a'
IN.nope in [1]
1 in []
true ? 1 : 2
false ? 1 : 2
false ? 1
IN.i > 40 ? 'big' : 'small'
IN.nope ? 1 : 2
IN.nope ?: 'dflt'
IN.nope ?? 'dflt'
[1..5]
[3..1]
[1..1]
[0..IN.i][41]
[1..3, 7, 9..10]
[1.5..3]
['a'..'b']
[1..IN.nope]
'abc' ~> $uppercase
'abc' ~> $uppercase() ~> $length()
[1, 2, 3] ~> $sum
($f := $trim ~> $uppercase; $f('  a '))
($x := 5; $x + 1)
($x := $y := 3; $x + $y)
($x := 1; ($x := 2; $x); $x)
(1; 2; 3)
()
$nope
$nope()
'a' + 1
true + 1
null + 1
[1] + 1
- 'a'
1 + IN.nope
IN.nope + 1
IN.t & '!'
"double" & 'single'
'\\u00e4\\n\\t\\"'
'it\\'s'
/* a comment */ 1
{'a': 1, 'b': [1, 2], 'c': {'d': null}}
{'a': IN.nope}
{'a': 1, 'a': 2}
{1: 2}
{IN.t: 1}
{IN.nope: 1}
[IN.nope]
[IN.nope, 1]
[null]
[[]]
[[1], [2]]
[1, [2, [3]]]
[IN.n, IN.i]
IN.n.($ * 2)
IN.n.[$]
true
null
''
"""

STRINGS = """
$string(1)
$string(1.5)
$string(1e21)
$string(1e-7)
$string(0.1 + 0.2)
$string(true)
$string(null)
$string([1, 'a', null])
$string({'a': [1, 2]})
$string({'a': 1}, true)
$string(IN.nope)
$string('x')
$length('abc')
$length('')
$length(IN.u)
$length(1)
$length(IN.nope)
$substring('hello', 1)
$substring('hello', 1, 3)
$substring('hello', -3)
$substring('hello', -3, 2)
$substring('hello', 10)
$substring('hello', 1, 0)
$substring('hello', 1, -1)
$substring(IN.u, 2, 2)
$substring(IN.nope, 1)
$substringBefore('hello', 'l')
$substringBefore('hello', 'z')
$substringAfter('hello', 'l')
$substringAfter('hello', 'z')
$substringBefore('hello', '')
$uppercase('aäß')
$lowercase('AÄ')
$uppercase(1)
$trim('  a   b \\n c ')
$trim('')
$pad('a', 5)
$pad('a', -5)
$pad('a', 5, '#')
$pad('a', -5, '-=')
$pad('abc', 2)
$pad('a', 3, '')
$contains('abracadabra', 'bra')
$contains('abracadabra', /a.*a/)
$contains('abc', /B/)
$contains('abc', /B/i)
$contains('abc', '')
$contains(IN.nope, 'a')
$split('a, b, c', ', ')
$split('a b  c', ' ')
$split('a1b22c', /\\d+/)
$split('abc', '')
$split('a,b,c', ',', 2)
$split('a,b,c', ',', 0)
$split('a,b,c', ',', -1)
$split('', ',')
$join(['a', 'b'])
$join(['a', 'b'], '-')
$join([], '-')
$join('a', '-')
$join([1, 2])
$join(IN.s, '|')
$match('ababbabbcc', /a(b+)/)
$match('ababbabbcc', /a(b+)/, 2)
$match('ababbabbcc', /a(b+)/, 1)
$match('abc', /z/)
$match('abc', /(a)(b)?(z)?/)
$match(IN.r, /[0-9]+/)
$match(IN.r, /[0-9]+/).match
$match(IN.r, /[0-9]+/)[0].index
$match('abc', 'a')
$replace('hello', 'l', 'L')
$replace('hello', 'l', 'L', 1)
$replace('hello', /l+/, 'LL')
$replace('John Smith', /(\\w+)\\s(\\w+)/, '$2, $1')
$replace('abc', /b/, '[$0]')
$replace('abc', /b/, '$$')
$replace('abc', /b/, '$5')
$replace('abc', /b/, function($m){$uppercase($m.match)})
$replace('265USD', /([0-9]+)USD/, '$$$1')
$replace('abc', '', 'x')
$replace('abc', 'b', 1)
$replace('a.b.c', '.', '-')
$replace('abcabc', /a/, 'x', 0)
$replace('abcabc', /a/, 'x', -1)
$base64encode('hello')
$base64encode('')
$base64decode('aGVsbG8=')
$base64decode($base64encode('hi there'))
$encodeUrlComponent('?x=test&y=ä')
$encodeUrl('https://mozilla.org/?x=шеллы')
$decodeUrlComponent('%3Fx%3Dtest')
$decodeUrl('https://mozilla.org/?x=%D1%88')
$formatNumber(12345.6, '#,###.00')
$formatNumber(1234.5678, '00.000e0')
$formatNumber(34.555, '#0.00;(#0.00)')
$formatNumber(-34.555, '#0.00;(#0.00)')
$formatNumber(0.14, '01%')
$formatNumber(0.14, '###pm', {'per-mille': 'pm'})
$formatNumber(1234567, '#,##0')
$formatNumber(0, '#.##')
$formatNumber(0.5, '0.#')
$formatBase(100, 2)
$formatBase(2555, 16)
$formatBase(-10, 36)
$formatBase(10)
$formatBase(1.5, 2)
$formatBase(10, 1)
$formatInteger(2789, 'w')
$formatInteger(1999, 'I')
$formatInteger(12, 'A')
$formatInteger(30, 'a')
$formatInteger(7, '000')
$formatInteger(1234567, '#,##0')
$formatInteger(3, 'w;o')
$formatInteger(21, '1;o')
$parseInteger('twelve thousand, four hundred and seventy-six', 'w')
$parseInteger('12,345,678', '#,##0')
$parseInteger('MCMXCIX', 'I')
"""

NUMBERS = """
$number('5')
$number('1e3')
$number('0x1F')
$number('0b101')
$number('0o17')
$number(' 5')
$number('')
$number('abc')
$number(true)
$number(null)
$number([1])
$number(IN.nope)
$abs(-5.5)
$abs('a')
$floor(5.7)
$floor(-5.3)
$ceil(5.2)
$ceil(-5.7)
$round(2.5)
$round(3.5)
$round(-2.5)
$round(123.456, 2)
$round(123.456, -1)
$round(12450, -2)
$round(4.525, 2)
$power(2, 8)
$power(2, 0.5)
$power(2, -2)
$power(-1, 0.5)
$power(10, 400)
$sqrt(4)
$sqrt(2)
$sqrt(-1)
$sum([1, 2, 3])
$sum([])
$sum(5)
$sum(IN.n)
$sum(['a'])
$sum(IN.nope)
$max(IN.n)
$min(IN.n)
$max([])
$min([])
$average(IN.n)
$average([])
$average([1, 2])
$average(IN.nope)
$max(['a'])
$boolean('')
$boolean('a')
$boolean(0)
$boolean(1)
$boolean([])
$boolean([0])
$boolean([0, 1])
$boolean([[]])
$boolean({})
$boolean({'a': 1})
$boolean(null)
$boolean(IN.nope)
$boolean(function(){1})
$not(true)
$not('')
$not(IN.nope)
$exists(IN.t)
$exists(IN.z)
$exists(IN.nope)
$exists(null)
"""

COLLECTIONS = """
$count([1, 2])
$count([])
$count(5)
$count(IN.nope)
$count(IN.p)
$append([1], [2])
$append(1, 2)
$append([1], IN.nope)
$append(IN.nope, IN.nope)
$append([], [])
$sort(IN.n)
$sort(IN.s)
$sort(IN.p, function($l, $r){$l.v < $r.v}).v
$sort([1, 'a'])
$sort([])
$sort(5)
$sort(IN.p)
$reverse([1, 2, 3])
$reverse([])
$reverse('a')
$shuffle([1])
$distinct([1, 2, 1, '1'])
$distinct([{'a': 1}, {'a': 1}])
$distinct(IN.n)
$distinct([])
$distinct('a')
$zip([1, 2], [3, 4])
$zip([1, 2, 3], ['a', 'b'])
$zip([1], IN.nope)
$zip(1, 2)
$keys(IN.o)
$keys(IN.p)
$keys({})
$keys('a')
$lookup(IN.o, 'a')
$lookup(IN.p, 'v')
$lookup(IN.o, 'nope')
$spread(IN.o)
$spread([{'a': 1}, {'b': 2, 'c': 3}])
$spread('a')
$merge([{'a': 1}, {'b': 2}, {'a': 3}])
$merge([])
$merge({'a': 1})
$merge(IN.p)
$each({'a': 1, 'b': 2}, function($v, $k){$k & $v})
$each({}, function($v){$v})
$each({'a': 1}, function($v, $k, $o){$count($keys($o))})
$sift({'a': 1, 'b': 2}, function($v){$v > 1})
$sift({'a': 1, 'b': 2}, function($v, $k){$k = 'a'})
$sift({'a': 1}, function($v){$v > 1})
$map([1, 2, 3], function($v){$v * 2})
$map([1, 2], function($v, $i, $a){$v + $i + $count($a)})
$map([], function($v){$v})
$map([1], function($v){$v})
$map(1, $string)
$map([1, 2], $string)
$map([1, 2], function($v){[$v]})
$map([1, 2, 3], function($v){$v = 2 ? $v})
$filter([1, 2, 3], function($v){$v > 1})
$filter([1, 2, 3], function($v){$v > 2})
$filter([1, 2, 3], function($v){$v > 5})
$filter(IN.n, function($v, $i){$i % 2 = 0})
$single([1, 2, 3], function($v){$v = 2})
$single([1, 2, 3], function($v){$v > 1})
$single([1, 2, 3], function($v){$v > 5})
$single([5])
$reduce([1, 2, 3], function($a, $b){$a + $b})
$reduce([1, 2, 3], function($a, $b){$a + $b}, 10)
$reduce([], function($a, $b){$a + $b})
$reduce([], function($a, $b){$a + $b}, 1)
$reduce([7], function($a, $b){$a + $b})
$reduce([1, 2, 3], function($a){$a})
$reduce([1, 2, 3], function($a, $b, $i){$a + $i})
$type(1)
$type('a')
$type(null)
$type([])
$type({})
$type(true)
$type(function(){1})
$type(IN.nope)
$error('bad')
$error()
$assert(true, 'fine')
$assert(false, 'not fine')
$assert(1 = 2)
IN.p ~> |$|{'w': v * 2}|
IN.o ~> |b|{'x': 1}, ['a']|
IN.o ~> |**|{}, 'a'|
{'a': 1} ~> |$|{'a': 2}|
"""

LAMBDAS = """
function($x){$x + 1}(2)
λ($x){$x + 1}(2)
($f := function($x){$x * 2}; $f(4))
($f := function($x, $y){$x - $y}; $f(4, 1))
($f := function($x, $y){$y}; $f(4))
($f := function($n){$n <= 1 ? 1 : $n * $f($n - 1)}; $f(10))
($f := function($n, $a){$n = 0 ? $a : $f($n - 1, $a + $n)}; $f(100, 0))
($add := function($a, $b){$a + $b}; $inc := $add(1, ?); $inc(4))
($s := $substring(?, 0, 2); $s('hello'))
($s := $substring(?, ?, 2); $s('hello', 1))
($c := function($f, $g){function($x){$g($f($x))}}; $c($trim, $uppercase)(' a '))
($x := 1; $f := function(){$x}; $x := 2; $f())
(function($x)<n:n>{$x + 1})(2)
(function($x)<n:n>{$x + 1})('a')
(function($x)<s-:s>{$x & '!'})('a')
(function($x)<a<n>:n>{$sum($x)})([1, 2])
($even := function($n){$n = 0 ? true : $odd($n - 1)}; $odd := function($n){$n = 0 ? false : $even($n - 1)}; $even(8))
($fib := function($n){$n < 2 ? $n : $fib($n - 1) + $fib($n - 2)}; [0..10].$fib($))
IN.n ~> $filter(function($v){$v > 3}) ~> $sum
IN.n ~> $map(function($v){$v * $v}) ~> $sort
IN.p ~> $map(function($v){$v.v}) ~> $reduce(function($a, $b){$a & $b}, '')
(function(){1})()
(1)(2)
'a'()
($f := $sum; $f([1, 2]))
$map(['1', '2'], $number)
[1..3].($ * 10)
[1..3].{'i': $}
[1..3].function($x){$x}
$map([1..3], function($i){{'i': $i}}).i
($a := [1..5]; $a[$ % 2 = 0])
($o := {'f': function($x){$x * 3}}; $o.f(2))
"""

DATES = """
$fromMillis(0)
$fromMillis(1510067557121)
$fromMillis(1510067557121, '[M01]/[D01]/[Y0001] [h#1]:[m01][P]')
$fromMillis(1510067557121, '[Y]-[M]-[D]')
$fromMillis(1510067557121, '[F], [D1o] [MNn] [Y0001]')
$fromMillis(1510067557121, '[H01]:[m01]:[s01].[f001] [z]', '+0100')
$fromMillis(1510067557121, '[Y0001]-W[W01]-[F1]')
$fromMillis(1510067557121, '[d001]')
$fromMillis(1510067557121, '[h]:[m] [PN]')
$fromMillis(1510067557121, '[MNn,3-3] [D]')
$fromMillis(1510067557121, '[YI]')
$fromMillis(1510067557121, '[Dwo]')
$fromMillis(1510067557121, '[[Y]]')
$fromMillis(1510067557121, '[Q]')
$fromMillis(IN.nope)
$fromMillis('a')
$toMillis('2017-11-07T15:12:37.121Z')
$toMillis('2017-11-07T15:12:37')
$toMillis('2017-11-07')
$toMillis('2017')
$toMillis('2017-11-07T15:12:37+02:00')
$toMillis('07/11/2017', '[D01]/[M01]/[Y0001]')
$toMillis('7 November 2017', '[D1] [MNn] [Y0001]')
$toMillis('2017-11-07 03:05 pm', '[Y0001]-[M01]-[D01] [h01]:[m01] [P]')
$toMillis('rubbish')
$toMillis('13/13/2017', '[D01]/[M01]/[Y0001]')
$toMillis(IN.d)
$toMillis(IN.nope)
$fromMillis($toMillis(IN.d))
$toMillis('2018-09-30T12:34:56Z') - $toMillis('2018-09-30T12:34:55Z')
"""

REFUSED = """
1 +
[1, 2
{'a' 1}
'open
/open
function($x{1}
$f(
a.b[
IN..a
1 2
@
{'a':}
(1
"\\u12"
$map([1],
:= 1
5 := 1
$x :=
|a|
IN.%.%.%.%.a
"""


def _lines(text: str) -> list[str]:
    return [line.replace("\\\\", "\\") for line in text.split("\n") if line.strip()]


GROUPS: dict[str, list[str]] = {
    "paths": _lines(PATHS),
    "operators": _lines(OPERATORS),
    "strings": _lines(STRINGS),
    "numbers": _lines(NUMBERS),
    "collections": _lines(COLLECTIONS),
    "lambdas": _lines(LAMBDAS),
    "dates": _lines(DATES),
    "refused": _lines(REFUSED),
}
EXPRESSIONS: list[str] = [line for lines in GROUPS.values() for line in lines]


def written(expression: str) -> str:
    """The expression as a definition would hold it."""
    return expression.replace("IN", "$states.input") if "IN" in expression else expression
