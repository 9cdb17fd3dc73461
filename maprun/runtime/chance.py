"""The only place where this system draws by lot: pauses before repeats. What must come out the same again never asks."""

import random


def chance() -> float:
    """A number in [0, 1)."""
    return random.random()  # noqa: S311 - it spreads repeats in time, nothing is kept secret by it
