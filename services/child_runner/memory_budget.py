"""The memory that running children may take: of a whole process, and what one lane took of it. Units: bytes."""


class MemoryBudget:
    """What the running children of a process take, about: shared by all its lanes."""

    __slots__ = ("bytes_max", "used")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.used = 0

    @property
    def full(self) -> bool:
        """True when no more children should start until some have ended."""
        return self.used >= self.bytes_max


class BudgetShare:
    """What one lane took of the process's budget: it gives all of it back when it goes."""

    __slots__ = ("budget", "used")

    def __init__(self, budget: MemoryBudget) -> None:
        self.budget = budget
        self.used = 0

    def take(self, size: int) -> None:
        """So many bytes more are in use."""
        self.used += size
        self.budget.used += size

    def give_back(self, size: int) -> None:
        """So many bytes are in use no more."""
        self.used -= size
        self.budget.used -= size

    def give_all_back(self) -> None:
        """The lane is somebody else's."""
        self.give_back(self.used)
