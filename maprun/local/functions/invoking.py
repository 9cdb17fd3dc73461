"""Invocations as Lambda's service takes them, whatever they came by: the function found, run, its outcome worded."""

import base64
import json
import os
import re
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter

from maprun.local.functions import answers
from maprun.local.functions.catalog import Catalog, CatalogError, Function
from maprun.local.functions.frames import BAD_REQUEST, OK, Call, Outcome
from maprun.local.functions.pool import Pool, ThrottledError
from maprun.local.functions.workers import Waiting
from maprun.runtime import clock
from schemas.arns import partition_of
from schemas.invocations import Answered, Invocation

NAME = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:|(?:\d{12}:)?(?:function:)?)"
    r"([A-Za-z0-9_-]{1,140})(?::([A-Za-z0-9$_-]{1,128}))?"
)
NAMES_KEPT = 10_000
_HTTP_OK = 200
_HTTP_SERVER_ERROR_FIRST = 500

Done = Callable[[Answered], None]


class Functions:
    """The functions of a host. `done` is called once with what became of an invocation, perhaps before it returns."""

    def __init__(self, pool: Pool, catalog: Catalog, region: str, account: str, registry: CollectorRegistry) -> None:
        self._pool = pool
        self._catalog = catalog
        self._arn = f"arn:{partition_of(region)}:lambda:{region}:{account}:function:"
        self._names: dict[str, tuple[str, str]] = {}
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
        found = self._find(asked, "-")
        return found if isinstance(found, Answered) else None

    def invoke(self, asked: Invocation, done: Done) -> Waiting | None:
        """Runs an invocation. What is returned can be given up; None when it was refused."""
        request_id = self.new_id()
        found = self._find(asked, request_id)
        if isinstance(found, Answered):
            done(found)
            return None
        function, arn = found
        call = Call(
            number=0,
            request_id=request_id,
            arn=arn,
            deadline_ms=clock.wall_ms() + int(self._pool.seconds_max(function) * 1000),
            client_context=asked.client_context,
            idempotency_key=asked.idempotency_key,
            payload=asked.payload,
            log_tail=asked.log_tail,
            trace=asked.trace,
            execution=asked.execution,
        )
        version = function.version
        try:
            return self._pool.submit(
                function, call, lambda outcome: done(self._answered(asked.number, request_id, version, outcome))
            )
        except ThrottledError:
            done(refused(asked.number, 429, "TooManyRequestsException", "Rate Exceeded.", request_id))
            return None

    def _answered(self, number: int, request_id: str, version: str, outcome: Outcome) -> Answered:
        """How a function ended, in the words of the Invoke API."""
        if outcome.kind == BAD_REQUEST:
            message = f"Could not parse request body into json: {outcome.body.decode()}"
            return refused(number, 400, "InvalidRequestContentException", message, request_id)
        if outcome.kind == OK:
            self._succeeded.inc()
            error = ""
        else:
            self._failed.inc()
            error = "Unhandled"
        log = base64.b64encode(outcome.log.encode()).decode() if outcome.log else ""
        return Answered(number, _HTTP_OK, outcome.body, request_id, version, error, "", log)

    def _find(self, asked: Invocation, request_id: str) -> tuple[Function, str] | Answered:
        """A function and the ARN that it is invoked by, or the refusal."""
        named = self._names.get(asked.function)
        if named is None:
            matched = NAME.fullmatch(asked.function)
            if matched is None:
                found = f"Value '{asked.function}' at 'functionName' failed to satisfy constraint"
                message = f"1 validation error detected: {found}"
                return refused(asked.number, 400, "ValidationException", message, request_id)
            named = matched.group(1), matched.group(2) or ""
            if len(self._names) >= NAMES_KEPT:
                self._names.clear()
            self._names[asked.function] = named
        name, qualifier = named
        qualifier = asked.qualifier or qualifier
        arn = f"{self._arn}{name}:{qualifier}" if qualifier else self._arn + name
        try:
            function = self._catalog.find(name, qualifier)
        except CatalogError as error:
            return refused(asked.number, 502, "InvalidRuntimeException", str(error), request_id)
        if function is None:
            return refused(asked.number, 404, "ResourceNotFoundException", f"Function not found: {arn}", request_id)
        return function, arn


def refused(number: int, status: int, name: str, message: str, request_id: str) -> Answered:
    """Lambda's shape of an error that is the service's, not the function's."""
    kind = "Server" if status >= _HTTP_SERVER_ERROR_FIRST else "User"
    body = json.dumps({"Type": kind, "Message": message, "message": message}).encode()
    return Answered(number, status, body, request_id, error_type=name)


def too_large(number: int) -> Answered:
    """The refusal of a payload that is longer than Lambda takes."""
    message = f"Request must be smaller than {answers.REQUEST_BYTES_MAX} bytes for the InvokeFunction operation"
    return refused(number, 413, "RequestTooLargeException", message, "-")
