"""Regular expressions of path filters, matched in time linear in the text, so that no pattern hangs a lane."""

import re
from collections.abc import Callable

import jsonatapy

_MANY_WAYS = re.compile(r"[*+{].*[*+{|?]|[|?].*[*+{]", re.DOTALL)


def whole_match(source: str, *, ignore_case: bool) -> Callable[[str], bool]:
    """A test for texts that match the pattern as a whole. Raises ValueError for a text that is no pattern.

    `re` goes back over a text once for each way to divide it between repetitions and alternatives; a pattern that
    offers several goes to the expression engine, whose patterns never go back (and know no back references and no
    looking around).
    """
    if not _MANY_WAYS.search(source):
        try:
            compiled = re.compile(source, re.ASCII | (re.IGNORECASE if ignore_case else 0))
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(str(error)) from error
        return lambda text: compiled.fullmatch(text) is not None
    engine = jsonatapy.compile(f"$contains($text, /^(?:{source})$/{'i' if ignore_case else ''})")

    def matches(text: str) -> bool:
        return bool(engine.evaluate(None, {"text": text}))

    matches("")  # a text that is no pattern is found out here
    return matches
