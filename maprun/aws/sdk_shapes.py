"""Parameters and results of AWS SDK calls between Step Functions' spelling and botocore's, by botocore's models.

Only members of structures have another spelling. The keys of maps, what is of a document type, JSON and free text are
the user's own and are never touched, at any depth.
"""

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from maprun.aws.java_names import capitalised, member_name

ReadStream = Callable[[Any], bytes]
"""All bytes of an open body; raises AnswerTooLargeError beyond its bound."""


class UnusableMemberError(ValueError):
    """Parameters name one member twice, in two spellings, or give it a value of another type than it has."""


_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "structure": (dict, "an OBJECT"),
    "map": (dict, "an OBJECT"),
    "list": (list, "an ARRAY"),
    "string": ((str, dict, list), "a STRING"),
    "integer": (int, "an INTEGER"),
    "long": (int, "an INTEGER"),
    "float": ((int, float), "a NUMBER"),
    "double": ((int, float), "a NUMBER"),
    "boolean": (bool, "a BOOLEAN"),
}
"""type of a shape → (JSON values of it, how a cause names it); the other types take several."""


class Idempotency(NamedTuple):
    """Where the tokens of a call come from: the same key gives the same token for the same member, for ever."""

    key: str

    def token(self, path: str) -> str:
        """A token in the form of a random UUID, as every service takes it."""
        digest = hashlib.blake2b(f"{self.key}\n{path}".encode(), digest_size=16).hexdigest()
        variant = "89ab"[int(digest[16], 16) & 3]
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:]}"


class Spelling(NamedTuple):
    """How results are written.

    `member` makes a member's name of (its structure's name, its own); `moment` writes a date.
    """

    member: Callable[[str, str], str]
    moment: Callable[[dt.datetime], str | int]


def to_request(value: Any, shape: Any, idempotency: Idempotency, path: str = "") -> Any:
    """Parameters as botocore's shape names them; a member that is null is absent.

    A member may be written as either kind of integration does, or as the service itself does. Idempotency tokens
    that are not given are derived. Raises UnusableMemberError.
    """
    if shape is None or value is None or getattr(shape, "is_document_type", False):
        return value
    _check_type(value, shape, path)
    match shape.type_name:
        case "structure":
            return _members(value, shape, idempotency, path)
        case "list":
            return [to_request(item, shape.member, idempotency, f"{path}/{n}") for n, item in enumerate(value)]
        case "map":
            return {key: to_request(item, shape.value, idempotency, f"{path}/{key}") for key, item in value.items()}
        case "string":
            return _text_member(value, shape)
        case "blob":
            return value.encode() if isinstance(value, str) else _json_text(value).encode()
        case _:
            return value


def _check_type(value: Any, shape: Any, path: str) -> None:
    """Botocore looks at types too late: endpoints and hooks read members before, and fail in Python's words."""
    if shape.type_name not in _TYPES or shape.serialization.get("jsonvalue"):
        return
    types, words = _TYPES[shape.type_name]
    if not isinstance(value, types) or (isinstance(value, bool) and shape.type_name != "boolean"):
        where = f"The value for the field '{path[1:]}'" if path else "The value"
        raise UnusableMemberError(f"{where} must be {words}")


def _members(value: dict[str, Any], shape: Any, idempotency: Idempotency, path: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, member in value.items():
        known = _spelt(name, shape)
        if member is None:
            continue
        if known in named:
            raise UnusableMemberError(f"The field '{known}' is given twice")
        named[known] = to_request(member, shape.members.get(known), idempotency, f"{path}/{known}")
    for name, member in shape.members.items():
        if name not in named and member.metadata.get("idempotencyToken"):
            named[name] = idempotency.token(f"{path}/{name}")
    return named


def _spelt(name: str, shape: Any) -> str:
    """The member of a structure that a name in Parameters means, or the name itself, which botocore then refuses."""
    if name in shape.members:
        return name
    for member in shape.members:
        if name in (member_name(shape.name, member), capitalised(member)):
            return str(member)
    return name


def _text_member(value: Any, shape: Any) -> Any:
    if shape.serialization.get("jsonvalue") and isinstance(value, str):
        try:
            return msgspec.json.decode(value)  # botocore writes the JSON of what it is given
        except msgspec.DecodeError:
            return value
    if isinstance(value, (dict, list)):
        return _json_text(value)  # a JSON value where text is wanted: MessageBody, Message, Detail
    return value


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def to_result(value: Any, shape: Any, spelling: Spelling, read: ReadStream) -> Any:
    """A botocore answer in Step Functions' spelling; bodies and other bytes as text."""
    if isinstance(value, dt.datetime):
        return spelling.moment(value)
    if hasattr(value, "read"):
        return _bytes_text(read(value))
    if isinstance(value, bytes):
        return _bytes_text(value)
    kind = shape.type_name if shape is not None else ""
    if kind == "structure" and isinstance(value, Mapping) and not shape.is_document_type:
        return _result_members(value, shape, spelling, read)
    if kind == "list" and isinstance(value, list):
        return [to_result(item, shape.member, spelling, read) for item in value]
    if kind == "map" and isinstance(value, Mapping):
        return {key: to_result(item, shape.value, spelling, read) for key, item in value.items()}
    if kind == "string" and not isinstance(value, str) and shape.serialization.get("jsonvalue"):
        return _json_text(value)  # botocore has parsed what Java's SDK leaves a text
    return value


def _result_members(value: Mapping[str, Any], shape: Any, spelling: Spelling, read: ReadStream) -> dict[str, Any]:
    return {
        spelling.member(shape.name, name): to_result(member, shape.members.get(name), spelling, read)
        for name, member in value.items()
    }


def iso_text(moment: dt.datetime) -> str:
    """A moment as Java prints an Instant: no fraction, or three or six digits of it."""
    utc = moment.astimezone(dt.UTC)
    fraction = "microseconds" if utc.microsecond % 1000 else "milliseconds"
    precision = fraction if utc.microsecond else "seconds"
    return utc.isoformat(timespec=precision).replace("+00:00", "Z")


def milliseconds(moment: dt.datetime) -> int:
    """A moment as version 1 of Java's SDK prints a Date."""
    return round(moment.timestamp() * 1000)


SDK_SPELLING = Spelling(member_name, iso_text)
"""Of `aws-sdk` integrations: DBInstances is DbInstances, taskArn is TaskArn."""
OPTIMISED_SPELLING = Spelling(lambda _structure, member: capitalised(member), milliseconds)
"""Of optimised integrations: the service's own name with a capital, such as DynamoDB's BOOL."""


def _bytes_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def missing_members(parameters: dict[str, Any], shape: Any) -> Iterator[str]:
    """Required members that are null: AWS's service refuses them, botocore would leave them out."""
    for name in shape.required_members if shape is not None else ():
        given = [key for key in parameters if _spelt(key, shape) == name]
        if given and all(parameters[key] is None for key in given):
            yield name
