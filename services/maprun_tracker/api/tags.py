"""Tags of state machines and activities: listed, added, removed."""

import re
from collections.abc import Sequence

import msgspec

from maprun.mapruns.fold.tags import TAGS_MAX
from maprun.requests.checks import Refusal, constraint_failed, parse_arn
from schemas.arns import home_of
from schemas.machines import TagsRequested
from services.maprun_tracker.api import inputs, shapes
from services.maprun_tracker.api.errors import resource_missing
from services.maprun_tracker.api.service import Call, Service

_RESERVED = "aws:"
_REFUSED = re.compile(r"[^\w\s.:/=+\-@]")
"""AWS: letters, digits, white space and `_ . : / = + - @` (API reference, Tag)."""


def checked(tags: Sequence[inputs.Tag]) -> dict[str, str]:
    """Tags as key → value; a value that is absent is empty. Raises Refusal (ValidationException, TooManyTags)."""
    pairs: dict[str, str] = {}
    for at, tag in enumerate(tags, 1):
        key, value = tag.key or "", tag.value or ""
        for member, text in (("key", key), ("value", value)):
            if _REFUSED.search(text):
                path = f"tags.{at}.member.{member}"
                pattern = "Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$"
                constraint_failed(path, pattern, f"'{text}'")
        if key.lower().startswith(_RESERVED):
            raise Refusal(
                "ValidationException", f"Tag keys can't begin with 'aws:', which AWS keeps to itself: '{key}'"
            )
        if key in pairs:
            raise Refusal("ValidationException", f"Tag keys must be unique, but '{key}' is given twice")
        pairs[key] = value
    if len(pairs) > TAGS_MAX:
        raise Refusal("TooManyTags", f"A resource has at most {TAGS_MAX} tags; {len(pairs)} were given.")
    return pairs


def stored(tags: Sequence[inputs.Tag] | None) -> bytes:
    """The tags of a new machine or activity, as they are kept. Raises Refusal, as `checked`."""
    if not tags:
        return b""
    return msgspec.json.encode([{"key": key, "value": value} for key, value in checked(tags).items()])


async def list_tags(service: Service, ask: inputs.ResourceAsked, _call: Call) -> shapes.Tags:
    """ListTagsForResource."""
    arn = _resource(ask.resource_arn)
    if _is_activity(arn):
        activity = await service.activity(arn)
        given = None if activity is None else activity.tags
    else:
        machine = await service.machine(arn)
        given = None if machine is None else machine.spec.tags
    if given is None:
        raise resource_missing(arn)
    return shapes.Tags(tags=msgspec.Raw(given or b"[]"))


async def tag(service: Service, ask: inputs.TagResource, call: Call) -> msgspec.Raw:
    """TagResource."""
    arn = _resource(ask.resource_arn)
    added = tuple(text for pair in checked(ask.tags or ()).items() for text in pair)
    return await _written(service, TagsRequested(service.command_id(call, "tag"), arn, added=added))


async def untag(service: Service, ask: inputs.UntagResource, call: Call) -> msgspec.Raw:
    """UntagResource: keys that the resource doesn't have are passed over."""
    arn = _resource(ask.resource_arn)
    return await _written(
        service, TagsRequested(service.command_id(call, "untag"), arn, removed=tuple(ask.tag_keys or ()))
    )


def _resource(given: str | None) -> str:
    arn = given or ""
    kind, rest = parse_arn(arn, ("stateMachine", "activity"))
    if kind == "stateMachine" and len(rest) > 1:  # AWS: neither versions nor aliases have tags
        raise resource_missing(arn)
    return arn


def _is_activity(arn: str) -> bool:
    return parse_arn(arn, ("stateMachine", "activity"))[0] == "activity"


async def _written(service: Service, command: TagsRequested) -> msgspec.Raw:
    await service.command(home_of(command.arn, service.homes), command)
    if _is_activity(command.arn):
        await service.activity_shown(command.arn)
    else:
        await service.machine_shown(command.arn)
    return msgspec.Raw(b"{}")
