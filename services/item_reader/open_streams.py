"""How many sources are open in a process: above the limit the one unused longest gives way until it is read again."""

from typing import Protocol


class Holder(Protocol):
    """Who has a stream open."""

    busy: bool  # a thread is reading it

    def give_way(self) -> None:
        """Closes the stream, and remembers where to go on."""
        ...


class OpenStreams:
    """The open streams of a process, the one used longest ago first.

    One that is being read never gives way, nor does anybody wait: beyond the limit there are at most those that threads
    are reading this very moment.
    """

    def __init__(self, streams_max: int) -> None:
        self._streams_max = streams_max
        self._holders: dict[int, Holder] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def used(self, holder: Holder) -> None:
        """A stream was opened, or read."""
        self._holders.pop(id(holder), None)
        self._holders[id(holder)] = holder
        for other in list(self._holders.values()):
            if len(self._holders) <= self._streams_max:
                return
            if other is not holder and not other.busy:
                other.give_way()

    def closed(self, holder: Holder) -> None:
        """A stream is open no more."""
        self._holders.pop(id(holder), None)
