"""What a tool has of a cluster: its topics and their settings as they stand, without being one of its processes."""

import contextlib
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from maprun.bus.cluster import look
from maprun.bus.configs import Configs
from maprun.bus.fetcher import Fetcher
from maprun.bus.limits import bus_limits_of
from maprun.bus.mark import Mark
from maprun.bus.port import BusError
from maprun.bus.quiet import never_make_topics
from maprun.bus.security import client_options, require_welcome
from maprun.bus.topics import Standing
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings


class Administration:
    """The connections of one tool."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        never_make_topics()
        own = bus_limits_of(limits)
        options = {
            "bootstrap_servers": settings.kafka,
            "client_id": f"{settings.prefix}topics",
            "request_timeout_ms": int(own.request_seconds_max * 1000),
            **client_options(settings),
        }
        self._settings = settings
        self.client = AIOKafkaClient(**options)
        self.admin = AIOKafkaAdminClient(**options)
        self.fetcher = Fetcher(self.client, settings.prefix, limits, own)
        self.configs = Configs(self.admin, settings, limits)

    async def start(self) -> None:
        """Connects. Raises SetupError when a broker refuses this client, KafkaError when none is there."""
        try:
            await self.client.bootstrap()
        except KafkaError:
            await require_welcome(self._settings)
            raise
        await self.admin.start()

    async def close(self) -> None:
        """Disconnects."""
        await self.fetcher.close()
        await self.admin.close()
        await self.client.close()

    async def look(self) -> tuple[Mark | None, dict[str, Standing]]:
        """The mark, and the topics of our names, as of one moment."""
        return await look(self.client, self.fetcher, self._settings)

    async def brokers(self) -> int:
        """How many brokers there are."""
        return len((await self.admin.describe_cluster())["brokers"])


@contextlib.asynccontextmanager
async def administering(settings: Settings, limits: Limits) -> AsyncIterator[Administration]:
    """Connections while the block runs. Raises BusError when Kafka can't be reached, SetupError when it refuses."""
    administration = Administration(settings, limits)
    try:
        await administration.start()
        yield administration
    except (KafkaError, OSError) as error:
        raise BusError(f"Kafka at {settings.kafka}: {error}") from error
    finally:
        await administration.close()
