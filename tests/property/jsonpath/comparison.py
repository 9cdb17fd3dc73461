"""Compares maprun's paths with the reference engine's, pair by pair; what may differ is listed, with its reason."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from maprun.language import jsontext
from maprun.language.errors import PathError, PathNotFoundError, PathSyntaxError
from maprun.language.path import Path
from tests.property.jsonpath.pairs import Maker
from tests.property.jsonpath.reference import Reference

BATCH = 2_000
WORDED = ("PathNotFoundException", "InvalidPathException")
"""The exceptions whose words AWS shows; those of others are the accidents of Java."""

Outcome = Mapping[str, Any]
"""`kind` is value, refused or failed; `value`, or `error` and `words`."""


@dataclass(frozen=True)
class Difference:
    """A difference that is meant: which pairs it covers, and why."""

    name: str
    reason: str
    covers: Callable[[str, Outcome, Outcome], bool]
    """(path, ours, theirs)"""


def _has_placeholder(text: str, mine: Outcome, _theirs: Outcome) -> bool:
    return mine["kind"] == "refused" and _PLACEHOLDER.search(text) is not None


def _has_pattern(text: str, mine: Outcome, theirs: Outcome) -> bool:
    return "=~" in text and "refused" in (mine["kind"], theirs["kind"])


_PLACEHOLDER = re.compile(r"\[[\s?,*]*\?[\s?,*]*\]")
DIFFERENCES = (
    Difference(
        "placeholder",
        "`[?]` stands for a filter that a Java program hands in; AWS's engine has none and "
        "throws a NullPointerException when it comes there",
        _has_placeholder,
    ),
    Difference(
        "pattern",
        "regular expressions run in linear time here, so some of Java's are refused; Java refuses some of Python's",
        _has_pattern,
    ),
)


@dataclass
class Tally:
    """What a comparison came to."""

    pairs: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    meant: Counter[str] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)


def ours(text: str, document: Any) -> Outcome:
    """What maprun makes of a pair."""
    try:
        path = Path(text)
    except PathSyntaxError:
        return {"kind": "refused"}
    try:
        return {"kind": "value", "value": path.read(document)}
    except PathError as failed:
        kind = "PathNotFoundException" if isinstance(failed, PathNotFoundError) else "InvalidPathException"
        return {"kind": "failed", "error": kind, "words": str(failed)}


def agree(mine: Outcome, theirs: Outcome) -> bool:
    """The same outcome: the same value, member for member in order, or the same failure in the same words."""
    if mine["kind"] != theirs["kind"]:
        return False
    if mine["kind"] == "value":
        return json.dumps(mine["value"]) == json.dumps(theirs["value"])
    if mine["kind"] == "failed" and theirs["error"] in WORDED:
        return bool(mine["error"] == theirs["error"] and mine["words"] == theirs["words"])
    return True


def compare(count: int, seed: int) -> Tally:
    """Compares `count` generated pairs."""
    tally = Tally()
    with Reference() as reference:
        for batch in _batches(Maker(seed).pairs(), count):
            for (text, document), theirs in zip(batch, reference.answers(batch), strict=True):
                _count(tally, text, document, theirs)
    return tally


def _batches(pairs: Iterator[tuple[str, Any]], count: int) -> Iterator[list[tuple[str, Any]]]:
    for done in range(0, count, BATCH):
        yield list(islice(pairs, min(BATCH, count - done)))


def _count(tally: Tally, text: str, document: Any, theirs: Outcome) -> None:
    encoded = jsontext.encode(document)
    mine = ours(text, jsontext.decode(encoded))
    tally.pairs += 1
    tally.kinds[theirs["kind"]] += 1
    if agree(mine, theirs):
        return
    for difference in DIFFERENCES:
        if difference.covers(text, mine, theirs):
            tally.meant[difference.name] += 1
            return
    tally.disagreements.append(
        f"{text!r} on {encoded.decode()}\n  here  {json.dumps(mine)[:400]}\n  there {json.dumps(theirs)[:400]}"
    )
