"""Doubles a number, but every twentieth."""

from typing import Any


def handler(event: dict[str, int], _context: Any) -> dict[str, Any]:
    """The function."""
    n = event["n"]
    if n % 20 == 0:
        raise ValueError(f"{n} can't be doubled")
    return {"language": "python", "twice": 2 * n}
