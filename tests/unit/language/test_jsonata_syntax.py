"""Syntax errors of JSONata in the words of the reference implementation, of which AWS shows the same."""

import pytest

from maprun.language.jsonata import BadExpressionError, read
from maprun.language.jsonata_parse import DEPTH_MAX, TooDeepError, parse
from maprun.language.jsonata_tokens import JsonataSyntaxError

REFUSED: list[tuple[str, str, str]] = [
    ("'open", "S0101", "String literal must be terminated by a matching quote"),
    ("1e999", "S0102", 'Number out of range: "1e999"'),
    ('"x=1 +\\', "S0103", 'Unsupported escape sequence: \\""'),
    ("$split('a1b22, /\\d+/)", "S0103", 'Unsupported escape sequence: \\"d"'),
    ("$tim(' ){1}) a   b \\an c ')", "S0103", 'Unsupported escape sequence: \\"a"'),
    ("'\\u00e41)\\[0n\\t\\\"'", "S0103", 'Unsupported escape sequence: \\"["'),
    ("'\\x'", "S0103", 'Unsupported escape sequence: \\"x"'),
    ("'it\\'s'", "S0103", 'Unsupported escape sequence: \\"\'"'),
    ("1'\\1", "S0103", 'Unsupported escape sequence: \\"1"'),
    ("`a", "S0105", "Quoted property name must be terminated with a backquote (`)"),
    ("/* a", "S0106", "Comment has no closing tag"),
    ("$ a", "S0201", 'Syntax error: "a"'),
    ("$base6t & '!'4decode('aG/*VsbG8=')", "S0201", "Syntax error: 4"),
    ("1 2", "S0201", "Syntax error: 2"),
    ("IN..a", "S0201", 'Syntax error: ".."'),
    ("a b", "S0201", 'Syntax error: "b"'),
    ("a)", "S0201", 'Syntax error: ")"'),
    ("a]", "S0201", 'Syntax error: "]"'),
    ("a|b|", "S0201", 'Syntax error: "|"'),
    ("not true", "S0201", "Syntax error: true"),
    ("$power(-1, 'a'1, 2])0.5)", "S0202", 'Expected ")", got 1'),
    ("$round(4type({}).525, 2)l", "S0202", 'Expected ")", got "type"'),
    ("$sift({'a': 1, 'b': 2b}, function($v){$v > 1})", "S0202", 'Expected "}", got "b"'),
    ("($ 2)s := $substring(?, 0, 2); $s('hello'))", "S0202", 'Expected ")", got 2'),
    ("($x := 1; $f := function(){$x}; $x :=( 2; $f()%3Fx%3Dtest)", "S0202", 'Expected ")", got "Fx"'),
    ("a[1,2)", "S0202", 'Expected "]", got ","'),
    ("a^b", "S0202", 'Expected "(", got "b"'),
    ("function($x{1}", "S0202", 'Expected ":", got "}"'),
    ("{'a' 1}", "S0202", 'Expected ":", got 1'),
    ("$f(", "S0203", 'Expected ")" before end of expression'),
    ("$number([1])^", "S0203", 'Expected "(" before end of expression'),
    ("[1, 2", "S0203", 'Expected "]" before end of expression'),
    ("{1", "S0203", 'Expected ":" before end of expression'),
    ("{1:", "S0203", 'Expected "}" before end of expression'),
    ("|a|", "S0203", 'Expected "|" before end of expression'),
    ("!a", "S0204", 'Unknown operator: "!"'),
    ("~", "S0204", 'Unknown operator: "~"'),
    ("1 +", "S0207", "Unexpected end of expression"),
    (
        "$reduce([1, 2, 3], function($a, $IN.nopb){$a + $b})",
        "S0208",
        "Parameter 2 of function definition must be a variable name (start with $)",
    ),
    ("function(x){1}", "S0208", "Parameter 1 of function definition must be a variable name (start with $)"),
    ("$x{'a':1}[0]", "S0209", "A predicate cannot follow a grouping expression in a step"),
    ("a{'a':1}{'b':2}", "S0210", "Each step can only have one grouping expression"),
    ("(/a/)", "S0211", 'The symbol "/" cannot be used as a unary operator'),
    ("(;)", "S0211", 'The symbol ";" cannot be used as a unary operator'),
    (":= 1", "S0211", 'The symbol ":=" cannot be used as a unary operator'),
    ("@", "S0211", 'The symbol "@" cannot be used as a unary operator'),
    ("IN.nope ?: 'dflt'", "S0211", 'The symbol ":" cannot be used as a unary operator'),
    ("IN.nope ?? 'dflt'", "S0211", 'The symbol "?" cannot be used as a unary operator'),
    ("[1..]", "S0211", 'The symbol "]" cannot be used as a unary operator'),
    ("phone %.other", "S0211", 'The symbol "." cannot be used as a unary operator'),
    ("{'a':}", "S0211", 'The symbol "}" cannot be used as a unary operator'),
    ("5 := 1", "S0212", "The left side of := must be a variable name (start with $)"),
    (
        "$formatNumber(ege0.14, '###pm', {'per-mille': 'pm'})",
        "S0213",
        "The literal value 14 cannot be used as a step within a path expression",
    ),
    ("0.1 + 0.a[0]#$2", "S0213", "The literal value 0 cannot be used as a step within a path expression"),
    ("7.%", "S0213", "The literal value 7 cannot be used as a step within a path expression"),
    ("900719925<4740993.a.*", "S0213", "The literal value 4740993 cannot be used as a step within a path expression"),
    ("IN.n.5 % [$]", "S0213", "The literal value 5 cannot be used as a step within a path expression"),
    ("a.1", "S0213", "The literal value 1 cannot be used as a step within a path expression"),
    ("true.a", "S0213", "The literal value true cannot be used as a step within a path expression"),
    ("a#5", "S0214", 'The right side of "#" must be a variable name (start with $)'),
    ("a@5", "S0214", 'The right side of "@" must be a variable name (start with $)'),
    ("a[0]@$x", "S0215", "A context variable binding must precede any predicates on a step"),
    ("a^(b)@$x.c", "S0216", "A context variable binding must precede the 'order-by' clause on a step"),
    ("//", "S0301", "Empty regular expressions are not allowed"),
    ("/open", "S0302", "No terminating / in regular expression"),
    ("function($x)<n<n>:n>{1}", "S0401", "Type parameters can only be applied to functions and arrays"),
    ("function($x)<(sa<n>):n>{1}", "S0402", "Choice groups containing parameterized types are not supported"),
]
"""(expression, the code and the message of jsonata-js 2.0.6), made with that implementation."""

TAKEN = [
    "a", "$x", "a.b[c].d{e: f}", "a^(<b, >c)", "a@$x#$i.b", "function($x, $y)<n(sa)?:a<n>>{$x}", "λ($x){$x}",
    "$f(?, 1)", "x ~> |a|b, c|", "a ? b : c ? d : e", "and and or", "(a; b;)", "()", "[1..2, 3]", "a.%.b", "**.*",
    "/* c */ 1 /* d */", "`a b`.'c'", "-a", "- 1", "'\\u0041'", "a[]", "a[][0]", "$match('a', /[/](a)/im)",
]  # fmt: skip


@pytest.mark.parametrize(("source", "code", "message"), REFUSED)
def test_a_syntax_error_is_told_as_the_reference_does(source: str, code: str, message: str) -> None:
    """Code and message are the reference's, and what AWS shows is the message."""
    with pytest.raises(JsonataSyntaxError) as caught:
        parse(source)
    assert (caught.value.code, str(caught.value)) == (code, message)
    with pytest.raises(BadExpressionError) as refused:
        read(source)
    assert str(refused.value) == message


@pytest.mark.parametrize("source", TAKEN)
def test_what_the_reference_takes_is_taken(source: str) -> None:
    """Every construct of the grammar gives a tree that ends where the text ends."""
    tree = parse(source)
    assert tree.start <= tree.end <= len(source)


def test_an_expression_that_nests_too_deep_is_refused_in_words() -> None:
    """No text exhausts the stack: not brackets, not else-branches, not operands of the long way."""
    for source in ("(" * 9999 + "1", "[" * 9999, "-" * 9999 + "1", "1 ? " * 9999, "a[" * 9999, "$f(" * 9999):
        with pytest.raises(TooDeepError):
            parse(source)
    assert parse("(" * (DEPTH_MAX - 1) + "1" + ")" * (DEPTH_MAX - 1)).kind == "block"
    assert parse("1" + "+1" * 20_000).kind == "binary"
    assert parse("$x" + ".a" * 20_000).kind == "path"
