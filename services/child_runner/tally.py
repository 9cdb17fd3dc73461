"""What began and ended, gathered until the owner has it counted. Pure."""

from collections import Counter


class ChildTally:
    """Children of one run: how many began, or were redriven, how many ended at once, how long the others took.

    `machine_arn` is what AWS counts them under: that of their machine, with the label of their Map state.
    """

    __slots__ = ("at_once", "began", "lasted_ms", "machine_arn", "redriven")

    def __init__(self, machine_arn: str) -> None:
        self.machine_arn = machine_arn
        self.at_once = 0
        self.began = 0
        self.redriven = 0
        self.lasted_ms: list[int] = []


class ExpressTally:
    """Root executions by the ARN of their machine: how many began, how many ended how, how long each took."""

    __slots__ = ("began", "ended", "lasted_ms")

    def __init__(self) -> None:
        self.began: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.lasted_ms: list[tuple[str, int]] = []
