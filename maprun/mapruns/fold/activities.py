"""Activities in the fold of home: created and deleted, decided by the order of their requests."""

import msgspec

from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.publishing import publish
from maprun.mapruns.fold.repeats import once
from schemas.activities import ActivityRequested, ActivityWritten
from schemas.machines import ENCRYPTION_OWNED


@once
def activity_requested(fold: Fold, record: ActivityRequested) -> None:
    """Creates or deletes an activity."""
    if record.action == "delete":
        _delete(fold, record)
    else:
        _create(fold, record)


def _create(fold: Fold, record: ActivityRequested) -> None:
    now = fold.state.now_ms
    had = fold.state.activities.get(record.arn)
    if had is not None and (had.encryption or ENCRYPTION_OWNED) != (record.encryption or ENCRYPTION_OWNED):
        message = f"Activity Already Exists: '{record.arn}'"
        fold.answer(record.request_id, error="ActivityAlreadyExists", message=message)
        return
    if had is None:  # AWS: idempotent by name and encryption; tags given again are passed over
        had = ActivityWritten(fold.cause, record.arn, record.name, record.encryption, record.tags, now)
        write(fold, had)
    body = msgspec.json.encode({"activityArn": record.arn, "creationDate": had.created_ms / 1000})
    fold.answer(record.request_id, body)


def _delete(fold: Fold, record: ActivityRequested) -> None:
    had = fold.state.activities.pop(record.arn, None)
    if had is not None:  # AWS is silent when there is nothing to delete
        publish(fold, msgspec.structs.replace(had, cause=fold.cause, tags=b"", deleted=True), had)
    fold.answer(record.request_id)


def write(fold: Fold, activity: ActivityWritten) -> None:
    """The activity is this from now on."""
    had = fold.state.activities.get(activity.arn)
    fold.state.activities[activity.arn] = activity
    publish(fold, activity, had)
