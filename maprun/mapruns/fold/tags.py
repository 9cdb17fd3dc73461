"""Tags of state machines and activities in the fold of home."""

import msgspec

from maprun.mapruns.fold import activities
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.machine_records import carried_out, write_machine
from maprun.mapruns.fold.repeats import once
from schemas.machines import TagsRequested

TAGS_MAX = 50
"""Tags of one resource (AWS: Step Functions quotas)."""


@once
def tags_requested(fold: Fold, record: TagsRequested) -> None:
    """Adds and removes tags; neither the resource's revision nor its dates change."""
    machine, activity = fold.state.machines.get(record.arn), fold.state.activities.get(record.arn)
    if carried_out(fold, record.request_id, machine):
        return
    if machine is not None and not machine.version:  # AWS: neither versions nor aliases have tags
        tags = _changed(record, machine.spec.tags)
    elif activity is not None:
        tags = _changed(record, activity.tags)
    else:
        fold.answer(record.request_id, error="ResourceNotFound", message=f"Resource not found: '{record.arn}'")
        return
    if len(tags) > TAGS_MAX:
        message = f"A resource has at most {TAGS_MAX} tags; '{record.arn}' would have {len(tags)}."
        fold.answer(record.request_id, error="TooManyTags", message=message)
        return
    listed = msgspec.json.encode([{"key": key, "value": value} for key, value in tags.items()])
    if machine is not None:
        spec = msgspec.structs.replace(machine.spec, tags=listed)
        write_machine(fold, msgspec.structs.replace(machine, spec=spec))
    elif activity is not None:
        activities.write(fold, msgspec.structs.replace(activity, cause=fold.cause, tags=listed))
    fold.answer(record.request_id)


def _changed(record: TagsRequested, had: bytes) -> dict[str, str]:
    """The resource's tags as they are to be."""
    tags = {tag["key"]: tag["value"] for tag in msgspec.json.decode(had or b"[]")}
    for key in record.removed:
        tags.pop(key, None)
    tags.update(zip(record.added[::2], record.added[1::2], strict=True))
    return tags
