"""What functions printed for one execution, asked of the function host, which Lambda itself has no answer for."""

import http.client
from urllib.parse import quote, urlsplit

import msgspec

from maprun.aws.clients import AwsSettings
from maprun.aws.lambda_http import AWS
from maprun.runtime.settings import endpoints_of
from schemas.invocations import LOGS_PATH, FoundLogs

ANSWER_BYTES_MAX = 8 << 20
_SECONDS_MAX = 10.0
_HTTP_OK = 200


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

    def of(self, execution: str) -> tuple[FoundLogs, list[str]]:
        """What the hosts have of the execution with this ARN, and why those have nothing that can't be asked.

        Raises FunctionLogError where there is no host.
        """
        if not self._urls:
            raise FunctionLogError("Functions are Lambda's own: their logs are in CloudWatch Logs, /aws/lambda/NAME")
        found, troubles = FoundLogs([], truncated=False), list[str]()
        for url in self._urls:
            try:
                said = _asked(url, execution)
            except FunctionLogError as trouble:  # another host may have them
                troubles.append(trouble.cause)
            else:
                found = FoundLogs(found.calls + said.calls, truncated=found.truncated or said.truncated)
        return found, troubles


def _asked(url: str, execution: str) -> FoundLogs:
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
        return msgspec.json.decode(body, type=FoundLogs)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FunctionLogError(f"{url} keeps no logs that can be asked for: {error}") from error
