"""State machines in the fold of home: create, update, delete, decided by the order of their requests."""

import hashlib

import msgspec

from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.publishing import publish
from maprun.mapruns.fold.repeats import once
from schemas.home import MachineRequested, MachineSpec, configured
from schemas.requests import MachineWritten


@once
def machine_requested(fold: Fold, record: MachineRequested) -> None:
    """Creates, updates or deletes a state machine."""
    _ACTIONS[record.action](fold, record)


def revision_of(record: MachineRequested, offset: int) -> str:
    """A revision's id, shaped like a UUID and derived from where the request stands."""
    d = hashlib.blake2b(f"{record.arn}\n{offset}".encode(), digest_size=16).hexdigest()
    return f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"


def _created(fold: Fold, record: MachineRequested) -> None:
    had, now = fold.state.machines.get(record.arn), fold.state.now_ms
    if had is None:
        revision = revision_of(record, fold.state.offset)
        write(fold, MachineWritten(fold.cause, record.arn, record.name, record.spec, revision, now, now))
    else:
        # AWS: idempotent if definition, type, logging, tracing and encryption match; role and tags aren't compared
        same = msgspec.structs.replace(record.spec, role_arn=had.spec.role_arn, tags=had.spec.tags)
        if configured(same) != configured(had.spec):
            message = f"State Machine Already Exists: '{record.arn}'"
            fold.answer(record.request_id, error="StateMachineAlreadyExists", message=message)
            return
    created_ms = now if had is None else had.created_ms
    fold.answer(record.request_id, _body(stateMachineArn=record.arn, creationDate=created_ms / 1000))


def _updated(fold: Fold, record: MachineRequested) -> None:
    had = fold.state.machines.get(record.arn)
    if had is None:
        message = f"State Machine Does Not Exist: '{record.arn}'"
        fold.answer(record.request_id, error="StateMachineDoesNotExist", message=message)
        return
    given = {
        f: v for f in ("definition", "role_arn", "logging", "tracing", "encryption") if (v := getattr(record.spec, f))
    }
    now = fold.state.now_ms
    machine = msgspec.structs.replace(
        had,
        cause=fold.cause,
        spec=msgspec.structs.replace(had.spec, **given),
        revision_id=revision_of(record, fold.state.offset),
        updated_ms=now,
        updated=True,
    )
    write(fold, machine)
    fold.answer(record.request_id, _body(updateDate=now / 1000, revisionId=machine.revision_id))


def _deleted(fold: Fold, record: MachineRequested) -> None:
    had = fold.state.machines.pop(record.arn, None)
    if had is not None:  # AWS is silent when there is nothing to delete
        now = fold.state.now_ms
        gone = msgspec.structs.replace(had, cause=fold.cause, spec=MachineSpec(), updated_ms=now, deleted=True)
        publish(fold, gone, had)
    fold.answer(record.request_id)


_ACTIONS = {"create": _created, "update": _updated, "delete": _deleted}


def write(fold: Fold, machine: MachineWritten) -> None:
    """The machine is this from now on."""
    had = fold.state.machines.get(machine.arn)
    fold.state.machines[machine.arn] = machine
    publish(fold, machine, had)


def _body(**members: object) -> bytes:
    return msgspec.json.encode(members)
