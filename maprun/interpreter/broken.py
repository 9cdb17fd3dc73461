"""The end of an execution that a bug ends: it fails alone."""

from maprun.interpreter.step import Step
from maprun.interpreter.step_builder import Ended
from schemas.history import EventType, HistoryEvent


def broken(events: list[HistoryEvent], now_ms: int, bug: Exception) -> Step:
    """The last step of such an execution. Raised, the bug would end the lane's owner, and every successor's too."""
    cause = f"The execution cannot be continued: {type(bug).__name__}: {bug}"
    failed = HistoryEvent(EventType.EXECUTION_FAILED, 0, now_ms, ("States.Runtime", cause))
    return Step(None, [], [*events, failed], Ended("FAILED", b"", "States.Runtime", cause))
