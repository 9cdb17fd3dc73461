"""How fast a run's children end, by the times of the records that say so: the same in every fold."""

import msgspec


class Speed(msgspec.Struct):
    """Children a second, in the last stretch that is through; 0 before."""

    per_second: int = 0
    since_ms: int = 0
    ended: int = 0  # since then

    def note(self, children: int, now_ms: int, stretch_ms: int) -> None:
        """So many more had ended at this time. Of a slow run a stretch is the pause between two frames."""
        if not self.since_ms:
            self.since_ms = now_ms
            return
        self.ended += children
        passed_ms = now_ms - self.since_ms
        if passed_ms >= stretch_ms:
            self.per_second = self.ended * 1000 // passed_ms
            self.since_ms, self.ended = now_ms, 0
