"""JSONPath in AWS's dialect: where paths lead and what is said when they lead nowhere."""

from typing import Any

import pytest

from maprun.language.errors import PathNotFoundError
from maprun.language.path import Path, PathSyntaxError

STORE: dict[str, Any] = {
    "a": {"b": [1, 2, {"c": 3}], "null": None, "text": "x"},
    "users": [{"n": "x", "s": 0}, {"n": "y", "s": 1}, {"n": "z"}],
    "it's": 1,
    'q"': 2,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", STORE),
        ("$.a.b", [1, 2, {"c": 3}]),
        ("$['a']['b'][2].c", 3),
        ('$["a"].b[0]', 1),
        ("$.a.b[-1].c", 3),
        ("$['it\\'s']", 1),
        ("$['q\"']", 2),
        ("$.a.null", None),
        ("$..c", [3]),
        ("$.users[*].n", ["x", "y", "z"]),
        ("$.users[1:].n", ["y", "z"]),
        ("$.users[:1].n", ["x"]),
        ("$.users[-2:].n", ["y", "z"]),
        ("$.users[0,2].n", ["x", "z"]),
        ("$.users[0]['n','s']", [{"n": "x", "s": 0}]),
        ("$.users[?(@.s)].n", ["x", "y"]),
        ("$.users[?(@.s == 0)].n", ["x"]),
        ("$.users[?(@.s > 0 || @.n == 'z')].n", ["y", "z"]),
        ("$.users[?(!(@.s))].n", ["z"]),
        ("$.users[?(@.n =~ /[XY]/i)].n", ["x", "y"]),
        ("$.users[?(@.n in ['y', 'z'])].n", ["y", "z"]),
        ("$.users[?(@.s == $.a.b[0])].n", ["y"]),
        ("$.a.b.length()", 3),
        ("$.users[*].s.sum()", 1.0),
        ("$.users[*].s.max()", 1.0),
        ("$.missing[*].deeper", []),
        ("$.missing..x", []),
        ("$.users[?(@.none == 1)]", []),
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
        ("$.users[7]", "No results for path: $['users'][7]"),
        ("$.a.null.x", "Missing property in path $['a']['null']['x']"),
        ("$.a[0]", "Filter: [0] can only be applied to arrays. Current context is: "),
        ("$.a.text.x", "Expected to find an object with property ['x'] in path $['a']['text'] but found "),
    ],
)
def test_a_definite_path_that_leads_nowhere_says_why(path: str, words: str) -> None:
    """The words are Jayway's, which AWS shows behind its own."""
    with pytest.raises(PathNotFoundError) as caught:
        Path(path).read(STORE)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    "path",
    ["$a..", "$.", "$..", "$[", "$['a", "$['a'", "$[a]", "$[?(@.a]", "$[?(@.a ==)]", "$.a b", "$[1:2:3]", "$.a.nofn()"],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    """A malformed path is refused when the definition is compiled, not when it runs."""
    with pytest.raises(PathSyntaxError):
        Path(path)


def test_repeated_scans_are_bounded() -> None:
    """`..` upon `..` multiplies what it passes; past any payload's size it is an error, soon and in small memory."""
    value: Any = 0
    for _ in range(200):
        value = [value, value]
    with pytest.raises(PathNotFoundError, match="more than 262144 values"):
        Path("$..*..*").read(value)


@pytest.mark.parametrize(
    ("path", "reference"),
    [("$.a.b[0]", True), ("$['a']", True), ("$.a[*]", False), ("$..a", False), ("$.a.length()", False)],
)
def test_reference_paths_name_one_place(path: str, reference: bool) -> None:
    """Wildcards, scans, filters, slices and functions make no reference path."""
    assert Path(path).reference is reference
