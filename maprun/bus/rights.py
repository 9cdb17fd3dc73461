"""What a client may do on the brokers, against what it must: said at the start, by topic and right. Pure."""

from collections.abc import Mapping

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidSessionTimeoutError,
    TopicAuthorizationFailedError,
)

from maprun.bus.topics import Standing
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings
from schemas.topics import CLUSTER, TOPICS, Topic


class NotAllowedError(SetupError):
    """An operator's ACLs keep this client from its work; the message names every topic or group, and the right."""


def require_rights(settings: Settings, service: str, found: Mapping[str, Standing]) -> None:
    """Raises NotAllowedError when these topics, by their names on Kafka, can't be used as the service has to.

    An empty service is a tool's: it must be able to look at all topics, and to use the topic `cluster`.
    """
    if said := refused(settings, service, found):
        raise NotAllowedError(said)


def refused(settings: Settings, service: str, found: Mapping[str, Standing]) -> str:
    """The rights on these topics that a service needs and doesn't have, in a sentence; empty when it has them all."""
    lacking: dict[str, list[str]] = {}
    for topic in TOPICS:
        stands = found.get(settings.prefix + topic.name)
        if stands is not None:
            for right in needed(topic, service) - stands.allowed:
                lacking.setdefault(right, []).append(settings.prefix + topic.name)
    if not lacking:
        return ""
    said = "; ".join(f"{right} on {', '.join(lacking[right])}" for right in sorted(lacking))
    return f"Kafka at {settings.kafka} does not allow this client: {said}. Give it these rights"


def needed(topic: Topic, service: str) -> frozenset[str]:
    """The rights on a topic without which a service can't work, in Kafka's words."""
    tool = not service and topic is CLUSTER
    reads, writes = service in topic.readers or tool, service in topic.writers or tool
    return frozenset({"Describe", *(["Read"] if reads else []), *(["Write"] if writes else [])})


def refusal(error: BaseException, settings: Settings, group: str, topic: str) -> SetupError | None:
    """What a broker's settings or rights keep a member of a group over a topic from; None when the error is another."""
    if isinstance(error, InvalidSessionTimeoutError):
        return SetupError(
            f"Kafka at {settings.kafka} refuses MAPRUN_SESSION_TIMEOUT_SECONDS={settings.session_timeout_seconds:g} for"
            f" group {group}: it must lie between the brokers' group.min.session.timeout.ms and"
            " group.max.session.timeout.ms"
        )
    if isinstance(error, GroupAuthorizationFailedError | TopicAuthorizationFailedError):
        on = f"group {group}" if isinstance(error, GroupAuthorizationFailedError) else f"topic {topic}"
        return NotAllowedError(
            f"Kafka at {settings.kafka} does not allow this client: Read on {on}. Give it this right"
        )
    return None
