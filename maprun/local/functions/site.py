"""The HTTP face of the function host: Lambda's Invoke call, and health. Nothing else of Lambda's API."""

import asyncio
import base64
import json
import os
import re
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest

from maprun.local.functions import answers
from maprun.local.functions.frames import BAD_REQUEST, OK, Call
from maprun.local.functions.pool import Pool, ThrottledError
from maprun.runtime import clock
from schemas.arns import partition_of

INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
NAME = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:|(?:\d{12}:)?(?:function:)?)"
    r"([A-Za-z0-9_-]{1,140})(?::([A-Za-z0-9$_-]{1,128}))?"
)
FOUND_SECONDS = 0.2  # a new file is a function so soon
_HTTP_ACCEPTED, _HTTP_NO_CONTENT = 202, 204


class Site:
    """Answers requests. `handle` is what an `aiohttp.web.Server` calls."""

    def __init__(
        self, pool: Pool, folder: Path, region: str, account: str, timeout_seconds: float, registry: CollectorRegistry
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._folder = folder
        self._arn = f"arn:{partition_of(region)}:lambda:{region}:{account}:function:"
        self._timeout_ms = int(timeout_seconds * 1000)
        self._found: dict[str, tuple[float, str]] = {}
        # Ids shaped like UUIDs, one prefix a process and a count: cheaper than drawing each.
        prefix = os.urandom(10).hex()
        self._id_prefix = f"{prefix[:8]}-{prefix[8:12]}-4{prefix[12:15]}-8{prefix[15:18]}-"
        self._count = 0
        self._background: set[asyncio.Task[web.Response]] = set()
        self._invocations = Counter("function_invocations", "Calls of functions", ["outcome"], registry=registry)
        self._succeeded = self._invocations.labels("succeeded")
        self._failed = self._invocations.labels("failed")

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answers one request."""
        path = request.rel_url.raw_path
        matched = INVOKE.fullmatch(path)
        if matched is not None and request.method == "POST":
            return await self._invoke(unquote(matched.group(1)), request)
        if path in {"/readyz", "/healthz"}:
            reason = self._pool.problem()
            return web.json_response({"ok": not reason, "reason": reason}, status=503 if reason else 200)
        if path == "/metrics":
            return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
        return _refusal(404, "UnknownOperationException", f"No operation of Lambda but Invoke is here: {path}", "-")

    async def _invoke(self, name: str, request: web.BaseRequest) -> web.Response:
        """Lambda's Invoke, all three invocation types."""
        self._count += 1
        request_id = f"{self._id_prefix}{self._count:012x}"
        headers = request.headers
        kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
        matched = NAME.fullmatch(name)
        if matched is None:
            message = f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint"
            return _refusal(400, "ValidationException", message, request_id)
        function = matched.group(1)
        file = self._file_of(function)
        if not file:
            return _refusal(404, "ResourceNotFoundException", f"Function not found: {self._arn}{function}", request_id)
        length = request.content_length
        if length is None and request.can_read_body:
            return _refusal(411, "LengthRequiredException", "Content-Length is required", request_id)
        if length is not None and length > answers.REQUEST_BYTES_MAX:
            message = f"Request must be smaller than {answers.REQUEST_BYTES_MAX} bytes for the InvokeFunction operation"
            return _refusal(413, "RequestTooLargeException", message, request_id)
        if kind == "DryRun":
            return web.Response(status=_HTTP_NO_CONTENT, headers={"x-amzn-RequestId": request_id})
        call = Call(
            number=0,
            path=file,
            function=function,
            arn=self._arn + function,
            request_id=request_id,
            deadline_ms=clock.wall_ms() + self._timeout_ms,
            client_context=headers.get("X-Amz-Client-Context", ""),
            idempotency_key=headers.get("X-Maprun-Idempotency-Key", ""),
            payload=await request.content.read(),  # bounded by the length above; `read()` stops at 1 MiB
        )
        if kind == "Event":
            if not _is_json(call.payload):
                message = "Could not parse request body into json"
                return _refusal(400, "InvalidRequestContentException", message, request_id)
            task = asyncio.get_running_loop().create_task(self._run(call, headers))
            self._background.add(task)
            task.add_done_callback(self._background.discard)
            return web.Response(status=_HTTP_ACCEPTED, headers={"x-amzn-RequestId": request_id})
        return await self._run(call, headers)

    async def _run(self, call: Call, headers: CIMultiDictProxy[str]) -> web.Response:
        """Runs a call and words its outcome."""
        try:
            outcome = await self._pool.invoke(call)
        except ThrottledError:
            return _refusal(429, "TooManyRequestsException", "Rate Exceeded.", call.request_id)
        if outcome.kind == BAD_REQUEST:
            message = f"Could not parse request body into json: {outcome.body.decode()}"
            return _refusal(400, "InvalidRequestContentException", message, call.request_id)
        answer = CIMultiDict(
            {
                "Content-Type": "application/json",
                "x-amzn-RequestId": call.request_id,
                "X-Amz-Executed-Version": "$LATEST",
            }
        )
        if outcome.kind == OK:
            self._succeeded.inc()
        else:
            self._failed.inc()
            answer["X-Amz-Function-Error"] = "Unhandled"
        if headers.get("X-Amz-Log-Type") == "Tail":
            tail = f"START RequestId: {call.request_id} Version: $LATEST\nEND RequestId: {call.request_id}\n"
            answer["X-Amz-Log-Result"] = base64.b64encode(tail.encode()).decode()
        return web.Response(body=outcome.body, headers=answer)

    def _file_of(self, function: str) -> str:
        """The file of a function, or nothing; `my-fn` may live in `my_fn.py`."""
        now = clock.monotonic_seconds()
        known = self._found.get(function)
        if known is not None and now - known[0] < FOUND_SECONDS:
            return known[1]
        candidates = (self._folder / f"{function}.py", self._folder / f"{function.replace('-', '_')}.py")
        file = next((str(path) for path in candidates if path.is_file()), "")
        if file:
            self._found[function] = (now, file)
        else:
            self._found.pop(function, None)
        return file


def _is_json(payload: bytes) -> bool:
    """Whether a payload can be an event; nothing at all can."""
    try:
        json.loads(payload or b"{}")
    except (ValueError, RecursionError):
        return False
    return True


def _refusal(status: int, name: str, message: str, request_id: str) -> web.Response:
    """Lambda's shape of an error that is the service's, not the function's."""
    kind = "Server" if status >= 500 else "User"  # noqa: PLR2004 - HTTP's own classes
    return web.Response(
        body=json.dumps({"Type": kind, "Message": message, "message": message}).encode(),
        status=status,
        headers={
            "Content-Type": "application/json",
            "x-amzn-RequestId": request_id,
            "x-amzn-ErrorType": name,
        },
    )
