"""How topics stand on the brokers right now: Kafka's id of each, its partitions, and what this client may do with it.

aiokafka's own metadata requests end at version 5; ids came with version 10 (Kafka 2.8, KIP-516). A topic that is
deleted and made again under its name gets another id, which nothing else tells.
"""

import uuid
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from maprun.bus.port import BusError
from maprun.bus.topics import Standing

NO_ID = uuid.UUID(int=0)
_UNKNOWN_TOPIC = 3
_NOT_ALLOWED = 29
_NOT_TOLD = -(1 << 31)  # a broker that keeps what is allowed to itself
OPERATIONS = {
    3: "Read",
    4: "Write",
    5: "Create",
    6: "Delete",
    7: "Alter",
    8: "Describe",
    10: "DescribeConfigs",
    11: "AlterConfigs",
}
"""Kafka's numbers of operations on a topic (AclOperation): bits of the field `topic_authorized_operations`."""


class _Id(AbstractType[uuid.UUID]):  # type: ignore[misc]
    """Kafka's UUID: 16 bytes."""

    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Id),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Id), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc]
    """Asks for topics by name; never makes one."""

    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        return request_struct_class([(NO_ID, name, {}) for name in self._names], False, False, True, {})


async def topics_as_they_stand(client: AIOKafkaClient, names: Sequence[str]) -> dict[str, Standing]:
    """The topics of these names that exist (or are hidden from this client). Raises BusError."""
    node = client.get_random_node()
    if node is None:
        raise BusError("no broker is known")
    try:
        answer: Any = await client.send(node, _MetadataRequest(names))
    except NotImplementedError as error:  # aiokafka's word for a version that a broker doesn't speak
        raise BusError("Kafka 2.8 or newer is needed: this one tells no ids of its topics") from error
    except KafkaError as error:
        raise BusError(f"no metadata: {error!r}") from error
    found = {topic[1]: _standing(topic) for topic in answer.topics}
    return {name: standing for name, standing in found.items() if standing is not None}


def _standing(topic: Sequence[Any]) -> Standing | None:
    """One topic of the answer; None for one that isn't there. Raises BusError on what is only for the moment."""
    code, name, topic_id, _, partitions, allowed, _ = topic
    if code == _UNKNOWN_TOPIC:
        return None
    if code == _NOT_ALLOWED:
        return Standing("", 0, frozenset())
    if code and not partitions:
        raise BusError(f"no metadata of topic {name}: {for_code(code).__name__}")
    leaderless = tuple(sorted(number for _, number, leader, *_ in partitions if leader < 0))
    may = frozenset(word for bit, word in OPERATIONS.items() if allowed == _NOT_TOLD or allowed >> bit & 1)
    copies = min((len(replicas) for _, _, _, _, replicas, *_ in partitions), default=0)
    return Standing(str(topic_id), len(partitions), may, leaderless, copies)
