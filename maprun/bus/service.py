"""A whole service process: settings, health, Kafka, owners, until it is told to stop."""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from prometheus_client import REGISTRY

from maprun.bus.kafka import KafkaHost, Owned
from maprun.bus.metrics import BusMetrics
from maprun.bus.topics import TopicsDifferError
from maprun.runtime import health, logs, process
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings

Compose = Callable[[Settings, Limits], Sequence[Owned]]
"""Makes what a service's owners need and says which topics it owns."""
Prepare = Callable[[KafkaHost], Awaitable[None]]
"""Starts what runs beside the owners, after the host has connected."""


def run_service(service: str, compose: Compose, prepare: Prepare | None = None) -> int:
    """Runs a service until a signal; answers its exit code.

    A bug, or a Kafka that can't be reached, ends the process so that its launcher starts it again; topics that differ
    from the settings end it with EXIT_SETTINGS, for starting again won't help.
    """

    async def main(settings: Settings, limits: Limits, stop: asyncio.Event) -> None:
        named = settings.instance or f"{service}-{socket.gethostname()}"
        await serve(msgspec.structs.replace(settings, instance=named), limits, stop, compose, prepare)

    try:
        return process.run(service, main)
    except TopicsDifferError as error:
        sys.stderr.write(f"{service}: {error}\n")
        return process.EXIT_SETTINGS


async def serve(
    settings: Settings, limits: Limits, stop: asyncio.Event, compose: Compose, prepare: Prepare | None = None
) -> None:
    """The same within a running loop."""
    host = KafkaHost(settings, limits, compose(settings, limits))
    metrics = BusMetrics(host)
    REGISTRY.register(metrics)
    site = await health.serve(settings.http_host, settings.http_port, host.ready, host.healthy)
    logs.logger("bus").info("service_started", health_port=site.port, kafka=settings.kafka)
    try:
        await host.start()
        if prepare is not None:
            await prepare(host)
        await host.run(stop)
    finally:
        await host.close()
        await site.close()
        REGISTRY.unregister(metrics)
