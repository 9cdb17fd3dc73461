"""What a process asks of the cluster before it works: whether its topics are there, ours, and the ones we knew."""

from collections.abc import Mapping

import msgspec
from aiokafka import AIOKafkaClient

from maprun.bus.fetcher import Fetcher
from maprun.bus.mark import Mark, decode, fold_mark, not_ours, require
from maprun.bus.rights import require_rights
from maprun.bus.standing import topics_as_they_stand
from maprun.bus.topics import Standing, TopicsDifferError
from maprun.runtime.settings import Settings
from schemas.cluster import ClusterRecord
from schemas.topics import CLUSTER, TOPICS


class Known(msgspec.Struct, frozen=True):
    """The cluster that a process works on, as it was at its start."""

    mark: Mark  # with the topic `cluster` itself among its topics
    cluster: str  # what positions are kept under: Kafka's id of the topic `cluster`, and where its mark begins
    topics: Mapping[str, Standing]  # by their names on Kafka


async def look(client: AIOKafkaClient, fetcher: Fetcher, settings: Settings) -> tuple[Mark | None, dict[str, Standing]]:
    """The mark, and the topics of our names, as of one moment. Raises BusError, TopicsDifferError, NotAllowedError."""
    names = [settings.prefix + topic.name for topic in TOPICS]
    mark = None
    while True:
        found = await topics_as_they_stand(client, names)
        require_rights(settings, "", found)
        # Only topics that are there are made known to the client: its requests could make the others.
        await client.set_topics(list(found))
        again = await _mark(fetcher, settings) if settings.prefix + CLUSTER.name in found else None
        if again == mark:
            return mark, found
        mark = again


async def check_topics(client: AIOKafkaClient, fetcher: Fetcher, settings: Settings, service: str) -> Known:
    """Compares the topics with the mark and the settings. Raises BusError, and what a person must mend."""
    mark, found = await look(client, fetcher, settings)
    known = require(settings, mark, found)
    require_rights(settings, service, found)
    own = found[settings.prefix + CLUSTER.name].id
    known = msgspec.structs.replace(known, topics={**known.topics, CLUSTER.name: own})
    return Known(known, f"{own}/{known.began}", found)


async def _mark(fetcher: Fetcher, settings: Settings) -> Mark | None:
    end = await fetcher.end_offset(CLUSTER.name, 0)
    records: list[tuple[int, ClusterRecord]] = []
    for record in await fetcher.read(CLUSTER.name, 0, 0, end):
        try:
            records.append((record.offset, decode(record.value)))
        except msgspec.DecodeError as error:
            raise TopicsDifferError(not_ours(settings)) from error
    return fold_mark(records)
