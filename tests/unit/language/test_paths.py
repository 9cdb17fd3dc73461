"""JSONPath in AWS's dialect: where paths lead and what is said when they lead nowhere."""

from typing import Any

import pytest

from maprun.language.errors import PathError, PathNotFoundError, PathSyntaxError
from maprun.language.path import Path

STORE: dict[str, Any] = {
    "a": {"b": [1, 2, {"c": 3}], "null": None, "text": "x"},
    "users": [{"n": "x", "s": 0}, {"n": "y", "s": 1}, {"n": "z"}],
    "it": 1,
    'q"': 2,
    "def ghi": {"length()": 5},
    "mixed": [{"k": 200}, {"k": "200"}, {"k": "es"}, {"k": None}, {"k": True}, {}],
    "numbers": [{"k": 200}, {"k": "200"}, {"k": 3.5}],
    "lists": [[True], [1], []],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", STORE),
        ("$.a.b", [1, 2, {"c": 3}]),
        ("$['a']['b'][2].c", 3),
        ("$.a.['b'].[0]", 1),
        ("$.['def ghi'].length()", 5),
        ("$['q\"']", 2),
        ("$.a.null", None),
        ("$.a.b[2].c ", 3),
        ("$.a['b','text','no']", {"b": [1, 2, {"c": 3}], "text": "x"}),
        ("$.users[0]['n','s']", {"n": "x", "s": 0}),
        ("$.a.b[9]", None),
        ("$.a.b[-1]", None),
        ("$.a.b[0,9]", [1, None]),
        ("$.a.b[(@.length-1)].c", 3),
        ("$.a.b[( @.size() - 3 )]", 1),
        ("$..c", [3]),
        ("$.users[*].n", ["x", "y", "z"]),
        ("$.users[*].s", [0, 1]),
        ("$.users[1:].n", ["y", "z"]),
        ("$.users[:1].n", ["x"]),
        ("$.users[-2:].n", ["y", "z"]),
        ("$.users[:-2].n", ["x"]),
        ("$.a.b[-2:1]", [None, None, 1]),
        ("$.a.b[0:-1]", []),
        ("$.a.b[0:2:2]", [1, 2]),
        ("$.users[0,2].n", ["x", "z"]),
        ("$.users[?(@.s)].n", ["x", "y"]),
        ("$.users[?(!@.s)].n", ["z"]),
        ("$.users[?(@.s == 0)].n", ["x"]),
        ("$.users[?(@.s > 0 || @.n == 'z')].n", ["y", "z"]),
        ("$.users[?((@.n == x || @.n == y) && @.s == 1)].n", ["x", "y"]),
        ("$.users[?(@.n == x)].s", [0]),
        ("$.users[?(@.n =~ /[XY]/i)].n", ["x", "y"]),
        ("$.users[?(@.s == $.a.b[0])].n", ["y"]),
        ("$..[?(@.c)]", [{"c": 3}]),
        ("$.numbers[?(@.k == 200)]", [{"k": 200}, {"k": "200"}]),
        ("$.numbers[?(@.k == '200')]", [{"k": 200}, {"k": "200"}]),
        ("$.mixed[?(@.k != null)]", [{"k": 200}, {"k": "200"}, {"k": "es"}, {"k": True}]),
        ("$.mixed[?(@.k)]", [{"k": 200}, {"k": "200"}, {"k": "es"}, {"k": True}]),
        ("$.mixed[?(@.k == @.k)]", STORE["mixed"][:5]),
        ("$.lists[?(@ == $.lists[0])]", []),
        ("$.lists[?($.a == $.a)]", STORE["lists"]),
        ("$.missing[*].deeper", []),
        ("$.missing..x", []),
        ("$.users[?(@.none == 1)]", []),
        ("$.users[*].s.sum()", []),
    ],
)
def test_a_path_leads_to(path: str, found: Any) -> None:
    """A definite path gives its value, an indefinite one the list of all it meets, which may be empty."""
    assert Path(path).read(STORE) == found


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("$.x", "No results for path: $['x']"),
        ("$.a.x", "No results for path: $['a']['x']"),
        ("$.x.y", "Missing property in path $['x']"),
        ("$.users[7].n", "Property ['n'] not found in path $['users'][7]"),
        ("$.users[7][0]", "The path $['users'][7] is null"),
        ("$.a.null.x", "Property ['x'] not found in path $['a']['null']"),
        ("$.a.b.length()", "Property ['length()'] not found in path $['a']['b']"),
        ("$.a.text.x", "Property ['x'] not found in path $['a']['text']"),
        ("$.users[0:3].s", "No results for path: $['users'][2]['s']"),
        ("$.users[?(@.n)].s", "No results for path: $['users'][2]['s']"),
        ("$..b.c", "Property ['c'] not found in path $['a']['b']"),
    ],
)
def test_a_path_that_leads_nowhere_says_why(path: str, words: str) -> None:
    """The words are those that AWS shows behind its own; behind a slice or filter, what is missing fails too."""
    with pytest.raises(PathNotFoundError) as caught:
        Path(path).read(STORE)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("$.def[0]", "Missing property in path $['def']"),
        ("$['it's'][0].x", "Filter: [0]['x'] can only be applied to arrays. Current context is: 1"),
        ("$.users[0][1].x", 'Filter: [1][\'x\'] can only be applied to arrays. Current context is: {"n":"x","s":0}'),
        ("$.a.text[0]", "Filter: [0] can only be applied to arrays. Current context is: x"),
        ("$.a['b','text'].x", "Multi properties can only be used as path leafs: $['a']['b', 'text']"),
        ("$.a.text[?(@.x)]", "Filter: [?] can not be applied to primitives. Current context is: x"),
        ("$.mixed[?(@.k > es)]", "The text 'es' can't be compared with a number"),
    ],
)
def test_a_path_that_does_not_suit_its_value_fails(path: str, words: str) -> None:
    """It is no result either: steps for arrays on others, and texts against numbers that are none."""
    with pytest.raises(PathError) as caught:
        Path(path).read(STORE)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "path",
    [
        "$a..", "$.", "$..", "$[", "$['a", "$['a'", "$[a]", '$["a"]', "$[ * ]", "$[]", "$[:]", "$[1-2]",
        "$[(@.length-1\t)]", "$[(@.length-1_0)]",
        "$[2147483648]",
        "$[?(@.a]", "$[?()]", "$[?(a)]", "$[?(@.a = 1)]", "$[?(!(@.a))]", "$[?(@.a in ['x'])]", "$[?(@.a == !@.b)]",
        "$[?(@.a == 'x]')]", "$[?(@.a[*] == 1)]", "$[?(@.a[?(@.b)])]", "$[?(@.a =~ /(/)]", "$[?(@.a &&)]", "$.a b",
        "$x", "$[?]", "$" + ".*" * 101, "$" + "[?(@" * 5_000,
    ],
)  # fmt: skip
def test_what_is_no_path_is_refused(path: str) -> None:
    """A malformed path is refused when the definition is compiled, not when it runs."""
    with pytest.raises(PathSyntaxError):
        Path(path)


def test_repeated_scans_are_bounded() -> None:
    """`..` upon `..` multiplies what it passes; past any payload's size it is an error, soon and in small memory."""
    value: Any = 0
    for _ in range(200):
        value = [value, value]
    with pytest.raises(PathError, match="more than 524288 places"):
        Path("$..*..*").read(value)
    with pytest.raises(PathError, match="more than 524288 places"):
        Path("$[-2147483648:1]").read([1])


def test_a_deep_value_is_walked_without_recursion() -> None:
    """A scan passes as many levels as a payload may have."""
    value: Any = {"end": 1}
    for at in range(499):
        value = {"a": value} if at % 2 else [value]
    assert Path("$..end").read(value) == [1]


def test_a_path_may_be_as_long_as_a_value_is_deep() -> None:
    """Four hundred and ninety-nine steps fail in words, and a path of any length is compiled in time linear in it."""
    value: Any = {}
    for _ in range(498):
        value = {"a": value}
    with pytest.raises(PathError, match="No results for path: "):
        Path("$" + ".a" * 499).read(value)
    assert len(Path("$" + ".a" * 20_000).steps) == 20_000


@pytest.mark.parametrize(
    ("path", "reference"),
    [("$.a.b[0]", True), ("$['a']", True), ("$.a[*]", False), ("$..a", False), ("$['a','b']", False)],
)
def test_reference_paths_name_one_place(path: str, reference: bool) -> None:
    """Wildcards, scans, filters, slices and several names make no reference path."""
    assert Path(path).reference is reference


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("$.a.null", True),
        ("$.a.b[0]", True),
        ("$.a.b[9]", False),
        ("$.a.b[-1]", False),
        ("$.a.b[(@.length-4)]", False),
        ("$.a.b[9].c", False),
        ("$.a.text[0]", False),
        ("$.users[?(@.s)]", True),
        ("$.users[?(@.x)]", False),
    ],
)
def test_a_path_leads_somewhere(path: str, there: bool) -> None:
    """Null is something; the null that stands for an element past the end is nothing, and so is an empty list."""
    assert Path(path).leads_somewhere(STORE) is there
