"""State machines in the fold of home: create, update, delete, decided by the order of their requests."""

import hashlib

import msgspec

from maprun.mapruns.fold import versions
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.machine_records import body, carried_out, delete_machine, write_machine
from maprun.mapruns.fold.repeats import once
from schemas.machines import MachineEmptied, MachineRequested, MachineWritten, configured


@once
def machine_requested(fold: Fold, record: MachineRequested) -> None:
    """Creates, updates or deletes a state machine."""
    had = fold.state.machines.get(record.arn)
    if carried_out(fold, record.request_id, had):
        return
    if had is not None and had.deleting and record.action != "delete":
        versions.refuse_deleting(fold, record.request_id, record.arn)
    else:
        _ACTIONS[record.action](fold, record, had)


def revision_of(record: MachineRequested, offset: int) -> str:
    """A revision's id, shaped like a UUID and derived from where the request stands."""
    d = hashlib.blake2b(f"{record.arn}\n{offset}".encode(), digest_size=16).hexdigest()
    return f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"


def _created(fold: Fold, record: MachineRequested, had: MachineWritten | None) -> None:
    version: MachineWritten | None = None
    if had is None:
        revision, now = revision_of(record, fold.state.offset), fold.state.now_ms
        machine = MachineWritten(fold.cause, record.arn, record.name, record.spec, revision, now, now)
        if record.publish:
            machine, version = versions.publish_version(fold, machine, record.description)
        write_machine(fold, machine)
    else:
        # AWS: idempotent if definition, type, logging, tracing, encryption and what is published match; role and tags
        # aren't compared
        machine, version = had, versions.of_revision(fold, had) if record.publish else None
        same = msgspec.structs.replace(record.spec, role_arn=had.spec.role_arn, tags=had.spec.tags)
        published = not record.publish or (version is not None and version.description == record.description)
        if configured(same) != configured(had.spec) or not published:
            message = f"State Machine Already Exists: '{record.arn}'"
            fold.answer(record.request_id, error="StateMachineAlreadyExists", message=message)
            return
    answer = {"stateMachineArn": record.arn, "creationDate": machine.created_ms / 1000}
    fold.answer(record.request_id, body(answer | _shown(version)))


def _updated(fold: Fold, record: MachineRequested, had: MachineWritten | None) -> None:
    if had is None:
        versions.refuse_missing(fold, record.request_id, record.arn)
        return
    given = {
        f: v for f in ("definition", "role_arn", "logging", "tracing", "encryption") if (v := getattr(record.spec, f))
    }
    spec = msgspec.structs.replace(had.spec, **given)
    machine, version = had, None
    if configured(spec) != configured(had.spec):  # AWS: what is set to what it is makes no revision
        revision = revision_of(record, fold.state.offset)
        machine = msgspec.structs.replace(
            had, spec=spec, revision_id=revision, updated_ms=fold.state.now_ms, updated=True
        )
    if record.publish:
        if versions.full(fold, machine):
            versions.refuse_full(fold, record.request_id, record.arn)
            return
        machine, version = versions.publish_version(fold, machine, record.description)
    if machine is not had:
        write_machine(fold, machine)
    answer: dict[str, object] = {"updateDate": machine.updated_ms / 1000}
    if machine.updated:
        answer["revisionId"] = machine.revision_id
    fold.answer(record.request_id, body(answer | _shown(version)))


def _shown(version: MachineWritten | None) -> dict[str, object]:
    return {} if version is None else {"stateMachineVersionArn": version.arn}


def _deleted(fold: Fold, record: MachineRequested, had: MachineWritten | None) -> None:
    """What is deleted stays until none of its executions is open, which other homes know: MachineEmptied says so."""
    if had is not None and not had.deleting:  # AWS is silent when there is nothing to delete
        write_machine(fold, msgspec.structs.replace(had, deleting=True))
    fold.answer(record.request_id)


@once
def machine_emptied(fold: Fold, record: MachineEmptied) -> None:
    """A state machine that was deleted is gone. Tagged meanwhile, or made anew, it is another record's affair."""
    had = fold.state.machines.get(record.arn)
    if carried_out(fold, record.request_id, had):
        return
    if had is not None and had.deleting and had.cause.offset == record.deleted_offset:
        delete_machine(fold, had)
    fold.answer(record.request_id)


_ACTIONS = {"create": _created, "update": _updated, "delete": _deleted}
