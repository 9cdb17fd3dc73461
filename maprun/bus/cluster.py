"""What a process asks of the cluster before it works: which topics there are; and the making of those that aren't."""

from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from maprun.bus import topics
from maprun.bus.port import BusError
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings

_CREATE_MS_MAX = 30_000
_OVERRIDE = 1  # Kafka's ConfigSource for a setting of the topic itself


async def make_topics(settings: Settings, limits: Limits) -> list[str]:
    """Makes the topics of the registry that don't exist; answers their names.

    Of those that exist it mends the settings on which correctness hangs; retention and the like are the operator's.
    Raises TopicsDifferError when one exists with another count (it is left as it is), BusError when Kafka refuses or
    can't be reached. Called again, and by several processes at once, it does no harm.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        await admin.start()
        found = _counts(await admin.describe_topics())
        brokers = len((await admin.describe_cluster())["brokers"])
        want = topics.wanted(settings, limits, brokers)
        missing = [topic for topic in want if topic.name not in found]
        topics.refuse([said for said in topics.differences(want, found) if not said.endswith("does not exist")])
        made: list[str] = []
        await _mend(admin, [topic for topic in want if topic.name in found])
        if missing:
            copies = topics.replicas(brokers)
            new = [NewTopic(t.name, t.partitions, copies, topic_configs=t.config) for t in missing]
            answer = await admin.create_topics(new, timeout_ms=_CREATE_MS_MAX)
            for name, code, *said in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise BusError(f"topic {name} can't be made: {error.__name__} {said[0] if said else ''}")
                if not code:
                    made.append(name)
    except (KafkaError, OSError) as error:
        raise BusError(f"Kafka at {settings.kafka}: {error}") from error
    finally:
        await admin.close()
    return made


async def _mend(admin: AIOKafkaAdminClient, existing: list[topics.Wanted]) -> None:
    """Brings the settings of existing topics in line where they must be, and leaves their other overrides alone."""
    if not existing:
        return
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in existing]
    found: dict[str, list[tuple[str, str, bool, int]]] = {}
    for answer in await admin.describe_configs(asked):
        found |= {resource[3]: [entry[:4] for entry in resource[4]] for resource in answer.resources}
    changed: list[ConfigResource] = []
    for topic in existing:
        must = {name: topic.config[name] for name in topics.MUST}
        if any(must.get(name, value) != value for name, value, *_ in found[topic.name]):
            # The request replaces all overrides of a topic, so those that stay are said again.
            kept = {name: value for name, value, _, source in found[topic.name] if source == _OVERRIDE}
            changed.append(ConfigResource(ConfigResourceType.TOPIC, topic.name, {**kept, **must}))
    if changed:
        for answer in await admin.alter_configs(changed):
            for code, said, _, name in answer.resources:
                if code:
                    raise BusError(f"topic {name} can't be mended: {for_code(code).__name__} {said or ''}")


async def check_topics(client: AIOKafkaClient, settings: Settings, limits: Limits) -> None:
    """Compares the cluster's topics with the settings. Raises TopicsDifferError on any difference."""
    try:
        cluster = await client.fetch_all_metadata()
    except KafkaError as error:
        raise BusError(f"Kafka at {settings.kafka}: {error}") from error
    found = {name: len(cluster.partitions_for_topic(name) or ()) for name in cluster.topics()}
    topics.refuse(topics.differences(topics.wanted(settings, limits), found))


def _counts(described: list[dict[str, Any]]) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}
