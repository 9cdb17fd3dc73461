"""What was once on the wire can always be read: bytes of each message of each release decode today (rule R7).

`wire/<Message>.v<N>.hex` holds the bytes of one message with every field set. `python -m tests.architecture.wire_bytes`
writes the files that are missing, never one that is there: a released file is never changed.
"""

import re
from pathlib import Path

import msgspec
import pytest

from tests.architecture.wire_bytes import FOLDER, messages, sample

FILES = sorted(FOLDER.glob("*.hex"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bytes_of_every_release_decode(path: Path) -> None:
    """A message written by any release is read by this one, and says what it said."""
    name = re.sub(r"\.v\d+$", "", path.stem)
    message = {kind.__name__: kind for kind in messages()}[name]
    data = bytes.fromhex(path.read_text(encoding="ascii"))
    decoded: object = msgspec.msgpack.decode(data, type=message)
    old = msgspec.msgpack.decode(data)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(decoded))
    assert begins_with(again, old)


def begins_with(now: object, then: object) -> bool:
    """Append-only: today's encoding begins with what the old one said, and may go on, in every part of it."""
    if isinstance(now, list) and isinstance(then, list):
        return len(now) >= len(then) and all(begins_with(a, b) for a, b in zip(now, then, strict=False))
    return now == then


@pytest.mark.parametrize("message", messages(), ids=lambda message: message.__name__)
def test_every_message_has_its_bytes_kept(message: type) -> None:
    """No message is without a file, and its newest file holds every field of today."""
    kept = [path for path in FILES if re.fullmatch(rf"{message.__name__}\.v\d+", path.stem)]
    assert kept, f"run python -m tests.architecture.wire_bytes for {message.__name__}"
    newest = max(kept, key=lambda path: int(path.stem.rpartition(".v")[2]))
    fields = len(msgspec.msgpack.decode(bytes.fromhex(newest.read_text(encoding="ascii"))))
    assert fields == len(msgspec.msgpack.decode(msgspec.msgpack.encode(sample(message))))
