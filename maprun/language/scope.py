"""What an expression may see beside its root value: the context object, the variables, and seeds for chance."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

Evaluate = Callable[[Any, "Scope"], Any]
"""(root value `$`, scope) → value. Raises PathError or StatesError."""


class Scope:
    """One state's view. The context object is made when something first asks for it."""

    __slots__ = ("_context", "_make_context", "_seed", "draws", "now_ms", "variables")

    def __init__(
        self,
        make_context: Callable[[], dict[str, Any]],
        variables: Mapping[str, Any],
        seed: Callable[[], str],
        now_ms: int = 0,
    ) -> None:
        self._make_context = make_context
        self._context: dict[str, Any] | None = None
        self.variables = variables
        self.now_ms = now_ms
        self._seed = seed
        self.draws = 0

    @property
    def context(self) -> dict[str, Any]:
        """The context object `$$`."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    def draw(self) -> bytes:
        """16 bytes of chance: the same for the same draw of the same state visit, for ever (rule R3)."""
        self.draws += 1
        return hashlib.blake2b(f"{self._seed()}\n{self.draws}".encode(), digest_size=16).digest()
