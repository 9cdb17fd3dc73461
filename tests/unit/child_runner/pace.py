"""A pace counted in states, for tests in which no time passes."""


class StatesPace:
    """A slice is so many states (or other pieces of work)."""

    def __init__(self, states: int) -> None:
        self.states = states
        self.left = states
        self.slices = 0

    def begin(self) -> None:
        """A new slice."""
        self.left = self.states
        self.slices += 1

    def spent(self) -> bool:
        """Counts one; True from the last one on."""
        self.left -= 1
        return self.left <= 0
