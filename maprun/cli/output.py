"""How answers look: columns and key-value blocks for people, JSON for programs, colour only where it is wanted."""

import datetime as dt
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

_STYLES = {
    "SUCCEEDED": "green",
    "ACTIVE": "green",
    "RUNNING": "cyan",
    "PENDING_REDRIVE": "cyan",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "ABORTED": "yellow",
}
_DATES = frozenset({"startDate", "stopDate", "creationDate", "updateDate", "redriveDate", "timestamp"})
_GAP = "  "


def out() -> Console:
    """Where answers go. Rich itself heeds NO_COLOR, TERM and whether this is a terminal."""
    return Console(file=sys.stdout, soft_wrap=True, highlight=False)


def err() -> Console:
    """Where progress goes, so that stdout holds the answer alone."""
    return Console(file=sys.stderr, soft_wrap=True, highlight=False)


def print_json(value: object) -> None:
    """A value as indented JSON on stdout; dates stay the epoch seconds the API gave."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_rows(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows in columns, never cut: an ARN is there to be copied."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(header), *(len(row[i]) for row in texts)) if texts else 0 for i, header in enumerate(headers)]
    console = out()
    if not texts:
        err().print("nothing found", style="dim")
        return
    console.print(Text(_GAP.join(h.ljust(w) for h, w in zip(headers, widths, strict=True)).rstrip(), style="bold"))
    for row in texts:
        line = Text()
        for cell, width in zip(row, widths, strict=True):
            line.append(cell.ljust(width) + _GAP, style=_STYLES.get(cell, ""))
        line.rstrip()
        console.print(line)


def print_block(values: Mapping[str, object] | Sequence[tuple[str, object]]) -> None:
    """Names and values, one a line; what is empty is left out."""
    pairs = list(values.items()) if isinstance(values, Mapping) else values
    shown = [(name, value) for name, value in pairs if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    console = out()
    for name, value in shown:
        line = Text()
        line.append(name.ljust(width) + _GAP, style="bold")
        line.append(str(value), style=_STYLES.get(str(value), ""))
        console.print(line)


def readable(answer: Mapping[str, Any]) -> dict[str, object]:
    """An answer of the API as names and values for people: dates as UTC, objects as compact JSON."""
    return {name: cell(name, value) for name, value in answer.items()}


def cell(name: str, value: object) -> object:
    """One member for people."""
    if name in _DATES and isinstance(value, int | float):
        return date(value)
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return value


def date(seconds: float | None) -> str:
    """Epoch seconds as UTC with milliseconds; nothing for nothing."""
    if seconds is None:
        return ""
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def seconds(span: float) -> str:
    """A span of time for people."""
    if span < 60:  # noqa: PLR2004 - a minute
        return f"{span:.1f} s"
    minutes, rest = divmod(round(span), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
