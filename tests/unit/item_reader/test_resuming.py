"""A reader that goes on where another one stopped, from a source that breaks off meanwhile."""

from typing import Any

from services.item_reader.owner import SourceTroubleError
from tests.unit.item_reader.test_redrive import Rig
from tests.unit.item_reader.test_stream import Chunk, ListSource

ITEMS = 30


class Breaking(ListSource):
    """Breaks off at one of all reads of its reader, once."""

    def __init__(self, rig: "Broken", items: list[bytes], at: bytes) -> None:
        super().__init__(items, at, [3, 5])
        self._rig = rig

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items, or the trouble."""
        self._rig.reads += 1
        if self._rig.reads == self._rig.breaks_at:
            raise SourceTroubleError("States.ItemReaderFailed", "slow down", retriable=True)
        return super().read(count, bytes_max)

    def close(self) -> None:
        """Counted."""
        self._rig.open -= 1


class Broken(Rig):
    """A reader whose source breaks off at one read."""

    def __init__(self, breaks_at: int) -> None:
        self.reads, self.breaks_at, self.open = 0, breaks_at, 0
        super().__init__(ITEMS)

    def _open(self, _ask: Any, checkpoint: bytes) -> tuple[ListSource, str]:
        self.open += 1
        return Breaking(self, self.items, checkpoint), "s3://b/k"


def test_every_position_keeps_its_item_wherever_the_source_breaks_off() -> None:
    """Windows behind the ask's checkpoint: what lies before them is passed over, again from its start after trouble.

    A stream that broke off in the midst of that would give the next positions the items before theirs.
    """
    for breaks_at in range(1, 12):
        rig = Broken(breaks_at)
        rig.ask((18, 4, 0, 22, 3, 1), (), generation=0)
        rig.run(10.0)
        items = {frame.first + i: item for _, frame in rig.frames() for i, item in enumerate(frame.items)}
        assert items == {n: rig.items[n] for n in range(18, 25)}, breaks_at
        assert rig.open == 1, breaks_at
