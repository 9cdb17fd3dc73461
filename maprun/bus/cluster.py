"""What a process asks of the cluster before it works: which topics there are; and the making of those that aren't."""

from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from maprun.bus import topics
from maprun.bus.port import BusError
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings

_CREATE_MS_MAX = 30_000


async def make_topics(settings: Settings, limits: Limits) -> list[str]:
    """Makes the topics of the registry that don't exist; answers their names.

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
