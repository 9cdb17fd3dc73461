"""Invocations as Lambda's service takes them, whatever they came by: the function found, run, its outcome worded."""

import base64
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from maprun.local.functions import answers
from maprun.local.functions.frames import BAD_REQUEST, OK, Call, Outcome
from maprun.local.functions.pool import Pool, ThrottledError, Waiting
from maprun.runtime import clock
from schemas.arns import partition_of
from schemas.invocations import Answered, Invocation

NAME = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:|(?:\d{12}:)?(?:function:)?)"
    r"([A-Za-z0-9_-]{1,140})(?::([A-Za-z0-9$_-]{1,128}))?"
)
FOUND_SECONDS = 0.2  # a new file is a function so soon
LATEST = "$LATEST"
_HTTP_OK = 200
_HTTP_SERVER_ERROR_FIRST = 500

Done = Callable[[Answered], None]


class Functions:
    """The functions of a host. `done` is called once with what became of an invocation, perhaps before it returns."""

    def __init__(
        self, pool: Pool, folder: Path, region: str, account: str, timeout_seconds: float, registry: CollectorRegistry
    ) -> None:
        self._pool = pool
        self._folder = folder
        self._arn = f"arn:{partition_of(region)}:lambda:{region}:{account}:function:"
        self._timeout_ms = int(timeout_seconds * 1000)
        self._found: dict[str, tuple[float, str, str]] = {}
        # Ids shaped like UUIDs, one prefix a process and a count: cheaper than drawing each.
        prefix = os.urandom(10).hex()
        self._id_prefix = f"{prefix[:8]}-{prefix[8:12]}-4{prefix[12:15]}-8{prefix[15:18]}-"
        self._count = 0
        invocations = Counter("function_invocations", "Calls of functions", ["outcome"], registry=registry)
        self._succeeded = invocations.labels("succeeded")
        self._failed = invocations.labels("failed")

    def new_id(self) -> str:
        """The id of a request."""
        self._count += 1
        return f"{self._id_prefix}{self._count:012x}"

    def refusal(self, asked: Invocation) -> Answered | None:
        """Why an invocation can't be made; None when it can."""
        found = self._file_of(asked, "-")
        return found if isinstance(found, Answered) else None

    def invoke(self, asked: Invocation, done: Done) -> Waiting | None:
        """Runs an invocation. What is returned can be given up; None when it was refused."""
        request_id = self.new_id()
        found = self._file_of(asked, request_id)
        if isinstance(found, Answered):
            done(found)
            return None
        function, file = found
        call = Call(
            number=0,
            path=file,
            function=function,
            arn=self._arn + function,
            request_id=request_id,
            deadline_ms=clock.wall_ms() + self._timeout_ms,
            client_context=asked.client_context,
            idempotency_key=asked.idempotency_key,
            payload=asked.payload,
        )
        try:
            return self._pool.submit(call, lambda outcome: done(self._answered(asked, request_id, outcome)))
        except ThrottledError:
            done(refused(asked.number, 429, "TooManyRequestsException", "Rate Exceeded.", request_id))
            return None

    def _answered(self, asked: Invocation, request_id: str, outcome: Outcome) -> Answered:
        """How a function ended, in the words of the Invoke API."""
        if outcome.kind == BAD_REQUEST:
            message = f"Could not parse request body into json: {outcome.body.decode()}"
            return refused(asked.number, 400, "InvalidRequestContentException", message, request_id)
        if outcome.kind == OK:
            self._succeeded.inc()
            error = ""
        else:
            self._failed.inc()
            error = "Unhandled"
        log = ""
        if asked.log_tail:
            tail = f"START RequestId: {request_id} Version: {LATEST}\nEND RequestId: {request_id}\n"
            log = base64.b64encode(tail.encode()).decode()
        return Answered(asked.number, _HTTP_OK, outcome.body, request_id, LATEST, error, "", log)

    def _file_of(self, asked: Invocation, request_id: str) -> tuple[str, str] | Answered:
        """Name and file of a function, or the refusal; `my-fn` may live in `my_fn.py`."""
        now = clock.monotonic_seconds()
        known = self._found.get(asked.function)
        if known is not None and now - known[0] < FOUND_SECONDS:
            return known[1], known[2]
        matched = NAME.fullmatch(asked.function)
        if matched is None:
            message = (
                f"1 validation error detected: Value '{asked.function}' at 'functionName' failed to satisfy constraint"
            )
            return refused(asked.number, 400, "ValidationException", message, request_id)
        function = matched.group(1)
        candidates = (self._folder / f"{function}.py", self._folder / f"{function.replace('-', '_')}.py")
        file = next((str(path) for path in candidates if path.is_file()), "")
        if not file:
            self._found.pop(asked.function, None)
            message = f"Function not found: {self._arn}{function}"
            return refused(asked.number, 404, "ResourceNotFoundException", message, request_id)
        self._found[asked.function] = (now, function, file)
        return function, file


def refused(number: int, status: int, name: str, message: str, request_id: str) -> Answered:
    """Lambda's shape of an error that is the service's, not the function's."""
    kind = "Server" if status >= _HTTP_SERVER_ERROR_FIRST else "User"
    body = json.dumps({"Type": kind, "Message": message, "message": message}).encode()
    return Answered(number, status, body, request_id, error_type=name)


def too_large(number: int) -> Answered:
    """The refusal of a payload that is longer than Lambda takes."""
    message = f"Request must be smaller than {answers.REQUEST_BYTES_MAX} bytes for the InvokeFunction operation"
    return refused(number, 413, "RequestTooLargeException", message, "-")
