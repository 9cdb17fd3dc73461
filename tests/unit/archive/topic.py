"""One partition of an archive's topic in memory, and a port to it."""

from collections.abc import Callable, Sequence

from maprun.bus.port import Outgoing, Record


class Topic:
    """What was sent, in order. `before_send` may raise: then nothing of it arrives."""

    def __init__(self, cluster: str = "") -> None:
        self.cluster = cluster
        self.values: list[bytes] = []
        self.start = 0
        self.before_send: Callable[[], None] = lambda: None

    async def start_offset(self, _topic: str, _partition: int) -> int:
        """The oldest record that is kept."""
        return self.start

    async def end_offset(self, _topic: str, _partition: int) -> int:
        """Behind the newest."""
        return len(self.values)

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """A stretch of it."""
        kept = range(max(first, self.start), min(end, len(self.values)))
        return [Record(topic, partition, offset, 0, None, self.values[offset]) for offset in kept]

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Appends."""
        self.before_send()
        first = len(self.values)
        self.values += [message.value or b"" for message in messages]
        return list(range(first, len(self.values)))
