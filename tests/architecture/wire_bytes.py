"""Makes one sample of each message of the registry, with every field set, and keeps its bytes for later releases."""

import types
import typing
from pathlib import Path
from typing import Any

import msgspec

from schemas import topics

FOLDER = Path(__file__).parent / "wire"


def messages() -> list[type]:
    """Every message that travels on a topic, by name."""
    found = {message for topic in topics.TOPICS for message in topic.messages}
    return sorted(found, key=lambda message: message.__name__)


def sample(message: type) -> Any:
    """One value of a Struct type: the same each time, no field left to its default."""
    return _of(message, 1)


def _of(kind: Any, number: int) -> Any:
    """A value of a type; `number` makes neighbours differ."""
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin is typing.Literal:
        return arguments[0]
    if origin in {typing.Union, types.UnionType}:
        return _of(next(each for each in arguments if each is not type(None)), number)
    if origin in {tuple, list, set, frozenset}:
        if origin is tuple and arguments[-1:] != (Ellipsis,):
            return tuple(_of(each, number + at) for at, each in enumerate(arguments))
        return origin([_of(arguments[0], number)])
    if origin is dict:
        return {_of(arguments[0], number): _of(arguments[1], number)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        return kind(**{field.name: _of(field.type, at + 1) for at, field in enumerate(fields)})
    return {
        int: number,
        float: number + 0.5,
        str: f"text-{number}",
        bytes: b'{"number":%d}' % number,
        bool: True,
        msgspec.Raw: msgspec.Raw(b"\x01"),
        Any: number,
    }[kind]


def main() -> None:
    """Writes a first or a further version for each message whose newest bytes lack a field of today."""
    FOLDER.mkdir(exist_ok=True)
    for message in messages():
        data = msgspec.msgpack.encode(sample(message))
        versions = sorted(FOLDER.glob(f"{message.__name__}.v*.hex"), key=lambda p: int(p.stem.rpartition(".v")[2]))
        if versions:
            kept = msgspec.msgpack.decode(bytes.fromhex(versions[-1].read_text(encoding="ascii")))
            if len(kept) == len(msgspec.msgpack.decode(data)):
                continue
        file = FOLDER / f"{message.__name__}.v{len(versions) + 1}.hex"
        file.write_text(data.hex() + "\n", encoding="ascii")
        print(file.name)


if __name__ == "__main__":
    main()
