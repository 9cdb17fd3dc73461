"""Timestamps of the States Language: RFC 3339 with upper-case T and Z or an offset, nanosecond fractions allowed."""

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOS = 1_000_000_000


def parse_timestamp(text: object) -> int | None:
    """Nanoseconds since 1970; None when the text is no timestamp."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    moment, seconds, fraction, zone = found.groups()
    try:
        whole = datetime.fromisoformat(f"{moment}{seconds or ':00'}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:
        return None
    return (whole - _EPOCH) // timedelta(seconds=1) * _NANOS + int((fraction or "0").ljust(9, "0"))


def parse_timestamp_ms(text: object) -> int | None:
    """Milliseconds since 1970, rounded up so that nothing happens too early; None when the text is no timestamp."""
    nanos = parse_timestamp(text)
    return None if nanos is None else -(-nanos // 1_000_000)


def format_timestamp(at_ms: int) -> str:
    """The text AWS shows in the context object: milliseconds and Z."""
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"
