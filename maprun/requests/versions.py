"""Which state machine an ARN leads to: the machine as it is now, a version, or the one that an alias chooses."""

import hashlib

import msgspec

from maprun.requests.registry import MachineRegistry
from schemas.arns import qualified, qualifier_of, unqualified
from schemas.machines import Alias, MachineWritten

WEIGHTS_SUM = 100


class Chosen(msgspec.Struct, frozen=True):
    """What runs an execution: `revision` is the machine itself or one of its versions, named by `alias` if by any."""

    machine: MachineWritten
    revision: MachineWritten
    alias: str = ""


def alias_of(machine: MachineWritten, name: str) -> Alias | None:
    """A machine's alias of this name."""
    return next((alias for alias in machine.aliases if alias.name == name), None)


def exists(machines: MachineRegistry, arn: str) -> bool:
    """True for the ARN of a machine, a version or an alias that is there."""
    machine = machines.get(unqualified(arn))
    return machine is not None and (machines.get(arn) or alias_of(machine, qualifier_of(arn))) is not None


def chosen(machines: MachineRegistry, arn: str, execution: str) -> Chosen | None:
    """What runs an execution that is started by this ARN; None when there is nothing of it.

    An alias of two versions chooses by the execution's own ARN: asked again, it is the same one.
    """
    machine = machines.get(unqualified(arn))
    if machine is None or machine.arn == arn:
        return None if machine is None else Chosen(machine, machine)
    alias = alias_of(machine, qualifier_of(arn))
    version = machines.get(arn if alias is None else qualified(machine.arn, _routed(alias, execution)))
    return None if version is None else Chosen(machine, version, "" if alias is None else alias.name)


def _routed(alias: Alias, execution: str) -> int:
    """The version that an alias has run an execution."""
    first, weight, *rest = alias.routes
    digest = hashlib.blake2b(f"{alias.name}\n{execution}".encode(errors="surrogatepass"), digest_size=8).digest()
    return first if not rest or int.from_bytes(digest, "big") % WEIGHTS_SUM < weight else rest[0]
