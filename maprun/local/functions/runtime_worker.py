"""A process of any language that speaks Lambda's Runtime API, such as AWS's own runtime clients do.

The process asks for its next invocation and answers it over HTTP (`runtimes-api` in Lambda's guide); each has a port of
its own, by which the host knows who asks. It runs one call at a time.
"""

import asyncio
import codecs
import json
import re
from collections import deque
from collections.abc import Mapping
from typing import BinaryIO

from aiohttp import web

from maprun.local.children import end_with_parent, kill
from maprun.local.functions import answers
from maprun.local.functions.call_log import CallLog
from maprun.local.functions.catalog import Function
from maprun.local.functions.context import client_context_of
from maprun.local.functions.frames import OK, UNHANDLED, Outcome
from maprun.local.functions.workers import Owner, Waiting, Worker

API = "/2018-06-01/runtime"
_ANSWER = re.compile(rf"{API}/invocation/([^/]+)/(response|error)")
_READ_BYTES = 64 << 10
_HTTP_ACCEPTED = 202


class RuntimeWorker(Worker):
    """One process and its port."""

    def __init__(
        self, owner: Owner, function: Function, seconds_max: float, environment: Mapping[str, str], log: BinaryIO
    ) -> None:
        super().__init__(owner, function, seconds_max, 1, log)
        self._environment = environment
        self._given: deque[Waiting] = deque()  # a call that the process has not asked for yet
        self._asked_for = asyncio.Event()
        self._begun: Waiting | None = None
        self._call_log: CallLog | None = None  # of the call that has begun
        self._server = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Opens the port and starts the process. Raises OSError."""
        await self._server.setup()
        await web.TCPSite(self._server, "127.0.0.1", 0).start()
        port = self._server.addresses[0][1]
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.function.configuration.command,
                env={**self._environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"},
                cwd=self.function.root,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent(),
            )
        except OSError:
            await self._server.cleanup()
            raise
        self._watch = asyncio.create_task(self._until_it_ends(self._process))

    def send(self, waiting: Waiting) -> None:
        """The call is what the process gets when it asks for the next one."""
        self._given.append(waiting)
        self._asked_for.set()

    def kill(self) -> None:
        """Ends the process and what it started; `ended` follows."""
        if self._process is not None:
            kill(self._process)

    # ------------------------------------------------------------------ the process

    async def _until_it_ends(self, process: asyncio.subprocess.Process) -> None:
        """Takes what the process prints into the function's log, and tells of its end."""
        assert process.stdout is not None
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        while read := await process.stdout.read(_READ_BYTES):
            text = decoder.decode(read)
            if self._call_log is not None:
                self._call_log.write(text)
            else:
                self._append(text)
        status = await process.wait()
        self._end_log(failed=True)
        self.kill()  # what it started
        begun = {number for number, waiting in self.calls.items() if waiting is self._begun}
        await self._server.cleanup()
        self.ended(status, begun, 0)

    # ------------------------------------------------------------------ the Runtime API

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if request.method == "GET" and path == f"{API}/invocation/next":
            return await self._next()
        body = await request.read() if request.can_read_body else b""
        if request.method == "POST" and path == f"{API}/init/error":
            self.init_error = body or answers.error_body("Runtime.Unknown", "The runtime could not start", "")
            return _said(_HTTP_ACCEPTED, {"status": "OK"})
        matched = _ANSWER.fullmatch(path)
        if request.method != "POST" or matched is None:
            return _said(404, {"errorType": "InvalidPath", "errorMessage": f"The Runtime API has no {path}"})
        await self._read_what_was_printed()
        return self._answered(matched[1], body, failed=matched[2] == "error")

    async def _next(self) -> web.Response:
        """The next call, once there is one."""
        self.settled.set()
        while not self._given:
            self._asked_for.clear()
            await self._asked_for.wait()
        waiting = self._begun = self._given.popleft()
        call = waiting.call
        self._call_log = CallLog(call, self._environment, self._append)
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": call.request_id,
            "Lambda-Runtime-Deadline-Ms": str(call.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": call.arn,
            "Lambda-Runtime-Trace-Id": call.trace or f"Root=1-{call.deadline_ms // 1000:08x}-{'0' * 24};Sampled=0",
        }
        context = client_context_of(call)
        if context:
            headers["Lambda-Runtime-Client-Context"] = json.dumps(context)
        return web.Response(body=call.payload or b"{}", headers=headers)

    def _answered(self, request_id: str, body: bytes, *, failed: bool) -> web.Response:
        waiting = self._begun
        if waiting is None or waiting.call.request_id != request_id:
            message = f"No invocation {request_id} is under way in this process"
            return _said(400, {"errorType": "InvalidRequestID", "errorMessage": message})
        self._begun = None
        self.calls.pop(waiting.call.number, None)
        log = self._end_log(failed=failed)
        if not failed and len(body) > answers.RESPONSE_BYTES_MAX:
            waiting.end(Outcome(waiting.call.number, UNHANDLED, answers.too_large(len(body)), log))
            response = _said(413, {"errorType": "RequestEntityTooLarge", "errorMessage": "The answer is too large"})
        else:
            waiting.end(Outcome(waiting.call.number, UNHANDLED if failed else OK, body, log))
            response = _said(_HTTP_ACCEPTED, {"status": "OK"})
        self.owner.after_answers(self)
        return response

    async def _read_what_was_printed(self) -> None:
        """What a process prints before it answers stands in its pipe when the answer comes: two turns read it."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def _end_log(self, *, failed: bool) -> str:
        """The end of the log of the call that had begun, if its caller wants it."""
        ended, self._call_log = self._call_log, None
        return ended.end(failed=failed) if ended is not None else ""

    def _append(self, text: str) -> None:
        self.log.write(text.encode(errors="replace"))


def _said(status: int, body: dict[str, str]) -> web.Response:
    return web.json_response(body, status=status)
