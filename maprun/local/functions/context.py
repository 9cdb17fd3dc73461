"""The `context` that a handler gets: Lambda's attributes, as far as they mean something on one machine."""

import base64
import json
import os
from functools import cached_property
from typing import Any

from maprun.local.functions.frames import Call
from maprun.runtime import clock

KEY_NAME = "maprunIdempotencyKey"


def client_context_of(call: Call) -> dict[str, Any]:
    """What the caller sent along, with the idempotency key in `custom`; empty if there is neither."""
    given: Any = {}
    if call.client_context:
        try:
            given = json.loads(base64.b64decode(call.client_context))
        except (ValueError, RecursionError):
            given = {}
    if not isinstance(given, dict):
        given = {}
    if call.idempotency_key:
        custom = given.get("custom")
        given = {**given, "custom": {KEY_NAME: call.idempotency_key, **(custom if isinstance(custom, dict) else {})}}
    found: dict[str, Any] = given
    return found


class ClientContext:
    """What the caller sent along; `custom` holds the idempotency key."""

    def __init__(self, custom: dict[str, Any], env: dict[str, Any], client: Any) -> None:
        self.custom = custom
        self.env = env
        self.client = client


class Context:
    """Lambda's context object for one call."""

    identity = None

    def __init__(self, call: Call) -> None:
        self._call = call
        self.invoked_function_arn = call.arn
        self.aws_request_id = call.request_id
        self.trace_id = call.trace or None  # many calls run at once in a process: _X_AMZN_TRACE_ID can't be each one's

    # What holds for the whole process stands in its environment, where Lambda has it as well.

    @property
    def function_name(self) -> str:
        """Its name."""
        return os.environ["AWS_LAMBDA_FUNCTION_NAME"]

    @property
    def function_version(self) -> str:
        """Its version, `$LATEST` if it has none."""
        return os.environ["AWS_LAMBDA_FUNCTION_VERSION"]

    @property
    def memory_limit_in_mb(self) -> str:
        """MemorySize."""
        return os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]

    @property
    def log_group_name(self) -> str:
        """The name that CloudWatch Logs would know."""
        return os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]

    @property
    def log_stream_name(self) -> str:
        """The name that CloudWatch Logs would know."""
        return os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]

    @cached_property
    def client_context(self) -> ClientContext | None:
        """Parsed when first asked for: few handlers do."""
        given = client_context_of(self._call)
        return ClientContext(given.get("custom") or {}, given.get("env") or {}, given.get("client")) if given else None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the call is given up."""
        return max(0, self._call.deadline_ms - clock.wall_ms())
