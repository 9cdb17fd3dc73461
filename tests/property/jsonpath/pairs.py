"""Pairs of path and document from a seed: paths that fit, paths that nearly do, and texts that are hardly paths."""

import random
from collections.abc import Iterator
from typing import Any

NAMES = ("a", "b", "c", "n", "Status", "def ghi", "x-y", "1Day", "é", "length()", "it's", "a.b", "", "null", "*", "$")
PLAIN_NAMES = ("a", "b", "c", "n", "Status", "x-y", "1Day", "é", "length()", "it's", "*a", "a]", "a,b", "$", "@", "a(b")
TEXTS = (
    "",
    "a",
    "es",
    "fr",
    "200",
    "1e2",
    "1.50",
    "null",
    "true",
    "TRUE",
    "x y",
    "it's",
    "b",
    "Z",
    "é",
    "&&",
    "a]b",
    "=",
)
NUMBERS = (0, 1, -1, 2, 10, 200, 1.5, 0.1, -0.0, 1e20, 1e-7, 100.0, 12345678901, 2**63 - 1, 2**63, -(10**30))
WORDS = ("true", "false", "null", "es", "a b", "200", "1", "1.5", "1e2", "-1", ".5", "", "x'y", '"a"', "TRUE", "+1")
PATTERNS = ("/a.*/", "/[A-Z]+/i", r"/\d+/", "/es|fr/", "/(/", "/a", "//", "/es/i", r"/\w/")
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "=~", "=", "===", "in", "<>", "")
SIGNS = "[]().'*?@$:,-! &|=<>~/\"\\0a1\t"
INDEXES = ("0", "1", "2", "3", "9", "-1", "-2", " 1 ", "1 2", "2147483648", "-", "a1", "1a")
MUTATED_SHARE, JUNK_BLANK_SHARE = 0.2, 0.05


class Maker:
    """Draws documents and paths."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pairs(self) -> Iterator[tuple[str, Any]]:
        """Without end."""
        while True:
            document = self.value(4)
            for _ in range(3):
                yield self.path(document), document

    def value(self, depth: int) -> Any:
        """A JSON value, `depth` levels deep at most."""
        draw = self.random
        kind = draw.random()
        if depth and kind < 0.4:
            return {
                draw.choice(NAMES[: draw.choice((3, 5, 16))]): self.value(depth - 1) for _ in range(draw.randint(0, 4))
            }
        if depth and kind < 0.75:
            if draw.random() < 0.6:
                names = draw.sample(NAMES[:6], 3)
                return [self.record(names, depth - 1) for _ in range(draw.randint(0, 4))]
            return [self.value(depth - 1) for _ in range(draw.randint(0, 4))]
        return self.scalar()

    def record(self, names: list[str], depth: int) -> Any:
        """One of the rows that make most arrays; a member is missing now and then."""
        draw = self.random
        if draw.random() < 0.1:
            return self.value(depth)
        return {name: self.value(depth if draw.random() < 0.3 else 0) for name in names if draw.random() < 0.85}

    def scalar(self) -> Any:
        """A value without parts."""
        draw = self.random
        return draw.choice((draw.choice(TEXTS), draw.choice(NUMBERS), draw.choice((None, True, False))))

    def path(self, document: Any) -> str:
        """A path that begins with the root sign."""
        draw = self.random
        here, parts = document, ["$"]
        for _ in range(draw.choice((0, 1, 1, 2, 2, 3, 3, 4, 5))):
            part, here = self.step(here)
            parts.append(part)
        text = "".join(parts)
        if draw.random() < MUTATED_SHARE:
            text = self.mutated(text)
        if draw.random() < JUNK_BLANK_SHARE:
            text += draw.choice((" ", "  ", "\t", "\n"))
        return text

    def step(self, here: Any) -> tuple[str, Any]:
        """A step that mostly fits, and where it leads to."""
        draw = self.random
        fits = draw.random() < 0.85
        if fits and isinstance(here, dict) and here and draw.random() < 0.7:
            name = draw.choice(list(here))
            return self.name(name), here[name]
        if fits and isinstance(here, list) and here and draw.random() < 0.8:
            below = draw.choice(here)
            kind = draw.random()
            if kind < 0.2:
                place = draw.randrange(len(here))
                return f"[{place}]", here[place]
            if kind < 0.6:
                return self.filter(below), below
            return draw.choice((self.slice(), "[*]", ".*", "[0,1]", "[(@.length-1)]", "[ * ]")), below
        kind = draw.random()
        if kind < 0.2:
            return self.name(draw.choice(PLAIN_NAMES)), None
        if kind < 0.3:
            chosen = draw.sample(NAMES[:6], draw.randint(2, 3))
            return "[" + draw.choice((",", ", ", "")).join(f"'{name}'" for name in chosen) + "]", None
        if kind < 0.45:
            after, below = self.step(self.below(here))
            return ".." + after.removeprefix("."), below
        if kind < 0.6:
            return self.filter(self.below(here)), here
        if kind < 0.75:
            return self.slice(), None
        return draw.choice((".*", "[*]", "*", "$", ".", "..*", "[]", "['']", "[(@.size()-2)]", ".[0]", "x")), None

    def below(self, here: Any) -> Any:
        """Some value below this one."""
        members = list(here.values()) if isinstance(here, dict) else here if isinstance(here, list) else []
        if not members:
            return here
        chosen = self.random.choice(members)
        return self.below(chosen) if self.random.random() < 0.4 else chosen

    def name(self, name: str) -> str:
        """A member's name, dotted or in brackets."""
        draw = self.random
        kind = draw.random()
        if kind < 0.55:
            return f".{name}"
        return draw.choice((f"['{name}']", f".['{name}']", f"[ '{name}' ]", f'["{name}"]', f"['{name}',]"))

    def slice(self) -> str:
        """Brackets around numbers."""
        draw = self.random
        sides = [draw.choice(("", *INDEXES)) for _ in range(draw.choice((1, 2, 2, 2, 3)))]
        return "[" + draw.choice((":", ":", ",", ", ")).join(sides) + "]"

    def filter(self, candidate: Any) -> str:
        """A filter over values such as this one."""
        draw = self.random
        terms = [self.term(candidate) for _ in range(draw.choice((1, 1, 1, 2, 3)))]
        text = terms[0]
        for term in terms[1:]:
            text += draw.choice((" && ", "&&", " || ", "||")) + term
        opening, closing = draw.choice((("(", ")"),) * 8 + ((" ( ", " ) "), ("((", "))"), ("", ""), ("(!(", "))")))
        return f"[{draw.choice(('?', '?', '?', ' ? '))}{opening}{text}{closing}]"

    def term(self, candidate: Any) -> str:
        """One comparison, or whether something is there."""
        draw = self.random
        left, value = self.operand(candidate)
        if draw.random() < 0.25:
            return draw.choice(("", "", "!", "(")) + left
        operator = draw.choice(OPERATORS[: draw.choice((6, 7, len(OPERATORS)))])
        if operator == "=~":
            right = draw.choice(PATTERNS)
        elif draw.random() < 0.3:
            right = self.operand(candidate)[0]
        elif draw.random() < 0.5:
            right = str(value) if draw.random() < 0.4 else f"'{value}'"
        else:
            right = draw.choice((*WORDS, *(f"'{text}'" for text in TEXTS)))
        blank = draw.choice(("", " ", " "))
        if draw.random() < 0.1:
            left, right = right, left
        return f"{left}{blank}{operator}{blank}{right}"

    def operand(self, candidate: Any) -> tuple[str, Any]:
        """A path within a filter and what it leads to."""
        draw = self.random
        if draw.random() < 0.1:
            return draw.choice(("$", "$.a", "$[0]", "$.a.b", "@", "@[0]", "@.*", "@..a", "@a", "@.a[?(@.b)]")), 1
        if isinstance(candidate, dict) and candidate:
            name = draw.choice(list(candidate))
            return "@" + draw.choice((f".{name}", f".{name}", f"['{name}']")), candidate[name]
        return draw.choice(("@", "@.a", "@[0]", "@.n", "@.a[0]", "@.a.b", "@['a','b']", "@[(@.length-1)]")), candidate

    def mutated(self, text: str) -> str:
        """The text with a few of its signs changed."""
        draw = self.random
        for _ in range(draw.choice((1, 1, 2, 3))):
            at = draw.randint(1, len(text))
            kind = draw.random()
            if kind < 0.4:
                text = text[:at] + draw.choice(SIGNS) + text[at:]
            elif kind < 0.7:
                text = text[:at] + text[at + 1 :]
            else:
                text = text[:at] + draw.choice(SIGNS) + text[at + 1 :]
        return text
