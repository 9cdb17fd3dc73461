"""State machines with their versions and aliases: what is asked for, and what stands on the topic `machines`."""

from typing import Literal

from msgspec import structs

from schemas.lanes import Cause
from schemas.wire import Fact, Part

LOGGING_OFF = b'{"level":"OFF","includeExecutionData":false}'
TRACING_OFF = b'{"enabled":false}'
ENCRYPTION_OWNED = b'{"type":"AWS_OWNED_KEY"}'
"""What holds for a state machine that was given no configuration of that kind."""


class MachineSpec(Part, frozen=True):
    """What CreateStateMachine and UpdateStateMachine set. JSON texts are bytes; empty = not given.

    `tags` is a JSON array of {"key", "value"}. Read the configurations of a machine through `configured`.
    """

    definition: bytes = b""
    role_arn: str = ""
    machine_type: str = "STANDARD"
    logging: bytes = b""
    tracing: bytes = b""
    encryption: bytes = b""
    tags: bytes = b""


def configured(spec: MachineSpec) -> MachineSpec:
    """The same machine with every configuration said in full: what was not given is AWS's default."""
    return structs.replace(
        spec,
        logging=spec.logging or LOGGING_OFF,
        tracing=spec.tracing or TRACING_OFF,
        encryption=spec.encryption or ENCRYPTION_OWNED,
    )


class MachineRequested(Fact, frozen=True):
    """Create, update or delete a state machine. Identity: request id.

    `publish`: what comes of it is published as a version, with this description.
    """

    request_id: str
    action: Literal["create", "update", "delete"]
    arn: str
    name: str
    spec: MachineSpec
    publish: bool = False
    description: str = ""


class MachineEmptied(Fact, frozen=True):
    """No execution of the state machine `arn` is open, which was deleted by the record of home at `deleted_offset`.

    Identity: request id. Accepted while the machine is being deleted by that very record.
    """

    request_id: str
    arn: str
    deleted_offset: int


class TagsRequested(Fact, frozen=True):
    """TagResource and UntagResource of a state machine or an activity. Identity: request id.

    `added` is flat (key, value, key, value, …): a key that is there gets the new value. `removed` are keys.
    """

    request_id: str
    arn: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class VersionRequested(Fact, frozen=True):
    """Publish the state machine `arn` as it is now as a version, or delete its version `number`. Identity: request id.

    With a `revision_id` it is published only if that is its revision now.
    """

    request_id: str
    action: Literal["publish", "delete"]
    arn: str
    number: int = 0
    revision_id: str = ""
    description: str = ""


class AliasRequested(Fact, frozen=True):
    """Create, update or delete the alias `name` of the state machine `arn`. Identity: request id.

    `routes` is flat (version, weight, …). An update leaves as it is what is None, or empty of the routes.
    """

    request_id: str
    action: Literal["create", "update", "delete"]
    arn: str
    name: str
    routes: tuple[int, ...] = ()
    description: str | None = None


class Alias(Part, frozen=True):
    """An alias of a state machine: which versions run what is started by it. `routes` is flat (version, weight, …)."""

    name: str
    routes: tuple[int, ...]
    description: str
    created_ms: int
    updated_ms: int


class MachineWritten(Fact, frozen=True):
    """A state machine as of one revision, or a version of one. Key: (ARN, cause); the highest cause is the machine.

    `deleted`: it is gone. Times are epoch milliseconds. A version's ARN ends in its number, `version`; its `spec` never
    changes. A machine names the `versions` it has, ascending, and knows how many it ever had: no number comes twice.
    """

    cause: Cause
    arn: str
    name: str
    spec: MachineSpec
    revision_id: str
    created_ms: int
    updated_ms: int
    updated: bool = False
    deleted: bool = False
    version: int = 0
    description: str = ""
    versions: tuple[int, ...] = ()
    versions_published: int = 0
    aliases: tuple[Alias, ...] = ()
    deleting: bool = False  # it was deleted, and is there until none of its executions is open


def remembered(machine: MachineWritten) -> MachineWritten:
    """What a home remembers of a machine: all; of a version, what its own record on `machines` says is left out."""
    return structs.replace(machine, spec=MachineSpec()) if machine.version else machine
