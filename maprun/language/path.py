"""JSONPath in AWS's dialect, that of JsonPath 2.0.0: compiled once to a function of the root value.

A definite path that leads nowhere raises PathError with that engine's words; an indefinite one answers with an empty
list, but fails too where a member is missing behind a slice, a filter or `..` (docs/jsonpath.md).
"""

from typing import Any

from maprun.language.errors import PathError
from maprun.language.pathparse import parse_path
from maprun.language.pathsteps import Filter, FromEnd, Index, Names, is_definite
from maprun.language.pathwalk import reader


class Path:
    """A compiled path below `$`: `read(root)` gives its value. Raises PathError."""

    __slots__ = ("_holder", "definite", "filtered", "read", "reference", "steps", "text")

    def __init__(self, text: str) -> None:
        """`text` begins at the root sign, such as `$.a[0]`. Raises PathSyntaxError."""
        self.text = text
        self.steps = steps = parse_path(text)
        self.definite = is_definite(steps)
        self.filtered = any(isinstance(step, Filter) for step in steps)
        self.reference = all(
            isinstance(step, Index) or (isinstance(step, Names) and len(step.names) == 1) for step in steps
        )
        self.read = reader(steps)
        by_number = self.definite and steps and isinstance(steps[-1], Index | FromEnd)
        self._holder = reader(steps[:-1]) if by_number else None

    def leads_somewhere(self, root: Any) -> bool:
        """True if there is a value; the null that stands for an element past the end is none."""
        try:
            value = self.read(root)
        except PathError:
            return False
        if not self.definite:
            return bool(value)
        if value is None and self._holder is not None:
            length, step = len(self._holder(root)), self.steps[-1]
            place = length + step.offset if isinstance(step, FromEnd) else getattr(step, "place", 0)
            return 0 <= place < length
        return True
