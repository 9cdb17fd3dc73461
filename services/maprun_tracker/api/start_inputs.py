"""The inputs of StartExecution and StartSyncExecution, with the rules of their members."""

from collections.abc import Mapping
from typing import ClassVar

from services.maprun_tracker.api import inputs
from services.maprun_tracker.api.rules import Rule, Text


class StartExecution(inputs.Input, frozen=True, kw_only=True):
    """Input of StartExecution; its members are judged by maprun.requests.starts."""

    rules: ClassVar[Mapping[str, Rule]] = {
        "state_machine_arn": inputs.ARN,
        "name": Text(1, 80),
        "trace_header": Text(0, 256),
    }
    state_machine_arn: str | None = None
    name: str | None = None
    input: str | None = None
    trace_header: str | None = None


class StartSyncExecution(StartExecution, frozen=True, kw_only=True):
    """Input of StartSyncExecution."""

    rules: ClassVar[Mapping[str, Rule]] = {**StartExecution.rules, "included_data": inputs.INCLUDED}
    included_data: str | None = None
