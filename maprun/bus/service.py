"""A whole service process: settings, health, Kafka, owners, until it is told to stop."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from prometheus_client import REGISTRY

from maprun.bus.kafka import KafkaHost, Owned
from maprun.bus.metrics import BusMetrics
from maprun.runtime import health, logs, process
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.tokens import TokenSecret


class Composed(msgspec.Struct, frozen=True):
    """A service put together: what it owns, what it starts beside its owners, what it closes after them."""

    owned: Sequence[Owned]
    secret: TokenSecret | None = None  # which learns the cluster's when the host starts
    prepare: Callable[[KafkaHost], Awaitable[None]] | None = None  # after the host has connected, before owners start
    close: Sequence[Callable[[], Awaitable[None]]] = ()


Compose = Callable[[Settings, Limits], Composed]
"""Puts a service together, within the running loop."""


def run_service(service: str, compose: Compose) -> int:
    """Runs a service until a signal; answers its exit code.

    A bug, or a Kafka that can't be reached, ends the process so that its launcher starts it again; what only a person
    can mend (a SetupError: topics, rights, names) ends it with EXIT_SETTINGS.
    """

    async def main(settings: Settings, limits: Limits, stop: asyncio.Event) -> None:
        named = settings.instance or f"{service}-{socket.gethostname()}"
        await serve(service, msgspec.structs.replace(settings, instance=named), limits, stop, compose)

    return process.run(service, main)


async def serve(service: str, settings: Settings, limits: Limits, stop: asyncio.Event, compose: Compose) -> None:
    """The same within a running loop."""
    composed = compose(settings, limits)
    host = KafkaHost(settings, limits, composed.owned, service=service, secret=composed.secret)
    metrics = BusMetrics(host)
    REGISTRY.register(metrics)
    site = await health.serve(settings.http_host, settings.http_port, host.ready, host.healthy)
    logs.logger("bus").info("service_started", health_port=site.port, kafka=settings.kafka)
    try:
        await host.start()
        if composed.prepare is not None:
            await composed.prepare(host)
        await host.run(stop)
    finally:
        await host.close()
        for close in composed.close:
            await close()
        await site.close()
        REGISTRY.unregister(metrics)
