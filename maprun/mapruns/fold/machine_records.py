"""How a state machine and its versions are written: in the state of home, and on the topic `machines`."""

import msgspec

from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.publishing import publish, withdraw
from schemas.arns import qualified
from schemas.machines import MachineSpec, MachineWritten, remembered


def carried_out(fold: Fold, request_id: str, machine: MachineWritten | None) -> bool:
    """True for a request that is a part of the machine already: answered, and nothing else.

    A tracker may take machines from their topic, as they are by now, and fold older records of home behind that.
    """
    newer = machine is not None and machine.cause.offset >= fold.state.offset
    if newer:
        fold.answer(request_id)
    return newer


def write_machine(fold: Fold, machine: MachineWritten) -> None:
    """Publishes a machine or a version, and behind it deletes the record before: one is always there to be read.

    A version is written before the machine that names it.
    """
    machine = msgspec.structs.replace(machine, cause=fold.cause)
    had = fold.state.machines.get(machine.arn)
    fold.state.machines[machine.arn] = remembered(machine)
    publish(fold, machine, had)


def delete_machine(fold: Fold, had: MachineWritten) -> None:
    """Deletes a machine with all its versions and aliases."""
    del fold.state.machines[had.arn]
    gone = MachineWritten(
        fold.cause, had.arn, had.name, MachineSpec(), had.revision_id, had.created_ms, fold.state.now_ms, deleted=True
    )
    publish(fold, gone, had)
    for number in had.versions:
        delete_version(fold, had.arn, number)


def delete_version(fold: Fold, arn: str, number: int) -> None:
    """Deletes a version that its machine, as it was written last, no longer names."""
    had = fold.state.machines.pop(qualified(arn, number))
    withdraw(fold, had)


def body(members: dict[str, object]) -> bytes:
    """An answer's JSON."""
    return msgspec.json.encode(members)
