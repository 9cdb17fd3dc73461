"""What the fold of home asks of the interpreter, beside running executions."""

from typing import Any

import msgspec
import pytest

from maprun.interpreter import Limits
from maprun.interpreter.roots import RootInterpreter
from schemas.history import EventType, HistoryEvent, encode_events
from schemas.pages import Pages

STARTED = HistoryEvent(EventType.EXECUTION_STARTED, 0, 1, (b'{"in":1}', "role"))
SUCCEEDED = HistoryEvent(EventType.EXECUTION_SUCCEEDED, 1, 2, (b'{"out":1}',))
FAILED = HistoryEvent(EventType.EXECUTION_FAILED, 1, 2, ("Bad", None))


@pytest.mark.parametrize("size", [1, 300, 70_000])
@pytest.mark.parametrize("beside", [[], [None, "s3://b/k"], ["key", "s3://b/k"]])
def test_outputs_of_a_page_are_those_of_its_histories(size: int, beside: list[Any]) -> None:
    """Beside children that ended stand some that never started: an input, or an item with its key and source."""
    never = msgspec.msgpack.encode([b"x" * size, *beside])
    (page,) = Pages().pack([encode_events([STARTED, SUCCEEDED]), never, encode_events([STARTED, FAILED]), never])
    assert RootInterpreter(Limits()).child_outputs(page) == [b'{"out":1}', b"", b"", b""]
