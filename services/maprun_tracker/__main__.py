"""The tracker's process: Faust's table, the API's site, Kafka for commands and histories, in one loop."""

import asyncio
import socket
import sys

import msgspec
from aiohttp import web
from prometheus_client import REGISTRY

from maprun.bus.kafka import KafkaHost
from maprun.bus.metrics import BusMetrics
from maprun.runtime import files, process
from maprun.runtime.connections import BoundedSite, Connections
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from services.maprun_tracker import tables
from services.maprun_tracker.compose import compose, connection_limits
from services.maprun_tracker.topology import SERVICE


async def main(settings: Settings, limits: Limits, stop: asyncio.Event) -> None:
    """Runs until `stop` is set, or until Kafka or Faust fail."""
    settings = msgspec.structs.replace(settings, instance=settings.instance or f"{SERVICE}-{socket.gethostname()}")
    host = KafkaHost(settings, limits, service=SERVICE)
    REGISTRY.register(BusMetrics(host))
    parts = compose(settings, limits, host)
    tracker = parts.tracker
    connections = Connections(connection_limits(settings, files.allow_many()))
    application = parts.site.application(lambda: host.ready() or tracker.ready(), host.healthy)
    runner = web.AppRunner(application, access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        for number in {settings.api_port, settings.http_port or settings.api_port}:
            await BoundedSite(runner, settings.http_host, number, connections).start()
        await host.start()
        parts.work_beside(host)
        tables.quieten_collector()
        async with asyncio.TaskGroup() as group:
            group.create_task(host.run(stop))
            group.create_task(tracker.run(stop))
    finally:
        await runner.cleanup()
        await host.close()


if __name__ == "__main__":
    tables.mend_faust()
    sys.exit(process.run(SERVICE, main))
