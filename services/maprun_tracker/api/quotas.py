"""What the API refuses because there is too much of it: requests in a second, state machines, activities.

How many executions may be open is decided by the fold, which alone knows.
"""

from typing import Final

import msgspec

from maprun.requests.checks import Refusal
from maprun.requests.express import EXPRESS
from maprun.requests.registry import MachineRegistry
from maprun.runtime.throttles import EXPRESS_STARTS, Throttle
from schemas.arns import Names, unqualified
from services.maprun_tracker.api import inputs
from services.maprun_tracker.api.errors import ThrottledError

START_EXECUTION: Final = "StartExecution"


class _Started(msgspec.Struct):
    """What a StartExecution names."""

    arn: str = msgspec.field(default="", name="stateMachineArn")


_started_decoder = msgspec.json.Decoder(_Started)


class Quotas:
    """Those of one process. 0 = no bound."""

    def __init__(self, throttle: Throttle | None = None, machines_max: int = 0, activities_max: int = 0) -> None:
        self._throttle = throttle or Throttle({}, lambda: 0.0)
        self._machines_max = machines_max
        self._activities_max = activities_max

    def check_rate(self, operation: str, body: bytes, machines: MachineRegistry, sharers: int) -> None:
        """Takes a request out of its operation's bucket, of which `sharers` processes have a share each.

        Raises ThrottledError when none is left.
        """
        if operation == START_EXECUTION and self._throttle.throttles(EXPRESS_STARTS) and _express(body, machines):
            operation = EXPRESS_STARTS
        seconds = self._throttle.refused_for_seconds(operation, sharers)
        if seconds:
            raise ThrottledError(seconds)

    def check_room(self, ask: object, machines: MachineRegistry, names: Names) -> None:
        """Refuses what would be one too many; what is there may be created again. Raises Refusal.

        As exact as `machines` are: of several that are created at the same moment some may come in beyond the bound.
        """
        match ask:
            case inputs.CreateStateMachine():
                if machines.get(names.machine(ask.name or "")) is None:
                    there = sum(1 for _ in machines.machines()) if self._machines_max else 0
                    _check("StateMachineLimitExceeded", "State Machine", there, self._machines_max)
            case inputs.CreateActivity():
                if machines.activities.get(names.activity(ask.name or "")) is None:
                    _check("ActivityLimitExceeded", "Activity", len(machines.activities), self._activities_max)
            case _:
                pass


def _check(code: str, what: str, there: int, most: int) -> None:
    if most and there >= most:
        raise Refusal(code, f"{what} Limit Exceeded: '{most}'")


def _express(body: bytes, machines: MachineRegistry) -> bool:
    """True for a StartExecution of an EXPRESS machine."""
    try:
        arn = _started_decoder.decode(body).arn
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # which is said when the whole is read
    machine = machines.get(unqualified(arn))
    return machine is not None and machine.spec.machine_type == EXPRESS
