"""Pages of child histories inside a frame: 64 children compressed together, so that one alone is cheap to read."""

from collections.abc import Sequence

import msgspec
import zstandard

from schemas.history import HistoryEvent, decode_events
from schemas.history_pages import HistoryPage
from schemas.home import PAGE_SLOTS, Afterlife

PAGE_BYTES_MAX = 256 << 20
"""Uncompressed size a page may claim; guards against a damaged header."""


class Pages:
    """Packs and unpacks pages; keeps its compressors, which cost more to make than to use. Not thread-safe."""

    def __init__(self, level: int = 1) -> None:
        self._compress = zstandard.ZstdCompressor(level=level).compress
        self._decompress = zstandard.ZstdDecompressor().decompress
        self._decode = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
        self._decode_events = msgspec.msgpack.Decoder(list[list[msgspec.Raw]]).decode
        self._decode_afterlives = msgspec.msgpack.Decoder(list[Afterlife]).decode

    def pack(self, slots: Sequence[bytes]) -> tuple[bytes, ...]:
        """Pages of entries that are msgpack already, one a slot."""
        compress = self._compress
        return tuple(
            compress(_array_header(len(part)) + b"".join(part))
            for part in (slots[i : i + PAGE_SLOTS] for i in range(0, len(slots), PAGE_SLOTS))
        )

    def unpack(self, page: bytes) -> list[msgspec.Raw]:
        """The entries of a page, still msgpack."""
        return self._decode(self._decompress(page, max_output_size=PAGE_BYTES_MAX))

    def unpack_events(self, page: bytes) -> list[list[msgspec.Raw]]:
        """The events of each entry of a page, each still msgpack: most readers want the first and the last."""
        return self._decode_events(self._decompress(page, max_output_size=PAGE_BYTES_MAX))

    def pack_events(self, events: Sequence[bytes]) -> bytes:
        """The events of a HistoryPage, each msgpack already."""
        return self._compress(_array_header(len(events)) + b"".join(events))

    def unpack_history(self, page: HistoryPage) -> list[HistoryEvent]:
        """The events of a page."""
        return decode_events(self._decompress(page.events, max_output_size=PAGE_BYTES_MAX))

    def pack_afterlives(self, afterlives: Sequence[Afterlife]) -> bytes:
        """A frame's `afterlives`, in ascending order of slots; empty bytes for none."""
        return self._compress(msgspec.msgpack.encode(afterlives)) if afterlives else b""

    def unpack_afterlives(self, data: bytes) -> dict[int, Afterlife]:
        """A frame's `afterlives` by slot. A slot that isn't among them was never redriven and left nothing."""
        if not data:
            return {}
        afterlives = self._decode_afterlives(self._decompress(data, max_output_size=PAGE_BYTES_MAX))
        return {afterlife.slot: afterlife for afterlife in afterlives}


def _array_header(count: int) -> bytes:
    """The msgpack header of an array of up to 65,535 entries."""
    return bytes((0x90 | count,)) if count < 16 else b"\xdc" + count.to_bytes(2, "big")  # noqa: PLR2004 - fixarray
