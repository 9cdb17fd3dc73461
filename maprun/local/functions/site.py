"""The HTTP face of the function host: Lambda's Invoke call, whether it has a function, and health."""

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import unquote

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from maprun.local.functions import answers
from maprun.local.functions.invoking import Functions, refused, too_large
from maprun.local.functions.log_search import logs_of
from schemas.invocations import EXECUTION_HEADER, LOGS_PATH, Answered, Invocation
from schemas.traces import XRAY_HEADER

INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
CONFIGURATION = re.compile(r"/2015-03-31/functions/([^/]+)/configuration/?")
_HTTP_ACCEPTED, _HTTP_NO_CONTENT = 202, 204


class Site:
    """Answers requests. `handle` is what an `aiohttp.web.Server` calls."""

    def __init__(self, functions: Functions, log_dir: Path, registry: CollectorRegistry) -> None:
        self._functions = functions
        self._log_dir = log_dir
        self._searching = asyncio.Lock()
        self._registry = registry

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answers one request."""
        path = request.rel_url.raw_path
        matched = INVOKE.fullmatch(path)
        if matched is not None and request.method == "POST":
            return await self._invoke(unquote(matched.group(1)), request)
        asked = CONFIGURATION.fullmatch(path)
        if asked is not None and request.method == "GET":
            return self._configuration(unquote(asked.group(1)), request.rel_url.query.get("Qualifier", ""))
        if path == LOGS_PATH and request.method == "GET":
            return await self._logs(request.rel_url.query.get("execution", ""))
        if path in {"/readyz", "/healthz"}:
            return web.json_response({"ok": True, "reason": ""})
        if path == "/metrics":
            return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
        message = f"No operation of Lambda but Invoke and GetFunctionConfiguration is here: {path}"
        return _response(refused(0, 404, "UnknownOperationException", message, "-"))

    def _configuration(self, name: str, qualifier: str) -> web.Response:
        """Lambda's GetFunctionConfiguration, as far as it says that there is such a function."""
        refusal = self._functions.refusal(Invocation(number=0, function=name, payload=b"", qualifier=qualifier))
        return _response(refusal) if refusal is not None else web.json_response({"FunctionName": name})

    async def _logs(self, execution: str) -> web.Response:
        """What functions printed for an execution. One question at a time reads the logs."""
        if not execution:
            return _response(refused(0, 400, "InvalidParameterValueException", "`execution` is missing", "-"))
        async with self._searching:
            found = await asyncio.to_thread(logs_of, self._log_dir, execution)
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    async def _invoke(self, name: str, request: web.BaseRequest) -> web.Response:
        """Lambda's Invoke, all three invocation types."""
        headers = request.headers
        kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
        asked = Invocation(
            number=0,
            function=name,
            payload=b"",
            idempotency_key=headers.get("X-Maprun-Idempotency-Key", ""),
            qualifier=request.rel_url.query.get("Qualifier", ""),
            client_context=headers.get("X-Amz-Client-Context", ""),
            log_tail=headers.get("X-Amz-Log-Type") == "Tail",
            trace=headers.get(XRAY_HEADER, ""),
            execution=headers.get(EXECUTION_HEADER, ""),
        )
        refusal = self._functions.refusal(asked)
        if refusal is not None:
            return _response(refusal)
        length = request.content_length
        if length is None and request.can_read_body:
            return _response(refused(0, 411, "LengthRequiredException", "Content-Length is required", "-"))
        if length is not None and length > answers.REQUEST_BYTES_MAX:
            return _response(too_large(0))
        if kind == "DryRun":
            return web.Response(status=_HTTP_NO_CONTENT, headers={"x-amzn-RequestId": self._functions.new_id()})
        payload = await request.content.read()  # bounded by the length above; `read()` stops at 1 MiB
        asked = msgspec.structs.replace(asked, payload=payload)
        if kind == "Event":
            if not _is_json(payload):
                message = "Could not parse request body into json"
                return _response(refused(0, 400, "InvalidRequestContentException", message, "-"))
            waiting = self._functions.invoke(asked, lambda _answered: None)
            request_id = waiting.call.request_id if waiting is not None else "-"
            return web.Response(status=_HTTP_ACCEPTED, headers={"x-amzn-RequestId": request_id})
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._functions.invoke(asked, answer.set_result)
        return _response(await asyncio.shield(answer))


def _is_json(payload: bytes) -> bool:
    """Whether a payload can be an event; nothing at all can."""
    try:
        json.loads(payload or b"{}")
    except (ValueError, RecursionError):
        return False
    return True


def _response(answered: Answered) -> web.Response:
    """An answer in HTTP's words."""
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": answered.request_id}
    if answered.executed_version:
        headers["X-Amz-Executed-Version"] = answered.executed_version
    if answered.function_error:
        headers["X-Amz-Function-Error"] = answered.function_error
    if answered.error_type:
        headers["x-amzn-ErrorType"] = answered.error_type
    if answered.log_result:
        headers["X-Amz-Log-Result"] = answered.log_result
    return web.Response(body=answered.body, status=answered.status, headers=headers)
