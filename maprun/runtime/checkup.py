"""What a look at the set-up finds: one finding for each thing that was looked at, and what mends it."""

from typing import Literal

import msgspec

State = Literal["ok", "note", "wrong", "skipped"]
"""`note`: works, with a consequence worth knowing. `skipped`: could not be looked at."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was looked at."""

    part: str  # kafka | s3 | functions | api | disk
    check: str
    state: State
    said: str
    cure: str = ""


class Findings:
    """Gathers what is found of one part."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.found: list[Finding] = []

    def ok(self, check: str, said: str) -> None:
        """It is as it should be."""
        self._add(check, "ok", said, "")

    def note(self, check: str, said: str, cure: str = "") -> None:
        """It works, and something follows from it."""
        self._add(check, "note", said, cure)

    def wrong(self, check: str, said: str, cure: str) -> None:
        """Something will not work."""
        self._add(check, "wrong", said, cure)

    def skipped(self, check: str, said: str, cure: str = "") -> None:
        """It could not be looked at."""
        self._add(check, "skipped", said, cure)

    def _add(self, check: str, state: State, said: str, cure: str) -> None:
        self.found.append(Finding(part=self.part, check=check, state=state, said=said, cure=cure))
