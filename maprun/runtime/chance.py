"""The only place where this system draws by lot: for pauses before repeats, never for what must come out the same."""

import random


def chance() -> float:
    """A number in [0, 1)."""
    return random.random()  # noqa: S311 - it spreads repeats in time, nothing is kept secret by it
