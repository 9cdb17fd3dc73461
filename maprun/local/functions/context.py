"""The `context` that a handler gets: Lambda's attributes, as far as they mean something on one machine."""

import base64
import json
from functools import cached_property
from typing import Any

from maprun.local.functions.frames import Call
from maprun.runtime import clock

KEY_NAME = "maprunIdempotencyKey"


class ClientContext:
    """What the caller sent along; `custom` holds the idempotency key."""

    def __init__(self, custom: dict[str, Any], env: dict[str, Any], client: Any) -> None:
        self.custom = custom
        self.env = env
        self.client = client


class Context:
    """Lambda's context object for one call."""

    function_version = "$LATEST"
    memory_limit_in_mb = "128"
    identity = None

    def __init__(self, call: Call) -> None:
        self._call = call
        self.function_name = call.function
        self.invoked_function_arn = call.arn
        self.aws_request_id = call.request_id
        self.log_group_name = f"/aws/lambda/{call.function}"
        self.log_stream_name = "local"

    @cached_property
    def client_context(self) -> ClientContext | None:
        """Parsed when first asked for: few handlers do."""
        given: Any = {}
        if self._call.client_context:
            try:
                given = json.loads(base64.b64decode(self._call.client_context))
            except ValueError:
                given = {}
        if not isinstance(given, dict):
            given = {}
        custom = given.get("custom") if isinstance(given.get("custom"), dict) else {}
        if self._call.idempotency_key:
            custom = {KEY_NAME: self._call.idempotency_key, **custom}
        if not given and not custom:
            return None
        return ClientContext(custom, given.get("env") or {}, given.get("client"))

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the call is given up."""
        return max(0, self._call.deadline_ms - clock.wall_ms())
