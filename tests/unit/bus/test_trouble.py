"""What a process says when Kafka lets it down: the reason, not that it isn't ready."""

import asyncio
import logging
from typing import Any

from aiokafka import TopicPartition

from maprun.bus.fetcher import Fetcher
from maprun.bus.limits import BusLimits
from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.quiet import quieten
from maprun.runtime.limits import Limits


class Client:
    """A client that knows who leads what, and can fetch nothing."""

    def __init__(self, leaders: dict[tuple[str, int], int]) -> None:
        self._leaders = leaders
        self.cluster = self

    def leader_for_partition(self, partition: TopicPartition) -> int | None:
        """The node."""
        return self._leaders.get((partition.topic, partition.partition))

    def force_metadata_update(self) -> None:
        """Nothing new is learnt."""

    async def send(self, _node: int, _request: Any, group: int) -> Any:
        """No answer comes."""
        assert group
        await asyncio.sleep(60)


def test_partitions_without_a_leader_are_named() -> None:
    """While a broker is away the process says which partitions it can't read; closed feeds are nobody's concern."""

    async def run() -> None:
        leaders = {("p.home", 0): 1, ("p.home", 1): -1}
        fetcher = Fetcher(Client(leaders), "p.", Limits(), BusLimits())
        mailbox = KafkaMailbox(asyncio.get_running_loop())
        feeds = [fetcher.feed("home", partition, 0, mailbox) for partition in range(3)]
        await asyncio.sleep(0)
        assert fetcher.trouble() == "Kafka has no leader for p.home/1, p.home/2"
        feeds[2].close()
        leaders["p.home", 1] = 1
        assert fetcher.trouble() == ""
        await fetcher.close()

    asyncio.run(run())


def test_what_aiokafka_only_logs_is_remembered() -> None:
    """A wrong password reaches the caller as "unable to bootstrap"; the log line that has the reason is kept."""
    logger = logging.getLogger("aiokafka.test_trouble")
    said = quieten()
    assert quieten() is said
    logger.error('Unable connect to "%s:%s": %s', "kafka", 9092, "[Error 58] SaslAuthenticationFailed")
    logger.warning("later")
    assert said.trouble == 'Unable connect to "kafka:9092": [Error 58] SaslAuthenticationFailed'
