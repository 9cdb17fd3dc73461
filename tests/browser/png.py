"""PNG pictures with a palette of at most 256 colours: a page needs no more, and takes a third of the bytes."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS_MAX = 256
_CHANNELS = {2: 3, 6: 4}  # by the colour type: RGB, RGBA


def paletted(png: bytes) -> bytes:
    """The same picture; colours beyond the 256 most frequent become the nearest of those. Transparency is dropped."""
    width, height, pixels = decoded(png)
    counts = Counter(pixels)
    palette = [colour for colour, _ in counts.most_common(_COLOURS_MAX)]
    place = {colour: number for number, colour in enumerate(palette)}
    for colour in counts:
        if colour not in place:
            place[colour] = min(range(len(palette)), key=lambda number: _distance(colour, palette[number]))
    indexes = bytes(place[colour] for colour in pixels)
    rows = b"".join(b"\0" + indexes[at : at + width] for at in range(0, width * height, width))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def decoded(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and the colours, three bytes each, row by row, of a picture with 8 bits a channel."""
    parts = list(_chunks(png))
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    assert (bits, interlaced) == (8, 0), "a browser's pictures have 8 bits and no passes"
    raw = zlib.decompress(b"".join(data for name, data in parts if name == b"IDAT"))
    palette = next((data for name, data in parts if name == b"PLTE"), b"")
    step = 1 if palette else _CHANNELS[kind]
    pixels: list[bytes] = []
    before = bytearray(width * step)
    for at in range(0, len(raw), width * step + 1):
        row = _unfiltered(raw[at], bytearray(raw[at + 1 : at + 1 + width * step]), before, step)
        if palette:
            pixels += [palette[3 * index : 3 * index + 3] for index in row]
        else:
            pixels += [bytes(row[pixel : pixel + 3]) for pixel in range(0, len(row), step)]
        before = row
    return width, height, pixels


def _unfiltered(kind: int, row: bytearray, above: bytearray, step: int) -> bytearray:
    for at in range(len(row)):
        left = row[at - step] if at >= step else 0
        corner = above[at - step] if at >= step else 0
        row[at] = (row[at] + _predicted(kind, left, above[at], corner)) & 255
    return row


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 0:
        return 0
    if kind == 1:
        return left
    if kind == 2:
        return above
    if kind == 3:
        return (left + above) // 2
    guess = left + above - corner
    return min((left, above, corner), key=lambda each: abs(guess - each))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert png.startswith(_SIGNATURE), "this is no PNG"
    at = len(_SIGNATURE)
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += 12 + size


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
