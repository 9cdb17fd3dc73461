"""Items from one JSON document, element by element, without holding the document.

An array gives its elements; an object gives its values, with their keys. ItemsPointer names the node to iterate.
What follows the node in the document isn't read.
"""

import codecs
import json
import re
from typing import Any, NamedTuple, NoReturn

import msgspec

from maprun.aws.errors import SourceError, SourceRecordTooLargeError
from maprun.aws.sources.byte_stream import ByteStream
from maprun.aws.sources.contract import RECORD_BYTES_MAX, Budget, Checkpoint, Chunk, dump
from maprun.aws.sources.json_cursor import JsonCursor, pointer_tokens
from maprun.aws.sources.json_text import DEPTH_MAX, check_depth, check_utf8, compact

TEXT_BYTES_MIN = 4096
ITEM_BYTES_FIRST = 200.0  # an item's size, until the first ones tell

ENDED = "."  # the container of a checkpoint behind the last element
_SPACE = re.compile(r"[ \t\r\n]*")
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_SEPARATOR = re.compile(r"[ \t\r\n]*([,\]}])[ \t\r\n]*")
_CLOSERS = {"[": "]", "{": "}"}

# Longer than anything the scanner may trip over only because the text was cut within it: `-Infinity`, `\ud800\udc00`.
_CUT_CHARACTERS = 12


class Scanned(NamedTuple):
    """One element: its text, its key in an object, where the next begins, and whether it is the last."""

    begin: int
    end: int
    key: str
    after: int
    last: bool


def _refuse(constant: str) -> NoReturn:
    raise SourceError(f"JSON can't be read: {constant} is not JSON")


class JsonSource:
    """A Source over the elements of one array or object. `where` is the document's address, for errors."""

    pinned = True

    def __init__(
        self,
        stream: ByteStream,
        pointer: str,
        checkpoint: Checkpoint,
        budget: Budget,
        where: str = "",
    ) -> None:
        self._stream = stream
        self._where = where
        self._budget = budget
        self._container = checkpoint.container
        self._item_bytes = ITEM_BYTES_FIRST
        self._at_end = False
        # Between two objects of an array, from brace to brace, as the element before was written: `},\n  {`.
        self._between = b""
        self._decode_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
        # The decoder's own parts, which tell where a value ends; typeshed leaves them out.
        decoder: Any = json.JSONDecoder(parse_constant=_refuse)
        self._scan = decoder.scan_once
        self._scan_string = decoder.parse_string
        self.pin = dump(stream.pin)
        if not self._container:
            self._enter(pointer)

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items (see Source)."""
        count = self._budget.allowed(count)
        begin = self._stream.offset
        items: list[bytes] = []
        keys: list[str] | None = [] if self._container == "{" else None
        wanted = min(bytes_max, 1.2 * count * self._item_bytes)
        while count > len(items) and not items and self._container != ENDED:
            try:
                wanted = self._some(items, keys, count, bytes_max, max(TEXT_BYTES_MIN, int(wanted)))
            except SourceError as error:
                raise error.located(self._where, f", item {self._budget.given + len(items) + 1}") from error
        if items:
            self._item_bytes = (self._stream.offset - begin) / len(items)
        self._budget.given += len(items)
        place = Checkpoint(self._stream.offset, self._budget.given, self._container)
        ended = self._container == ENDED or self._budget.spent
        share = self._budget.share(self._stream.share)
        return Chunk(items, keys, dump(place), ended, self._stream.offset - begin, share=share)

    def close(self) -> None:
        """Forgets the buffer."""
        self._stream.close()
        self._container = ENDED

    def _enter(self, pointer: str) -> None:
        cursor = JsonCursor(self._stream)
        cursor.find(pointer_tokens(pointer), pointer)
        first = cursor.peek()
        if not first:
            raise cursor.wrong(first)
        if first not in {b"[", b"{"}:
            raise SourceError("Attempting to map over non-iterable node.")  # AWS's words, recorded
        self._stream.advance(1)
        self._container = first.decode()
        if cursor.peek() == _CLOSERS[self._container].encode():
            self._container = ENDED

    def _some(self, items: list[bytes], keys: list[str] | None, count: int, bytes_max: int, wanted: int) -> int:
        """Appends the elements in about the next `wanted` bytes; gives the bytes to try with when there were none."""
        stream = self._stream
        while len(stream.buffer) - stream.start < wanted and not self._at_end:
            self._at_end = not stream.fill()
        raw = stream.buffer[stream.start : stream.start + wanted]
        final = self._at_end and stream.start + wanted >= len(stream.buffer)
        if self._between and self._together(raw, items, count):
            return wanted
        try:
            text, _ = codecs.utf_8_decode(raw, "strict", final)
        except UnicodeDecodeError as error:
            byte = stream.offset + error.start
            raise SourceError(f"JSON is not UTF-8: {error.reason} at byte {byte}") from error
        position = _after_space(text, 0)  # whitespace behind a separator may have been cut
        taken = 0
        while len(items) < count and (taken < bytes_max or not items):
            found = self._element(text, position, final=final)
            if found is None:
                break
            item = self._item(text[found.begin : found.end])
            taken += len(item)
            items.append(item)
            if keys is not None:
                keys.append(found.key)
            position = found.after
            self._between = text[found.end - 1 : position + 1].encode() if self._container == "[" else b""
            if found.last:
                self._container = ENDED
                break
        passed = text[:position]
        stream.advance(len(passed) if passed.isascii() else len(passed.encode()))
        if items:
            return wanted
        if final:
            raise SourceError("JSON can't be read: the document ends too early")
        if wanted > RECORD_BYTES_MAX:
            raise SourceRecordTooLargeError(
                f"The record at byte {stream.offset} exceeds the maximum of {RECORD_BYTES_MAX} bytes",
            )
        return 2 * wanted

    def _together(self, raw: bytes, items: list[bytes], count: int) -> bool:
        """Takes the elements up to the last place that looks like the end of one, all at once; False: not possible.

        What is cut off at such a place and put in brackets is JSON only if the place is between two elements: within
        a string or a deeper level something would stay open. Whatever is doubtful is left to `_element`.
        """
        between = self._between
        if not (between.startswith(b"}") and between.endswith(b"{")):
            return False
        end = raw.rfind(between) + 1
        body = raw[:end]
        try:
            elements = self._decode_raw(b"[%b]" % body) if end else []
        except (msgspec.DecodeError, RecursionError):
            return False
        if not elements:
            return False
        gap = len(between) - 2
        sizes = [len(memoryview(element)) for element in elements]
        if len(elements) > count:
            if sum(sizes) + (len(elements) - 1) * gap != len(body):  # gaps of other sizes: no telling where one ends
                return False
            elements, sizes = elements[:count], sizes[:count]
            end = sum(sizes) + (count - 1) * gap
        check_utf8(body)
        items += map(compact, elements)
        if max(sizes) > DEPTH_MAX:
            for item in items:
                check_depth(item)
        self._stream.advance(end + gap)
        return True

    def _item(self, text: str) -> bytes:
        try:
            item = compact(text.encode())
        except (msgspec.DecodeError, RecursionError) as error:
            raise SourceError(f"JSON can't be read: {error}") from error
        check_depth(item)
        return item

    def _element(self, text: str, position: int, *, final: bool) -> Scanned | None:
        """The element at `position`; None when the text was cut within it. Raises SourceError."""
        key = ""
        at = position
        try:
            if self._container == "{":
                if text[at : at + 1] != '"':
                    self._must_be_cut(text, at, final=final)
                    return None
                key, at = self._scan_string(text, at + 1, True)
                colon = _COLON.match(text, at)
                if colon is None:
                    self._must_be_cut(text, _after_space(text, at), final=final)
                    return None
                at = colon.end()
                key = key.encode("utf-8", "replace").decode()
            _, end = self._scan(text, at)
        except StopIteration as stop:
            self._must_be_cut(text, stop.value, final=final)
            return None
        except json.JSONDecodeError as error:
            if error.msg.startswith("Unterminated string") and not final:
                return None
            self._must_be_cut(text, error.pos, final=final)
            return None
        except RecursionError as error:
            raise SourceError("JSON is nested too deeply.") from error
        except ValueError as error:  # an integer of thousands of digits
            raise SourceError(f"JSON can't be read: {error}") from error
        separator = _SEPARATOR.match(text, end)
        if separator is None:
            self._must_be_cut(text, _after_space(text, end), final=final)
            return None
        mark = separator.group(1)
        last = mark == _CLOSERS[self._container]
        if not last and mark != ",":
            raise self._wrong(text, separator.start(1))
        return Scanned(at, end, key, separator.end(), last)

    def _must_be_cut(self, text: str, position: int, *, final: bool) -> None:
        """Raises SourceError unless what is wrong at `position` may only be that the text was cut there."""
        if final and position >= len(text):
            raise SourceError("JSON can't be read: the document ends too early")
        if final or position < len(text) - _CUT_CHARACTERS:
            raise self._wrong(text, position)

    def _wrong(self, text: str, position: int) -> SourceError:
        byte = self._stream.offset + len(text[:position].encode())
        return SourceError(f"JSON can't be read: unexpected {text[position : position + 1]!r} at byte {byte}")


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
