"""The tracker's process: Faust's table, the API's site, Kafka for commands and histories, in one loop."""

import asyncio
import socket
import sys

import msgspec
from aiohttp import web
from prometheus_client import REGISTRY

from maprun.bus.kafka import KafkaHost
from maprun.bus.metrics import BusMetrics
from maprun.interpreter import Limits as ExecutionLimits
from maprun.interpreter.roots import RootInterpreter
from maprun.runtime import clock, process
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from services.maprun_tracker import tables
from services.maprun_tracker.api.making import make_service
from services.maprun_tracker.api.site import Site
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.topology import SERVICE
from services.maprun_tracker.tracker import Tracker


async def main(settings: Settings, limits: Limits, stop: asyncio.Event) -> None:
    """Runs until `stop` is set, or until Kafka or Faust fail."""
    settings = msgspec.structs.replace(settings, instance=settings.instance or f"{SERVICE}-{socket.gethostname()}")
    own = TrackerLimits()
    host = KafkaHost(settings, limits, service=SERVICE)
    REGISTRY.register(BusMetrics(host))
    sizes = settings.payload_bytes_max, settings.history_events_max
    root_limits = ExecutionLimits(*sizes, plan_bytes_max=limits.plan_bytes_max)
    tracker = Tracker(settings, limits, own, RootInterpreter(root_limits, host.secret), host)
    service = make_service(settings, host.port(), tracker, own, tracker.fold_limits, host.secret)
    site = Site(service, tracker, f"{settings.instance}/{clock.wall_ms()}", settings.api, settings.api_host_names)
    runner = web.AppRunner(
        site.application(lambda: host.ready() or tracker.ready(), host.healthy), access_log=None, auto_decompress=False
    )
    await runner.setup()
    try:
        for number in {settings.api_port, settings.http_port or settings.api_port}:
            await web.TCPSite(runner, settings.http_host, number).start()
        await host.start()
        host.beside("machines", service.follow)
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
