"""Versions and aliases of state machines in the fold of home, on the home of their machine."""

import msgspec

from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.machine_records import body, carried_out, delete_version, write_machine
from maprun.mapruns.fold.repeats import once
from schemas.arns import qualified
from schemas.machines import Alias, AliasRequested, MachineWritten, VersionRequested

VERSIONS_MAX, ALIASES_MAX = 1_000, 100
"""Of one state machine (AWS: Step Functions quotas)."""
INITIAL = "INITIAL"
"""What AWS calls the revision of a state machine that was never updated."""
MISSING = "Request references a resource that does not exist."
OTHER_ALIAS = (
    "Failed to create alias because an alias with the same name and a different routing configuration already exists."
)


# ------------------------------------------------------------------ versions


@once
def version_requested(fold: Fold, record: VersionRequested) -> None:
    """Publishes a version of a state machine, or deletes one."""
    machine = fold.state.machines.get(record.arn)
    if carried_out(fold, record.request_id, machine):
        return
    if record.action == "publish" and machine is not None and machine.deleting:
        refuse_deleting(fold, record.request_id, record.arn)
    elif record.action == "publish":
        _publish_asked(fold, record, machine)
    else:
        _delete_asked(fold, record, machine)


def _publish_asked(fold: Fold, record: VersionRequested, machine: MachineWritten | None) -> None:
    if machine is None:
        refuse_missing(fold, record.request_id, record.arn)
        return
    revision = machine.revision_id if machine.updated else INITIAL
    if record.revision_id not in {"", revision}:
        fold.answer(
            record.request_id,
            error="ConflictException",
            message=f"Failed to publish the State Machine version for revision {record.revision_id}. "
            f"The current State Machine revision is {revision}.",
        )
        return
    if full(fold, machine):
        refuse_full(fold, record.request_id, record.arn)
        return
    changed, version = publish_version(fold, machine, record.description)
    if changed is not machine:
        write_machine(fold, changed)
    answer: dict[str, object] = {"stateMachineVersionArn": version.arn, "creationDate": version.created_ms / 1000}
    fold.answer(record.request_id, body(answer))


def of_revision(fold: Fold, machine: MachineWritten) -> MachineWritten | None:
    """The version that a machine was published as, as it is now: of one revision there is one at most, the newest."""
    newest = fold.state.machines.get(qualified(machine.arn, machine.versions_published))
    return newest if newest is not None and newest.revision_id == machine.revision_id else None


def full(fold: Fold, machine: MachineWritten) -> bool:
    """True if a machine would be published as one version too many."""
    return len(machine.versions) >= VERSIONS_MAX and of_revision(fold, machine) is None


def publish_version(fold: Fold, machine: MachineWritten, description: str) -> tuple[MachineWritten, MachineWritten]:
    """The machine that names its version, to be written by the caller, and the version; the same again if it is there.

    A version that was deleted is published anew, by another number: AWS uses none twice.
    """
    version = of_revision(fold, machine)
    if version is not None:
        return machine, version
    number = machine.versions_published + 1
    version = MachineWritten(
        fold.cause,
        qualified(machine.arn, number),
        machine.name,
        msgspec.structs.replace(machine.spec, tags=b""),
        machine.revision_id,
        fold.state.now_ms,
        machine.updated_ms,
        updated=machine.updated,
        version=number,
        description=description,
    )
    write_machine(fold, version)
    return msgspec.structs.replace(machine, versions=(*machine.versions, number), versions_published=number), version


def _delete_asked(fold: Fold, record: VersionRequested, machine: MachineWritten | None) -> None:
    if machine is not None and record.number in machine.versions:
        routed = [alias.name for alias in machine.aliases if record.number in alias.routes[::2]]
        if routed:
            fold.answer(
                record.request_id,
                error="ConflictException",
                message="Version to be deleted must not be referenced by an alias. "
                f"Current list of aliases referencing this version: [{', '.join(routed)}]",
            )
            return
        left = tuple(number for number in machine.versions if number != record.number)
        write_machine(fold, msgspec.structs.replace(machine, versions=left))
        delete_version(fold, machine.arn, record.number)
    fold.answer(record.request_id)  # AWS is silent when there is nothing to delete


# ------------------------------------------------------------------ aliases


@once
def alias_requested(fold: Fold, record: AliasRequested) -> None:
    """Creates, updates or deletes an alias."""
    machine = fold.state.machines.get(record.arn)
    if carried_out(fold, record.request_id, machine):
        return
    if record.action == "delete":
        _alias_deleted(fold, record, machine)
    elif machine is not None and machine.deleting:
        refuse_deleting(fold, record.request_id, record.arn)
    elif machine is None or not set(record.routes[::2]) <= set(machine.versions):
        _refuse_reference(fold, record)
    elif record.action == "create":
        _alias_created(fold, record, machine)
    else:
        _alias_updated(fold, record, machine)


def _alias_created(fold: Fold, record: AliasRequested, machine: MachineWritten) -> None:
    now, had = fold.state.now_ms, _alias(machine, record.name)
    made = Alias(record.name, record.routes, record.description or "", now, now)
    if had is None and len(machine.aliases) >= ALIASES_MAX:
        _refuse_quota(fold, record.request_id, f"'{machine.arn}' has {ALIASES_MAX} aliases, which is the most")
        return
    if had is not None and (had.routes, had.description) != (made.routes, made.description):
        fold.answer(record.request_id, error="ConflictException", message=OTHER_ALIAS)
        return
    if had is None:
        write_machine(fold, msgspec.structs.replace(machine, aliases=(*machine.aliases, made)))
    created_ms = (had or made).created_ms
    answer = {"stateMachineAliasArn": qualified(machine.arn, record.name), "creationDate": created_ms / 1000}
    fold.answer(record.request_id, body(answer))


def _alias_updated(fold: Fold, record: AliasRequested, machine: MachineWritten) -> None:
    had = _alias(machine, record.name)
    if had is None:
        _refuse_reference(fold, record)
        return
    description = had.description if record.description is None else record.description
    changed = msgspec.structs.replace(had, routes=record.routes or had.routes, description=description)
    if changed != had:  # what is set to what it is was not updated
        changed = msgspec.structs.replace(changed, updated_ms=fold.state.now_ms)
        aliases = tuple(changed if alias is had else alias for alias in machine.aliases)
        write_machine(fold, msgspec.structs.replace(machine, aliases=aliases))
    fold.answer(record.request_id, body({"updateDate": changed.updated_ms / 1000}))


def _alias_deleted(fold: Fold, record: AliasRequested, machine: MachineWritten | None) -> None:
    had = None if machine is None else _alias(machine, record.name)
    if machine is not None and had is not None:  # AWS is silent when there is nothing to delete
        aliases = tuple(alias for alias in machine.aliases if alias is not had)
        write_machine(fold, msgspec.structs.replace(machine, aliases=aliases))
    fold.answer(record.request_id)


def _alias(machine: MachineWritten, name: str) -> Alias | None:
    return next((alias for alias in machine.aliases if alias.name == name), None)


def _refuse_reference(fold: Fold, record: AliasRequested) -> None:
    fold.answer(record.request_id, error="ResourceNotFound", message=MISSING)


# ------------------------------------------------------------------ refusals


def refuse_missing(fold: Fold, request_id: str, arn: str) -> None:
    """There is no such state machine."""
    fold.answer(request_id, error="StateMachineDoesNotExist", message=f"State Machine Does Not Exist: '{arn}'")


def refuse_deleting(fold: Fold, request_id: str, arn: str) -> None:
    """The state machine was deleted, and some of its executions are open yet."""
    fold.answer(request_id, error="StateMachineDeleting", message=f"State Machine is being deleted: '{arn}'")


def refuse_full(fold: Fold, request_id: str, arn: str) -> None:
    """The state machine has as many versions as it may."""
    _refuse_quota(fold, request_id, f"'{arn}' has {VERSIONS_MAX} versions, which is the most")


def _refuse_quota(fold: Fold, request_id: str, message: str) -> None:
    fold.answer(request_id, error="ServiceQuotaExceededException", message=f"{message}: delete some that are not used.")
