"""State machines in the fold of home: create, update, delete, decided by the order of their requests."""

import hashlib

import msgspec

from maprun.mapruns.fold.context import Fold
from schemas import topics
from schemas.home import MachineRequested, MachineSpec, TagsRequested, configured
from schemas.requests import MachineWritten, RequestAnswered

TAGS_MAX = 50
"""Tags of one resource (AWS: Step Functions quotas)."""
ANSWERS_KEPT = 10_000
"""Answers to machine requests kept for repeats of the same request; older repeats are folded as new requests."""


def machine_requested(fold: Fold, record: MachineRequested) -> None:
    """Creates, updates or deletes a state machine; a repeated request id gets its first answer."""
    if not _answered_before(fold, record.request_id):
        _keep_answer(fold, _ACTIONS[record.action](fold, record))


def tags_requested(fold: Fold, record: TagsRequested) -> None:
    """Adds and removes tags of a state machine; neither its revision nor its date changes. Repeats as above."""
    if not _answered_before(fold, record.request_id):
        _keep_answer(fold, _tagged(fold, record))


def _answered_before(fold: Fold, request_id: str) -> bool:
    """Gives the first answer again, if this request had one."""
    known = fold.state.answered.get(request_id)
    if known is not None:
        fold.answer(known.request_id, known.body, known.error, known.message)
    return known is not None


def _keep_answer(fold: Fold, answer: RequestAnswered) -> None:
    answered = fold.state.answered
    answered[answer.request_id] = answer
    if len(answered) > ANSWERS_KEPT:
        del answered[next(iter(answered))]


def revision_of(record: MachineRequested, offset: int) -> str:
    """A revision's id, shaped like a UUID and derived from where the request stands."""
    d = hashlib.blake2b(f"{record.arn}\n{offset}".encode(), digest_size=16).hexdigest()
    return f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"


def _created(fold: Fold, record: MachineRequested) -> RequestAnswered:
    had = fold.state.machines.get(record.arn)
    if had is not None:
        # AWS: idempotent if definition, type, logging, tracing and encryption match; role and tags aren't compared
        same = msgspec.structs.replace(record.spec, role_arn=had.spec.role_arn, tags=had.spec.tags)
        if configured(same) != configured(had.spec):
            return fold.answer(
                record.request_id,
                error="StateMachineAlreadyExists",
                message=f"State Machine Already Exists: '{record.arn}'",
            )
        return fold.answer(record.request_id, _body(stateMachineArn=had.arn, creationDate=had.created_ms / 1000))
    now = fold.state.now_ms
    machine = MachineWritten(
        fold.cause, record.arn, record.name, record.spec, revision_of(record, fold.state.offset), now, now
    )
    _write(fold, machine)
    return fold.answer(record.request_id, _body(stateMachineArn=record.arn, creationDate=now / 1000))


def _updated(fold: Fold, record: MachineRequested) -> RequestAnswered:
    had = fold.state.machines.get(record.arn)
    if had is None:
        return fold.answer(
            record.request_id,
            error="StateMachineDoesNotExist",
            message=f"State Machine Does Not Exist: '{record.arn}'",
        )
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
    _write(fold, machine)
    return fold.answer(record.request_id, _body(updateDate=now / 1000, revisionId=machine.revision_id))


def _deleted(fold: Fold, record: MachineRequested) -> RequestAnswered:
    had = fold.state.machines.pop(record.arn, None)
    if had is not None:  # AWS is silent when there is nothing to delete
        now = fold.state.now_ms
        gone = msgspec.structs.replace(had, cause=fold.cause, spec=MachineSpec(), updated_ms=now, deleted=True)
        _send(fold, gone, had)
    return fold.answer(record.request_id)


def _tagged(fold: Fold, record: TagsRequested) -> RequestAnswered:
    had = fold.state.machines.get(record.arn)
    if had is None:
        return fold.answer(record.request_id, error="ResourceNotFound", message=f"Resource not found: '{record.arn}'")
    tags = {tag["key"]: tag["value"] for tag in msgspec.json.decode(had.spec.tags or b"[]")}
    for key in record.removed:
        tags.pop(key, None)
    tags.update(zip(record.added[::2], record.added[1::2], strict=True))
    if len(tags) > TAGS_MAX:
        message = f"A resource has at most {TAGS_MAX} tags; '{record.arn}' would have {len(tags)}."
        return fold.answer(record.request_id, error="TooManyTags", message=message)
    listed = msgspec.json.encode([{"key": key, "value": value} for key, value in tags.items()])
    _write(fold, msgspec.structs.replace(had, cause=fold.cause, spec=msgspec.structs.replace(had.spec, tags=listed)))
    return fold.answer(record.request_id)


_ACTIONS = {"create": _created, "update": _updated, "delete": _deleted}


def _write(fold: Fold, machine: MachineWritten) -> None:
    had = fold.state.machines.get(machine.arn)
    fold.state.machines[machine.arn] = machine
    _send(fold, machine, had)


def _send(fold: Fold, machine: MachineWritten, had: MachineWritten | None) -> None:
    """Publishes a revision, and behind it deletes the one before: one of them is always there to be read."""
    fold.send(topics.MACHINES, fold.state.home, machine, _key(machine))
    if had is not None:
        fold.send(topics.MACHINES, fold.state.home, None, _key(had))


def _key(machine: MachineWritten) -> bytes:
    """One for each revision, so that what stands under a key never changes, whoever wrote it again."""
    return f"{machine.arn}|{machine.cause.offset}".encode()


def _body(**members: object) -> bytes:
    return msgspec.json.encode(members)
