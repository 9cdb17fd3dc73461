"""What users send and get by topic: requests, rejections and status events."""

from schemas.home import Origin
from schemas.wire import Fact

_RECORD = "record"
"""What the ids of requests begin with that came by a record, where a UUID has digits."""


def record_id(origin: Origin) -> str:
    """The id of the request that a record is: whoever refuses it later knows the record."""
    return f"{_RECORD}/{origin.partition}/{origin.offset}/{origin.topic}"


def record_of(request_id: str) -> Origin | None:
    """The record that a request came from; None for one of the API."""
    kind, _, rest = request_id.partition("/")
    if kind != _RECORD:
        return None
    partition, offset, topic = rest.split("/", 2)
    return Origin(topic, int(partition), int(offset))


class RequestRejected(Fact, frozen=True):
    """A record of `execution-requests` that was refused: AWS's error name, its message, and the record itself.

    On the topic it is JSON: {"origin": {topic, partition, offset}, "error": …, "message": …, "record": text}.
    """

    origin: Origin
    error: str
    message: str
    record: bytes
