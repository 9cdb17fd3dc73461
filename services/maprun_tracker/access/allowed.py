"""What a key may do: operations by name, and the machines and activities that they may be asked of. Pure.

An execution, a Map Run and a child belong to the machine in their ARN, which every operation compares as a whole; a
task token to the machine of its execution.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from maprun.requests.checks import Refusal
from maprun.runtime.keys import Allow
from schemas.arns import Names
from schemas.tokens import TokenSecret

_ARN_MEMBERS: Final = (
    "state_machine_arn",
    "state_machine_version_arn",
    "state_machine_alias_arn",
    "execution_arn",
    "map_run_arn",
    "activity_arn",
    "resource_arn",
)
_KIND, _NAME = 5, 6  # places in arn:partition:states:region:account:kind:name
_OF_MACHINES: Final = frozenset({"stateMachine", "execution", "express", "mapRun"})


class Caller(msgspec.Struct, frozen=True):
    """Who asks: a key by its name, with the ARN of a user; what it may do, None = all.

    Processes of maprun have no ARN, and where nobody has to sign who asks has no name either.
    """

    name: str = ""
    arn: str = ""
    allow: tuple[Allow, ...] | None = None

    def attempt_of(self, given: str) -> str:
        """The id that a request gives all attempts of its call, bound to the caller; empty if it gives none.

        So nobody gets the answer to another key's call by naming it.
        """
        return f"{self.name}/{given}" if self.arn and given else given


ANYBODY = Caller()


class Target(msgspec.Struct, frozen=True):
    """What an operation is asked of. `kind` is `machine`, `activity`, or empty of what is neither."""

    arn: str
    kind: str = ""
    name: str = ""


def check_allowed(caller: Caller, operation: str, asked: msgspec.Struct, names: Names, secret: TokenSecret) -> None:
    """Raises Refusal (AccessDeniedException) unless the caller may ask this."""
    if caller.allow is None:
        return
    for target in targets_of(operation, asked, names, secret):
        if not any(_allows(allow, operation, target) for allow in caller.allow):
            raise Refusal(
                "AccessDeniedException",
                f"User: {caller.arn} is not authorized to perform: states:{operation} on resource: {target.arn}"
                f" because no identity-based policy allows the states:{operation} action",
            )


def targets_of(operation: str, asked: msgspec.Struct, names: Names, secret: TokenSecret) -> Sequence[Target]:
    """All that a request names; something that is neither a machine nor an activity if it names nothing."""
    found = [_target(arn) for member in _ARN_MEMBERS if (arn := getattr(asked, member, None)) is not None]
    routes = getattr(asked, "routing_configuration", None) or ()
    found += [_target(route.state_machine_version_arn or "") for route in routes]
    name = getattr(asked, "name", None) or ""
    if operation == "CreateStateMachine":
        found.append(Target(names.machine(name), "machine", name))
    elif operation == "CreateActivity":
        found.append(Target(names.activity(name), "activity", name))
    token = getattr(asked, "task_token", None)
    if token is not None:
        read = secret.read(token)
        found.append(_target(read.arn) if read is not None else Target(names.machine("*")))
    return found or [Target(names.machine("*"))]


def _target(arn: str) -> Target:
    parts = arn.split(":")
    if len(parts) <= _NAME:
        return Target(arn)
    name = parts[_NAME].partition("/")[0]
    if parts[_KIND] in _OF_MACHINES:
        return Target(arn, "machine", name)
    return Target(arn, "activity", name) if parts[_KIND] == "activity" else Target(arn)


def _allows(allow: Allow, operation: str, target: Target) -> bool:
    if not any(fnmatchcase(operation, pattern) for pattern in allow.operations):
        return False
    if allow.machines is None and allow.activities is None:
        return True
    patterns = {"machine": allow.machines, "activity": allow.activities}.get(target.kind) or ()
    return any(fnmatchcase(target.name, pattern) for pattern in patterns)
