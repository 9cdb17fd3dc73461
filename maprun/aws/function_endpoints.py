"""Which endpoint invokes which function: the usual one, unless a setting names another for it.

The first name that fits counts. A URL is where Lambda's Invoke API is (`sam local start-lambda`), or the address of one
function alone, which ends with `/invocations` (the Runtime Interface Emulator); `aws` is the Region's own Lambda.
"""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from maprun.aws.clients import AwsSettings
from maprun.aws.invocation_stream import StreamKeeper
from maprun.aws.lambda_http import AWS, LambdaHttp
from maprun.runtime.settings import endpoints_of

NAMES_KEPT = 10_000
_NAME = re.compile(r"(?:arn:[^:]+:lambda:[^:]*:[^:]*:|(?:\d{12}:)?)(?:function:)?([^:]+)(?::[^:]+)?")


def url_of(function: str, settings: AwsSettings) -> str:
    """Where a function, given by its name or ARN, is called; empty, or `aws`, where Lambda itself is."""
    matched = _NAME.fullmatch(function)
    name = matched[1] if matched is not None else function
    places = endpoints_of(settings.function_endpoints)
    return next((url for pattern, url in places if fnmatchcase(name, pattern)), settings.lambda_endpoint)


class FunctionEndpoint:
    """One endpoint: a stream where it is offered, Lambda's Invoke API everywhere."""

    def __init__(
        self, url: str, settings: AwsSettings, wall_seconds: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self.http = LambdaHttp(url, settings, wall_seconds, monotonic)
        self.streams = StreamKeeper("" if url == AWS else url, monotonic)

    async def close(self) -> None:
        """Closes connections."""
        self.streams.close()
        await self.http.close()


class FunctionEndpoints:
    """All endpoints, made when they are first asked for."""

    def __init__(
        self, settings: AwsSettings, wall_seconds: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._clocks = wall_seconds, monotonic
        self._made: dict[str, FunctionEndpoint] = {}
        self._of_function: dict[str, FunctionEndpoint] = {}

    def of(self, function: str) -> FunctionEndpoint:
        """The endpoint of a function, given by its name or ARN."""
        found = self._of_function.get(function)
        if found is None:
            if len(self._of_function) >= NAMES_KEPT:
                self._of_function.clear()
            found = self._of_function[function] = self._find(function)
        return found

    def _find(self, function: str) -> FunctionEndpoint:
        url = url_of(function, self._settings)
        made = self._made.get(url)
        if made is None:
            made = self._made[url] = FunctionEndpoint(url, self._settings, *self._clocks)
        return made

    async def close(self) -> None:
        """Closes all connections."""
        for endpoint in self._made.values():
            await endpoint.close()
