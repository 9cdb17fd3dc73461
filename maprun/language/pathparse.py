"""The grammar of JSONPath as AWS reads it: that of JsonPath 2.0.0, leniencies included.

A text is cut into parts first (`$`, `..`, `.name`, `[…]`), and a bracket ends where as many brackets were closed as
were opened, quotes or not. Within brackets the first sign that means something decides what they are; what stands
before or behind is passed over: `$[a1b]` is element 1. So a path that AWS takes is taken here, with the same meaning.
"""

import re
from collections.abc import Iterator

from maprun.language.errors import PathSyntaxError
from maprun.language.pathfilter import Operand, SubPath, any_of, compare, exists
from maprun.language.pathsteps import (
    Filter,
    FromEnd,
    Index,
    Indexes,
    Names,
    Predicate,
    Scan,
    Slice,
    Stay,
    Step,
    Wild,
    is_definite,
)
from maprun.language.pathtests import TESTS, Pattern
from maprun.language.pattern import whole_match

BRANCHING_STEPS_MAX = 100
"""Steps that do not lead one level deeper each, as names and numbers do; every step on the way takes some stack."""
_BLANKS = (
    "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
    "\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x20"
)
"""What Java's String.trim removes."""
_TELLING = re.compile(r"[?'\d:\-@]")
_BETWEEN_TERMS = re.compile(r"(?<=&&)|(?<=\|\|)|(?=&&)|(?=\|\|)")
_BLANKS_AND_BRACKETS = re.compile(r"[ ()]")
_WHOLE = re.compile(r"-?\d{1,100}")
_INT_MAX = 2**31 - 1


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps behind the root sign; `text` begins with it. Raises PathSyntaxError."""
    return _Parser(text, within_filter=False).steps()


class _Parser:
    """One reading of a path's text. A path within a filter has no filter itself: it must lead to one place."""

    def __init__(self, text: str, *, within_filter: bool) -> None:
        self.text = text.strip(_BLANKS)
        self.within_filter = within_filter

    def refused(self) -> PathSyntaxError:
        """What is raised wherever the text can't be read."""
        return PathSyntaxError(self.text)

    def steps(self) -> tuple[Step, ...]:
        """All steps."""
        text = self.text
        if text.endswith("..") or (len(text) > 1 and text[1] not in ".["):
            raise self.refused()
        steps = tuple(self.parts())
        if sum(not step.definite or isinstance(step, Stay) for step in steps) > BRANCHING_STEPS_MAX:
            raise self.refused()
        return steps

    def parts(self) -> Iterator[Step]:
        """The steps one after the other."""
        text, at = self.text, 1
        while at < len(text):
            char = text[at]
            if char == "[":
                part = text[at : _closed(text, at)]
                at += len(part)
                yield self.bracket(part)
            elif char == "." and text.startswith(".", at + 1):
                at += 2
                yield Scan()
            elif char == ".":
                name = _name(text, at + 1)
                if not name and not text.startswith("[", at + 1):
                    raise self.refused()
                at += 1 + len(name)
                if name:
                    yield Wild() if name == "*" else self.named(f"'{name}']")
            elif char == "$":
                at += 1
                yield Stay()
            elif char == "*":
                at += 1
                yield Wild()
            else:
                name = _name(text, at)
                if not name:
                    raise self.refused()
                at += len(name)
                yield self.named(f"'{name}']")

    def bracket(self, part: str) -> Step:
        """The step in a part that begins with a bracket."""
        if part == "[*]":
            return Wild()
        found = _TELLING.search(part)
        if found is None:
            raise self.refused()
        sign, at = found.group(), found.start()
        if sign == "?":
            return Filter(self.condition(part, part.rindex("[", 0, at)))
        if sign == "'":
            return self.named(part[at:])
        return self.from_end(part, at) if sign == "@" else self.numbered(part, at)

    def named(self, part: str) -> Names:
        """The names between single quotes, up to the first closing bracket, in quotes or not."""
        inside, closed, _ = part.partition("]")
        if not closed:
            raise self.refused()
        pieces = inside.split("'")
        return Names(tuple(pieces[1:-1:2]))

    def from_end(self, part: str, at: int) -> FromEnd:
        """`(@.length-1)`: blanks and brackets within count for nothing."""
        function, minus, number = part[at + 2 :].partition("-")
        if not minus or _BLANKS_AND_BRACKETS.sub("", function) not in ("length", "size"):
            raise self.refused()
        number, closed, _ = number.partition(")")
        if not closed:
            raise self.refused()
        return FromEnd(self.number("-" + number.replace(" ", "")))

    def numbered(self, part: str, at: int) -> Step:
        """Elements by number: one, several, or a slice. Blanks between digits count for nothing."""
        numbers: list[int] = []
        digits, several, opening, to_end = "", False, False, False
        while at < len(part) and (part[at].isdecimal() or part[at] in ", :-"):
            char, at = part[at], at + 1
            if char == ":":
                last, at = _digits(part, at)
                opening |= not digits
                if digits:
                    numbers.append(self.number(digits))
                if last or not digits:
                    numbers.append(self.number(last))
                else:
                    to_end = True
                digits = ""
                if part[at : at + 1] != "]":
                    at += 1  # whatever ends the slice is passed over
            elif char == ",":
                numbers.append(self.number(digits))
                digits, several = "", True
            elif char != " ":
                digits += char
        if at >= len(part):
            raise self.refused()
        if digits:
            numbers.append(self.number(digits))
        if len(numbers) == 1 and not opening and not to_end:
            return Index(numbers[0])
        if several:
            return Indexes(tuple(numbers))
        if to_end:
            return Slice(numbers[0], None)
        return Slice(None, numbers[0]) if opening else Slice(numbers[0], numbers[1])

    def number(self, digits: str) -> int:
        """A 32-bit integer."""
        if _WHOLE.fullmatch(digits) is None or not -_INT_MAX - 1 <= int(digits) <= _INT_MAX:
            raise self.refused()
        return int(digits)

    def condition(self, part: str, start: int) -> Predicate:
        """The condition of the filter that begins with the bracket at `start`; parentheses do not group its terms."""
        if self.within_filter:
            raise self.refused()
        inner = part[start + 1 : self.filter_end(part, start) - 1].strip(_BLANKS)
        inner = inner[1:].strip(_BLANKS) if inner.startswith("?") else ""
        if not (inner.startswith("(") and inner.endswith(")")):
            raise self.refused()
        terms = [term.strip(_BLANKS) for term in _BETWEEN_TERMS.split(inner[1:-1].strip(_BLANKS)) if term]
        alternatives: list[list[Predicate]] = [[]]
        for at, term in enumerate(terms):
            if (term in ("&&", "||")) is (at % 2 == 0):
                raise self.refused()
            if term == "||":
                alternatives.append([])
            elif term != "&&":
                alternatives[-1].append(self.term(term.lstrip("[?( ").rstrip(") ")))
        if len(terms) % 2 == 0:
            raise self.refused()
        return any_of(alternatives)

    def filter_end(self, part: str, start: int) -> int:
        """Behind the bracket that closes a filter; those in quotes or within parentheses do not."""
        parentheses = brackets = 0
        quoted = False
        for at in range(start, len(part)):
            char = part[at]
            if char == "'":
                quoted ^= part[at - 1] != "\\"
            elif quoted:
                continue
            elif char in "()":
                parentheses += 1 if char == "(" else -1
            elif char == "[":
                brackets += 1
            elif char == "]":
                brackets -= 1
                if parentheses == 0:
                    if brackets:
                        break
                    return at + 1
        raise self.refused()

    def term(self, text: str) -> Predicate:
        """A comparison, or a path alone: whether it leads to something."""
        text = text.strip(_BLANKS)
        for operator in TESTS:
            left, found, right = text.partition(operator)
            if found:
                return compare(operator, self.operand(left, negated=True), self.operand(right, negated=False))
        path = self.operand(text, negated=True)
        if not isinstance(path, SubPath):
            raise self.refused()
        return exists(path, wanted=not text.startswith("!"))

    def operand(self, text: str, *, negated: bool) -> Operand:
        """A path, a text in single quotes, a pattern between slashes, or else a text as it stands."""
        text = text.strip(_BLANKS)
        if text.startswith("!@"):
            if not negated:
                raise self.refused()
            text = text[1:]
        if text.startswith(("$", "@")):
            steps = _Parser(text, within_filter=True).steps()
            if not is_definite(steps):
                raise self.refused()
            return SubPath(text, steps)
        if text.startswith("'") and text.endswith("'"):
            if len(text) == 1:
                raise self.refused()
            return text[1:-1]
        if text.startswith("/") and text.endswith(("/", "/i")):
            return self.pattern(text)
        return text

    def pattern(self, text: str) -> Pattern:
        """A regular expression between slashes, and `i` if upper and lower case are the same."""
        end = text.rindex("/")
        if end == 0:
            raise self.refused()
        try:
            return Pattern(whole_match(text[1:end], ignore_case=text.endswith("i")))
        except ValueError as error:
            raise self.refused() from error


def _closed(text: str, at: int) -> int:
    """Behind the bracket that closes the one at `at`; the end of the text when none does."""
    depth = 0
    for end in range(at, len(text)):
        if text[end] == "[":
            depth += 1
        elif text[end] == "]":
            depth -= 1
            if depth == 0:
                return end + 1
    return len(text)


def _name(text: str, at: int) -> str:
    end = at
    while end < len(text) and text[end] not in ".[ ":
        end += 1
    return text[at:end]


def _digits(part: str, at: int) -> tuple[str, int]:
    """Digits and minus signs from `at` on, blanks left out, and where they end."""
    digits = ""
    while at < len(part) and (part[at].isdecimal() or part[at] in " -"):
        digits += part[at].strip()
        at += 1
    return digits, at
