"""What functions printed for one execution, asked of the function host, which Lambda itself has no answer for."""

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit

from maprun.aws.clients import AwsSettings
from maprun.aws.lambda_http import AWS
from maprun.runtime.settings import endpoints_of
from schemas.invocations import LOGS_PATH

ANSWER_BYTES_MAX = 8 << 20
_SECONDS_MAX = 10.0
_HTTP_OK = 200
Json = dict[str, Any]


class FunctionLogError(Exception):
    """A host keeps no logs that can be asked for; `cause` says so, for people."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class FunctionLogs:
    """Blocking questions to the function hosts that the settings name."""

    def __init__(self, settings: AwsSettings) -> None:
        # The address of one function alone (`…/invocations`) is a runtime's, no host's.
        named = (url for _, url in endpoints_of(settings.function_endpoints) if not url.endswith("/invocations"))
        places = dict.fromkeys([settings.lambda_endpoint, *named])
        self._urls = [url for url in places if url and url != AWS]

    def of(self, execution: str) -> tuple[list[Json], bool]:
        """The calls that the execution with this ARN made and that printed, by host, and whether there are more.

        Raises FunctionLogError when no host has logs, or one can't be asked.
        """
        if not self._urls:
            raise FunctionLogError("Functions are Lambda's own: their logs are in CloudWatch Logs, /aws/lambda/NAME")
        calls, truncated = list[Json](), False
        for url in self._urls:
            said = _asked(url, execution)
            calls += said["calls"]
            truncated |= said["truncated"]
        return calls, truncated


def _asked(url: str, execution: str) -> Json:
    place = urlsplit(url)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = kind(place.netloc, timeout=_SECONDS_MAX)
    try:
        connection.request("GET", f"{place.path.rstrip('/')}{LOGS_PATH}?execution={quote(execution, safe='')}")
        answer = connection.getresponse()
        body = answer.read(ANSWER_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        raise FunctionLogError(f"The function host at {url} does not answer: {error!r}") from error
    finally:
        connection.close()
    if answer.status != _HTTP_OK or len(body) > ANSWER_BYTES_MAX:
        raise FunctionLogError(f"{url} keeps no logs that can be asked for: it answers {answer.status}")
    try:
        said: Json = json.loads(body)
        return {"calls": list(said["calls"]), "truncated": bool(said["truncated"])}
    except (ValueError, KeyError, TypeError) as error:
        raise FunctionLogError(f"{url} keeps no logs that can be asked for: {error!r}") from error
