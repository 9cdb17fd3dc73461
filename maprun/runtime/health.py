"""The small HTTP site of every process: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever keeps it up."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from maprun.runtime import connections

Check = Callable[[], str]
"""Answers "" when all is well, else what is missing, in words."""


def well() -> str:
    """A check that always passes."""
    return ""


def routes(
    ready: Check = well, healthy: Check = well, registry: CollectorRegistry = REGISTRY
) -> list[web.AbstractRouteDef]:
    """The three routes, to be added to a service's own site or served alone by `serve`.

    `healthy` false means: kill me. `ready` false means: don't rely on me yet. Both answer 503 with the reason.
    """

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def answer(check: Check) -> Callable[[web.Request], "web.Response"]:
        def respond(_request: web.Request) -> web.Response:
            reason = check()
            return web.json_response({"ok": not reason, "reason": reason}, status=503 if reason else 200)

        return respond

    health_answer, ready_answer = answer(healthy), answer(ready)

    async def healthz(request: web.Request) -> web.Response:
        return health_answer(request)

    async def readyz(request: web.Request) -> web.Response:
        return ready_answer(request)

    return [web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)]


class HealthSite:
    """A running site of the three routes. `port` is the one it really listens on."""

    def __init__(self, runner: web.AppRunner, port: int) -> None:
        self._runner = runner
        self.port = port

    async def close(self) -> None:
        """Stops listening."""
        await self._runner.cleanup()


async def serve(host: str, port: int, ready: Check = well, healthy: Check = well) -> HealthSite:
    """Starts the site in the running loop; port 0 takes any free one. Raises OSError when the port is taken."""
    application = web.Application(middlewares=[connections.attended])
    application.add_routes(routes(ready, healthy))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    bounds = connections.Connections(connections.ConnectionLimits())
    try:
        await connections.BoundedSite(runner, host, port, bounds).start()
    except OSError:
        await runner.cleanup()
        raise
    return HealthSite(runner, int(runner.addresses[0][1]))
