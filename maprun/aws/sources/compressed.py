"""The uncompressed bytes of a gzip or zstd object; resuming decompresses again from the beginning."""

import zlib
from typing import Any, Protocol

import zstandard

from maprun.aws.errors import SourceError
from maprun.aws.sources.byte_stream import ObjectStream

OUTPUT_BYTES_MAX = 1024 * 1024  # decompressed at once: a bomb of a thousand to one still passes in small pieces
GZIP_WINDOW_BITS = 31  # 15, and 16 for the gzip wrapper (zlib.h, inflateInit2)


class Decompressor(Protocol):
    """One algorithm: compressed bytes in, at most OUTPUT_BYTES_MAX out at a time."""

    def next(self, data: bytes) -> tuple[bytes, bytes]:
        """Some output and the input that is left; empty output means that more input is needed."""
        ...

    @property
    def complete(self) -> bool:
        """True between two members (frames): here the object may end."""
        ...


class Gunzip:
    """gzip, also several members one after the other."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(GZIP_WINDOW_BITS)
        self.complete = True

    def next(self, data: bytes) -> tuple[bytes, bytes]:
        """Some output and the input that is left. Raises zlib.error."""
        if self.complete and data:
            self._inner = zlib.decompressobj(GZIP_WINDOW_BITS)
            self.complete = False
        out = self._inner.decompress(data, OUTPUT_BYTES_MAX)
        if self._inner.eof:
            self.complete = True
            return out, self._inner.unused_data
        return out, self._inner.unconsumed_tail


class Unzstd:
    """zstd, also several frames one after the other."""

    PIECE_BYTES = 4096  # zstandard's decompressobj can't bound its output, so its input is bounded

    def __init__(self) -> None:
        self._inner: Any = None
        self.complete = True

    def next(self, data: bytes) -> tuple[bytes, bytes]:
        """Some output and the input that is left. Raises zstandard.ZstdError."""
        if not data:
            return b"", b""
        if self.complete:
            self._inner = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()
            self.complete = False
        out = self._inner.decompress(data[: self.PIECE_BYTES])
        left = data[self.PIECE_BYTES :]
        if self._inner.eof:
            self.complete = True
            left = self._inner.unused_data + left
        return out, left


def decompressor_for(key: str) -> Decompressor | None:
    """The decompressor that a key's extension asks for (input-output-itemreader: `.gz` and `.zstd`)."""
    if key.endswith(".gz"):
        return Gunzip()
    if key.endswith((".zstd", ".zst")):
        return Unzstd()
    return None


class DecompressedStream:
    """A ByteStream over the uncompressed bytes. `offset` counts uncompressed bytes."""

    def __init__(self, inner: ObjectStream, decompressor: Decompressor, offset: int, name: str) -> None:
        self._inner = inner
        self._decompressor = decompressor
        self._name = name
        self._left = b""
        self._packed = 0  # bytes of the object that were fetched
        self._skip = offset
        self.pin = inner.pin
        self.buffer = b""
        self.start = 0
        self.offset = offset

    @property
    def share(self) -> float:
        """How much of the compressed object was unpacked; what lies in the buffer still counts as done."""
        return (self._packed - len(self._left)) / self.pin.size_bytes if self.pin.size_bytes else 1.0

    def advance(self, count: int) -> None:
        """Drops `count` bytes from the front."""
        self.start += count
        self.offset += count

    def close(self) -> None:
        """Forgets the buffer."""
        self.buffer = self._left = b""
        self.start = 0
        self._inner.close()

    def fill(self) -> bool:
        """Decompresses some more; False at the end. Raises SourceError."""
        while True:
            out = self._next()
            if out is None:
                return False
            if self._skip >= len(out):
                self._skip -= len(out)
                continue
            self.buffer = self.buffer[self.start :] + out[self._skip :]
            self.start = self._skip = 0
            return True

    def _next(self) -> bytes | None:
        pieces: list[bytes] = []
        size = 0
        while size < OUTPUT_BYTES_MAX:
            if not self._left:
                self._left = self._inner.fetch()
                self._packed += len(self._left)
            ended = not self._left
            try:
                out, self._left = self._decompressor.next(self._left)
            except (zlib.error, zstandard.ZstdError) as error:
                cause = f"The object {self._name} can't be decompressed: {error}; .gz and .zstd at a key's end say so"
                raise SourceError(cause) from error
            if out:
                pieces.append(out)
                size += len(out)
            elif ended:
                if not self._decompressor.complete:
                    cause = f"The object {self._name} can't be decompressed: it ends too early; upload it again"
                    raise SourceError(cause)
                break
        return b"".join(pieces) if pieces else None
