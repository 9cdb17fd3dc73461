"""Operations on activities."""

import msgspec

from maprun.requests.checks import Refusal, parse_arn, validate_name
from schemas.activities import ActivityRequested, ActivityWritten
from schemas.arns import home_of
from schemas.machines import ENCRYPTION_OWNED
from services.maprun_tracker.api import inputs, shapes, tags
from services.maprun_tracker.api.configurations import encryption_to_store
from services.maprun_tracker.api.errors import activity_missing
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token


async def create(service: Service, ask: inputs.CreateActivity, call: Call) -> msgspec.Raw:
    """CreateActivity."""
    name = ask.name or ""
    validate_name(name)
    encryption = encryption_to_store(ask.encryption_configuration)
    arn = service.names.activity(name)
    request_id = service.command_id(call, "create-activity")
    command = ActivityRequested(request_id, "create", arn, name, encryption, tags.stored(ask.tags))
    return await _written(service, command)


async def delete(service: Service, ask: inputs.ActivityAsked, call: Call) -> msgspec.Raw:
    """DeleteActivity."""
    arn = ask.activity_arn or ""
    command = ActivityRequested(service.command_id(call, "delete-activity"), "delete", arn, name_in(arn))
    return await _written(service, command)


async def _written(service: Service, command: ActivityRequested) -> msgspec.Raw:
    body = await service.command(home_of(command.arn, service.homes), command)
    await service.activity_shown(command.arn)
    return msgspec.Raw(body)


def name_in(arn: str) -> str:
    """The name in an activity's ARN. Raises Refusal (InvalidArn)."""
    _, rest = parse_arn(arn, ("activity",))
    if len(rest) != 1:
        raise Refusal("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {arn}'")
    return rest[0]


async def describe(service: Service, ask: inputs.ActivityAsked, _call: Call) -> shapes.ActivityDescription:
    """DescribeActivity."""
    arn = ask.activity_arn or ""
    name_in(arn)
    activity = await service.activity(arn)
    if activity is None:
        raise activity_missing(arn)
    return shapes.ActivityDescription(
        activity_arn=activity.arn,
        name=activity.name,
        creation_date=activity.created_ms / 1000,
        encryption_configuration=msgspec.Raw(activity.encryption or ENCRYPTION_OWNED),
    )


async def list_activities(service: Service, ask: inputs.Page, _call: Call) -> shapes.ActivityList:
    """ListActivities, newest first."""
    query = ("ListActivities",)
    below = read_token(ask.next_token, query, tuple[int, str])
    await service.all_machines_read()
    found = sorted(service.machines.activities, key=_age, reverse=True)
    size = ask.max_results or service.limits.page_default
    page = [activity for activity in found if below is None or _age(activity) < below][: size + 1]
    items = [
        shapes.ActivityItem(activity_arn=each.arn, name=each.name, creation_date=each.created_ms / 1000)
        for each in page[:size]
    ]
    return shapes.ActivityList(
        activities=items, next_token=make_token(query, _age(page[size - 1])) if len(page) > size else None
    )


def _age(activity: ActivityWritten) -> tuple[int, str]:
    return activity.created_ms, activity.arn
