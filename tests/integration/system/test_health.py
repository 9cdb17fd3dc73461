"""`GET /maprun/health` on a whole stack: what real processes report of themselves."""

import json
import time
import urllib.request
from typing import Any

import pytest

from schemas.reports import OWNED_TOPICS
from tests.integration.system.stack import Stack

pytestmark = pytest.mark.integration
_SECONDS_MAX = 30


def health(stack: Stack) -> Any:
    """The answer now."""
    with urllib.request.urlopen(f"{stack.api}/maprun/health", timeout=10) as answer:  # noqa: S310 - a stack's own address
        return json.load(answer)


def test_every_service_says_that_it_is_well(stack: Stack) -> None:
    """All partitions have a process that is ready, within seconds of the start."""
    deadline = time.monotonic() + _SECONDS_MAX
    while not (told := health(stack))["ok"]:
        assert time.monotonic() < deadline, told["troubles"]
        time.sleep(0.2)
    assert [service["service"] for service in told["services"]] == list(OWNED_TOPICS)
    for service in told["services"]:
        owned = sorted(number for process in service["processes"] for number in process["partitions"])
        assert owned == list(range(service["partitions"])), service
        assert {process["status"] for process in service["processes"]} == {"READY"}
    assert told["mapRuns"]["limit"] == 1_000
