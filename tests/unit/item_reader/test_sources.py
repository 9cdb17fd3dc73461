"""The reader's sources: whatever goes wrong in one is told as trouble of that run."""

import pytest

from services.item_reader.owner import SourceTroubleError
from services.item_reader.sources import ToldSource


class Broken:
    """A source with a bug in it."""

    pin = b"1"
    pinned = True

    def read(self, _count: int, _bytes_max: int) -> object:
        """Never reads."""
        raise ZeroDivisionError("division by zero")

    def close(self) -> None:
        """Nothing to give back."""


def test_a_bug_in_a_source_fails_its_run_alone() -> None:
    """It becomes States.ItemReaderFailed; raised, it would end the reader of a home, and each one after it."""
    with pytest.raises(SourceTroubleError, match="ZeroDivisionError") as raised:
        ToldSource(Broken()).read(1, 1)  # type: ignore[arg-type]  # what it gives is never looked at
    assert (raised.value.error, raised.value.retriable) == ("States.ItemReaderFailed", False)
