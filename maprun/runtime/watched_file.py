"""A file that is read again when it has changed, without a restart."""

from collections.abc import Callable
from pathlib import Path

LOOK_SECONDS = 1.0
"""A change is seen so much later at most."""


class WatchedFile:
    """Looks at a file no more often than once a second."""

    def __init__(self, path: Path, monotonic: Callable[[], float]) -> None:
        self.path = path
        self._monotonic = monotonic
        self._look_again = float("-inf")
        self._seen: tuple[int, ...] = ()

    def changed(self) -> bytes | None:
        """The content if it is new since the last time; None if it is as it was. Raises OSError, each time it looks."""
        if self._monotonic() < self._look_again:
            return None
        self._look_again = self._monotonic() + LOOK_SECONDS
        try:
            status = self.path.stat()
            seen = status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode, status.st_uid
            if seen == self._seen:
                return None
            content = self.path.read_bytes()
        except OSError:
            self._seen = ()
            raise
        self._seen = seen
        return content
