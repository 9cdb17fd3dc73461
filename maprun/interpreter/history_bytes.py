"""Bytes of a history's events, estimated while they are not encoded yet."""

from typing import Any

EVENT_BYTES, _HEADER_BYTES = 48, 5
"""What an event takes beside its details (type, ids, times, headers), and what a text takes beside its characters."""


def event_bytes(details: tuple[Any, ...]) -> int:
    """Bytes of an event with these details, about: never less than it takes once it is encoded."""
    size = EVENT_BYTES
    for part in details:
        if isinstance(part, bytes):
            size += len(part)
        elif isinstance(part, str):
            size += _text_bytes(part)
        elif isinstance(part, dict):
            size += sum(_text_bytes(name) + _text_bytes(text) for name, text in part.items())
    return size


def _text_bytes(text: str) -> int:
    return _HEADER_BYTES + (len(text) if text.isascii() else len(text.encode()))
