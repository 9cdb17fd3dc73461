"""The only place where this system draws by lot: pauses before repeats, and the secret of a cluster's task tokens.

Never for what must come out the same.
"""

import random
import secrets

_LOTS = random.Random()  # noqa: S311 - it spreads repeats in time, nothing is kept secret by it
"""Its own, so that a thread's pauses don't change what others draw by the module's."""


def chance() -> float:
    """A number in [0, 1)."""
    return _LOTS.random()


def secret(size: int) -> bytes:
    """So many bytes that nobody can guess."""
    return secrets.token_bytes(size)
