"""A look at the endpoints of functions: whether they answer, and whether they have the functions that machines name."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from maprun.aws.clients import AwsSettings, client_config, make_session
from maprun.aws.errors import code_of, status_of
from maprun.aws.function_endpoints import url_of
from maprun.aws.lambda_http import AWS
from maprun.runtime.checkup import Finding, Findings
from maprun.runtime.settings import endpoints_of

FUNCTIONS_MAX = 100
"""Of those that are asked for."""
_NAMED_MAX = 5
_FORBIDDEN = 403
_CURE = "AWS_ENDPOINT_URL_LAMBDA and MAPRUN_FUNCTION_ENDPOINTS name the endpoints; `maprun up` starts a host here"


def look_at_functions(
    settings: AwsSettings, functions: Iterable[str], seconds_left: Callable[[], float]
) -> list[Finding]:
    """What is found of the endpoints, and of these functions (names or ARNs). Blocking; no function is invoked."""
    found = Findings("functions")
    by_url: dict[str, list[str]] = {settings.lambda_endpoint: []}
    for _, url in endpoints_of(settings.function_endpoints):
        by_url.setdefault(url, [])
    for function in list(functions)[:FUNCTIONS_MAX]:
        by_url[url_of(function, settings)].append(function)
    for url, names in by_url.items():
        if seconds_left() <= 0:
            found.skipped("the rest", "the look took too long")
            break
        _Look(settings, url, found, seconds_left).all(names)
    return found.found


class _Look:
    """A look at one endpoint."""

    def __init__(self, settings: AwsSettings, url: str, found: Findings, seconds_left: Callable[[], float]) -> None:
        self._settings = settings
        self._url = url
        self._found = found
        self._seconds_left = seconds_left
        self._is_aws = url in {"", AWS}
        self._called = "AWS Lambda" if self._is_aws else url

    def all(self, names: list[str]) -> None:
        """Whether it answers, and has these functions."""
        if not self._is_aws and not self._answers():
            return
        if not names:
            self._found.ok("answers", f"{self._called}: no machine that was deployed names a function of it")
        elif self._url.rstrip("/").endswith("/invocations"):
            self._found.ok("answers", f"{self._url}: one function, which can only be tried by calling it")
        else:
            self._functions(names)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self._url, timeout=self._settings.connect_timeout_seconds):  # noqa: S310
                return True
        except urllib.error.HTTPError:
            return True  # somebody is there
        except OSError as error:
            reason = getattr(error, "reason", error)
            self._found.wrong("answers", f"nothing answers at {self._url}: {reason}", _CURE)
            return False

    def _functions(self, names: list[str]) -> None:
        client = self._client()
        missing: list[str] = []
        there = 0
        for name in names:
            if self._seconds_left() <= 0:
                self._found.skipped("the rest", f"{len(names) - there - len(missing)} functions: no time was left")
                break
            try:
                client.get_function_configuration(FunctionName=name)
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":
                    missing.append(name)
                    continue
                cannot = "may not be asked" if status_of(error) == _FORBIDDEN else "can't be asked"
                said = f"{self._called} {cannot} whether it has a function ({status_of(error)} {code_of(error)})"
                self._found.skipped("functions", said)
                return
            except (BotoCoreError, OSError) as error:
                self._found.wrong("answers", f"{self._called}: {error}", _CURE)
                return
            there += 1
        if missing:
            more = f" and {len(missing) - _NAMED_MAX} more" if len(missing) > _NAMED_MAX else ""
            said = f"{self._called} has no function {', '.join(missing[:_NAMED_MAX])}{more}, which machines call"
            self._found.wrong("functions", said, "docs/functions.md says where handlers are looked for")
        elif there:
            self._found.ok("functions", f"{self._called} has {there} that machines name")

    def _client(self) -> Any:
        session = make_session(self._settings)
        config = client_config(self._settings)
        if self._url == AWS:
            config = config.merge(Config(ignore_configured_endpoint_urls=True))
        keys = {}
        if session.get_credentials() is None:  # a host on this machine asks for none
            keys = {"aws_access_key_id": "unused", "aws_secret_access_key": "unused"}
        return session.client("lambda", endpoint_url=None if self._is_aws else self._url, config=config, **keys)
