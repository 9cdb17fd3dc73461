"""Item frames that can't be judged yet: their run is unknown, and the signals may still tell of it. Pure."""

from collections import deque
from collections.abc import Callable, Iterator

from schemas.lanes import ItemFrame


class HeldFrames:
    """Frames in the order of the lane, behind the first one whose run is unknown.

    A run is opened on the signals before any of its items are published. So a run that is still unknown when the
    signals are read up to their end, as it was after the frame came, is closed.
    """

    def __init__(self) -> None:
        self._frames: deque[tuple[int, ItemFrame | None]] = deque()
        self._signals_end = -1  # signals to be read before the first held frame may be judged; -1 = not known
        self._judgeable = 0  # held frames that were there when that end was asked for

    def add(self, offset: int, frame: ItemFrame | None) -> None:
        """One more; None is one that can't be read."""
        self._frames.append((offset, frame))

    @property
    def asks_signals_end(self) -> bool:
        """True when the end of the signals must be known to judge the first frame."""
        return bool(self._frames) and self._signals_end < 0

    def signals_end(self, end: int) -> None:
        """Where the signals end now: what the frames held so far may have to wait for."""
        self._signals_end, self._judgeable = end, len(self._frames)

    def judged(self, is_open: Callable[[ItemFrame], bool], signals_next: int) -> Iterator[tuple[int, ItemFrame | None]]:
        """Hands over the frames whose run is open, or proved closed."""
        while self._frames:
            offset, frame = self._frames[0]
            if frame is not None and not is_open(frame) and not 0 <= self._signals_end <= signals_next:
                return
            self._frames.popleft()
            self._judgeable -= 1
            if self._judgeable <= 0:
                self._signals_end = -1
            yield offset, frame

    def first_offset(self, items_next: int) -> int:
        """The offset of the first one; `items_next` when there is none."""
        return self._frames[0][0] if self._frames else items_next

    @property
    def bytes(self) -> int:
        """What the items take."""
        return sum(sum(map(len, frame.items)) for _, frame in self._frames if frame is not None)
