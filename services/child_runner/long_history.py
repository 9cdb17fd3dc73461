"""A child's history that is too long for one record: what of it is in pages, and what its frame says. Pure."""

from schemas.history import EventType, HistoryEvent, decode_events, encode_events
from schemas.lanes import RedrivenChild
from services.child_runner.outbox import Outcome

Answer = tuple[Outcome, int, bytes]
"""The outcome of a child, how often it was redriven, what a redrive needs of it."""


class LongHistory:
    """A history whose events stand in pages, or are on their way there; what its slot in a frame says of it."""

    __slots__ = ("answer", "events", "first", "largest_bytes", "last", "pages", "redriven", "unwritten")

    def __init__(self, first: HistoryEvent) -> None:
        self.first = self.last = first
        self.redriven: HistoryEvent | None = None  # the last ExecutionRedriven
        self.events = 0
        self.pages: list[int] = []  # flat (offset on home, events there)
        self.unwritten = 0  # pages whose offset is not known yet
        self.largest_bytes = 0  # of one event
        self.answer: Answer | None = None  # how the child ended, once it did

    @classmethod
    def of_earlier(cls, child: RedrivenChild) -> "LongHistory":
        """The history of a child that is redriven: its pages stay where they are."""
        first, *redriven, last = decode_events(child.history)
        history = cls(first)
        history.last = last
        history.redriven = redriven[0] if redriven else None
        history.pages = list(child.pages)
        history.events = sum(child.pages[1::2])
        return history

    def note(self, event: HistoryEvent) -> None:
        """One more event."""
        self.events += 1
        self.last = event
        if event.type == EventType.EXECUTION_REDRIVEN:
            self.redriven = event

    def entry(self) -> bytes:
        """What the slot in a frame holds."""
        redriven = [self.redriven] if self.redriven is not None and self.redriven is not self.last else []
        return encode_events([self.first, *redriven, self.last])
