"""A cursor over a JSON document in a byte stream, which finds the node to iterate without holding what lies before."""

import json
import re

from maprun.aws.errors import SourceError
from maprun.aws.sources.byte_stream import ByteStream
from maprun.aws.sources.contract import RECORD_BYTES_MAX

_SPACE = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb"[^,\]} \t\r\n]*")
_STRING_STOP = re.compile(rb'["\\]')
_BRACKET = re.compile(rb'["\[\]{}]')


def pointer_tokens(pointer: str) -> list[str]:
    """The reference tokens of an ItemsPointer (RFC 6901). Raises SourceError when it doesn't begin with `/`."""
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise SourceError(f"ItemsPointer must begin with '/': {pointer}")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


class JsonCursor:
    """Reads tokens at the front of a stream. Every method raises SourceError where the text isn't JSON."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def peek(self) -> bytes:
        """The next byte that isn't whitespace, b"" at the end."""
        stream = self._stream
        while True:
            found = _SPACE.match(stream.buffer, stream.start)
            if found is not None:
                stream.advance(found.end() - stream.start)
            if stream.start < len(stream.buffer):
                return stream.buffer[stream.start : stream.start + 1]
            if not stream.fill():
                return b""

    def expect(self, wanted: bytes) -> None:
        """Passes one byte that must be there."""
        found = self.peek()
        if found != wanted:
            raise self.wrong(found)
        self._stream.advance(1)

    def string(self) -> str:
        """Passes a string and gives its value."""
        if self.peek() != b'"':
            raise self.wrong(self.peek())
        stream = self._stream
        at = stream.start + 1
        while True:
            found = _STRING_STOP.search(stream.buffer, at)
            if found is not None and found.group() == b'"':
                text = stream.buffer[stream.start : found.end()]
                stream.advance(found.end() - stream.start)
                try:
                    return str(json.loads(text))
                except ValueError as error:
                    raise SourceError(f"JSON can't be read: {error}") from error
            if found is not None and found.end() < len(stream.buffer):
                at = found.end() + 1
                continue
            at = (found.start() if found else len(stream.buffer)) - stream.start
            if len(stream.buffer) - stream.start > RECORD_BYTES_MAX:
                raise SourceError("JSON can't be read: a member's name is too long")
            self._more()
            at += stream.start

    def skip(self) -> None:
        """Passes one value of any size."""
        first = self.peek()
        stream = self._stream
        if first == b'"':
            self._skip_string()
        elif first in {b"{", b"["}:
            self._skip_container()
        else:
            before = stream.offset
            while True:
                found = _SCALAR.match(stream.buffer, stream.start)
                stream.advance((found.end() if found else stream.start) - stream.start)
                if stream.start < len(stream.buffer) or not stream.fill():
                    break
            if stream.offset == before:
                raise self.wrong(first)

    def find(self, tokens: list[str], pointer: str) -> None:
        """Moves to the node that the tokens lead to."""
        for token in tokens:
            first = self.peek()
            if first == b"{":
                found = self._find_member(token)
            elif first == b"[" and token.isdigit():
                found = self._find_element(int(token))
            else:
                found = False
            if not found:
                raise SourceError(f"ItemsPointer {pointer} leads to nothing in the document")

    def wrong(self, found: bytes) -> SourceError:
        """What to raise for a byte that can't stand here."""
        if not found:
            return SourceError("JSON can't be read: the document ends too early")
        text = found.decode(errors="replace")
        return SourceError(f"JSON can't be read: unexpected {text!r} at byte {self._stream.offset}")

    def _find_member(self, name: str) -> bool:
        self.expect(b"{")
        if self.peek() == b"}":
            return False
        while True:
            key = self.string()
            self.expect(b":")
            if key == name:
                return True
            self.skip()
            if self.peek() == b"}":
                return False
            self.expect(b",")

    def _find_element(self, index: int) -> bool:
        self.expect(b"[")
        if self.peek() == b"]":
            return False
        for _ in range(index):
            self.skip()
            if self.peek() == b"]":
                return False
            self.expect(b",")
        return True

    def _skip_container(self) -> None:
        depth = 0
        stream = self._stream
        while True:
            found = _BRACKET.search(stream.buffer, stream.start)
            if found is None:
                stream.advance(len(stream.buffer) - stream.start)
                self._more()
                continue
            byte = found.group()
            if byte == b'"':
                stream.advance(found.start() - stream.start)
                self._skip_string()
                continue
            stream.advance(found.end() - stream.start)
            depth += 1 if byte in b"[{" else -1
            if depth == 0:
                return

    def _skip_string(self) -> None:
        stream = self._stream
        stream.advance(1)
        while True:
            found = _STRING_STOP.search(stream.buffer, stream.start)
            if found is None:
                stream.advance(len(stream.buffer) - stream.start)
                self._more()
                continue
            stream.advance(found.end() - stream.start)
            if found.group() == b'"':
                return
            if stream.start == len(stream.buffer):
                self._more()
            stream.advance(1)

    def _more(self) -> None:
        if not self._stream.fill():
            raise self.wrong(b"")
