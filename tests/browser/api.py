"""An API of canned answers behind the console's own files, in a thread of its own; it keeps what it was asked."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from aiohttp import web

from services.maprun_tracker import console
from services.maprun_tracker.api import front

Json = dict[str, Any]
Answer = Callable[[Json], Json]

HOSTILE = '<img src=x onerror="window.broken=1"> {{7*7}} \' & </script><script>window.broken=1</script>'
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:orders"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:orders:nightly"
RUN = "arn:aws:states:us-east-1:123456789012:mapRun:orders/Each:0a0b0c0d-1111-2222-3333-444455556666"
CHILD = "arn:aws:states:us-east-1:123456789012:execution:orders/Each:child-{}"
START = 1_790_000_000.0


class RefusedError(Exception):
    """An answer that is a refusal."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


class Api:
    """Serves until it is stopped. `answers` are by operation, or by the name of a question under /maprun."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Json]] = []
        self.authorizations: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    async def _start(self) -> str:
        application = web.Application(middlewares=[front.middleware("", (), lambda: "id")])
        application.add_routes(console.routes())
        application.add_routes([web.post("/", self._post)])
        application.add_routes([web.get("/maprun/{name}", self._get), web.post("/maprun/{name}", self._act)])
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port: int = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        return f"http://127.0.0.1:{port}"

    async def _post(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].removeprefix("AWSStepFunctions.")
        self.authorizations.append(request.headers.get("Authorization", ""))
        return self._answered(operation, await request.json())

    async def _get(self, request: web.Request) -> web.Response:
        return self._answered(request.match_info["name"], dict(request.query))

    async def _act(self, request: web.Request) -> web.Response:
        return self._answered(request.match_info["name"], await request.json())

    def _answered(self, name: str, members: Json) -> web.Response:
        self.asked.append((name, members))
        try:
            return web.json_response(self.answers[name](members))
        except RefusedError as refused:
            return web.json_response({"__type": refused.code, "message": refused.message}, status=refused.status)

    def members_of(self, operation: str) -> list[Json]:
        """What an operation was asked with."""
        return [members for name, members in self.asked if name == operation]

    def stop(self) -> None:
        """Ends the server and its thread."""
        assert self._runner is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def address(view: str, arn: str, query: str = "") -> str:
    """The path of a view."""
    return f"/console/#/{view}/{quote(arn, safe='')}{query}"


def counts(**given: int) -> dict[str, int]:
    """ItemCounts or executionCounts; the total is their sum unless it is given."""
    names = ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "resultsWritten")
    out = {name: given.get(name, 0) for name in names}
    total = given.get("total", sum(out.values()) - out["resultsWritten"])
    return {**out, "total": total, "failuresNotRedrivable": 0, "pendingRedrive": given.get("pendingRedrive", 0)}


def child_row(number: int, status: str = "FAILED", name: str = "") -> Json:
    """One entry of ListExecutions by mapRunArn."""
    arn = CHILD.format(number)
    return {
        "executionArn": arn,
        "stateMachineArn": MACHINE,
        "name": name or f"child-{number}",
        "status": status,
        "startDate": START + number,
        "stopDate": START + number + 1.5,
        "mapRunArn": RUN,
        "itemCount": 1,
    }


def found(*rows: Json, token: str = "") -> Json:
    """A page of `/maprun/children`."""
    page: Json = {"mapRunArn": RUN, "childrenLookedAt": len(rows), "executions": list(rows)}
    return page | ({"nextToken": token} if token else {})


def of_run(
    items: dict[str, int], status: str = "RUNNING", expected: int | None = None, **members: object
) -> dict[str, Answer]:
    """What is answered of one Map Run without children."""
    run: Json = {
        "mapRunArn": RUN,
        "executionArn": EXECUTION,
        "status": status,
        "startDate": START,
        "maxConcurrency": 40,
        "toleratedFailureCount": 0,
        "toleratedFailurePercentage": 0.0,
        "itemCounts": items,
        "executionCounts": items,
        "redriveCount": 0,
        **members,
    }
    read = {"mapRunArn": RUN, "itemsRead": items["total"], "sourceEnded": expected is None}
    if expected is not None:
        read |= {"sourceShareRead": items["total"] / expected, "itemsExpected": expected}
    return {
        "DescribeMapRun": lambda _: run,
        "progress": lambda _: read,
        "children": lambda _: found(),
        "ListExecutions": lambda _: {"executions": []},
        "DescribeExecution": lambda ask: described(ask["executionArn"]),
        "ListMapRuns": lambda _: {"mapRuns": []},
        "history": lambda _: {"events": []},
        "results": lambda _: {"mapRunArn": RUN, "files": [], "filesInAll": 0},
        "errors": lambda _: {"mapRunArn": RUN, "childrenCounted": 0, "clusters": []},
    }


def described(arn: str, status: str = "FAILED", **members: object) -> Json:
    """DescribeExecution."""
    return {
        "executionArn": arn,
        "stateMachineArn": MACHINE,
        "name": arn.rpartition(":")[2],
        "status": status,
        "startDate": START,
        "input": '{"order": 7}',
        "redriveStatus": "NOT_REDRIVABLE",
        **members,
    }
