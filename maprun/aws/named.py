"""Calls whose Parameters name a thing that its service knows by an id: the id is looked up, then the call is made."""

from typing import Any

import msgspec

from maprun.aws.parameters import unusable
from maprun.aws.sdk_tasks import Call, SdkCaller
from maprun.integrations.members import at, filled
from maprun.integrations.service import ByName, Words
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

PAGES_MAX = 100
"""Of the list in which a name is looked for."""


async def run_named(
    sdk: SdkCaller, call: Call, by_name: ByName, request: TaskRequested, idempotency_key: str
) -> TaskSucceeded | TaskFailed:
    """One attempt of such a call. Raises AnswerTooLargeError."""
    known = await _with_id(sdk, call, by_name, request)
    return known if isinstance(known, TaskFailed) else await sdk.run(call, known, idempotency_key)


async def _with_id(sdk: SdkCaller, call: Call, by_name: ByName, request: TaskRequested) -> TaskRequested | TaskFailed:
    """The request with the id of what it names."""
    asked = msgspec.json.decode(request.parameters)
    if wrong := _fault_of(asked, by_name):
        return TaskFailed(request.ref, "States.Runtime", unusable(request.parameters, wrong))
    name, thing = at(asked, (by_name.name,)), at(asked, (by_name.thing,))
    page: dict[str, Any] = {}
    for _ in range(PAGES_MAX):
        listed = filled(by_name.listed.parameters, asked=asked)
        if "Marker" in page:
            listed["Marker"] = page["Marker"]
        looked_up = Call(call.service, by_name.listed.action, call.optimised)
        found = await sdk.run(looked_up, _asking(request, listed), request.ref)
        if isinstance(found, TaskFailed):
            return found
        page = msgspec.json.decode(found.output)
        for entry in page.get(by_name.entries, ()):
            if entry.get("Name") == name:
                own = {key: value for key, value in asked.items() if key not in _spellings(by_name.thing)}
                return _asking(request, {**own, by_name.thing: {**thing, by_name.id: entry["Id"]}})
        if "Marker" not in page:
            break
    words = call.optimised
    assert isinstance(words, Words), "only optimised integrations take names"
    return TaskFailed(request.ref, f"{words.prefix}.{words.base_error}", f"There is no {by_name.thing} named '{name}'")


def _fault_of(asked: Any, by_name: ByName) -> str:
    """What is wrong with Parameters; empty if nothing is."""
    if not isinstance(asked, dict):
        return "Parameters must be an object"
    if not isinstance(at(asked, (by_name.name,)), str):
        return f"The value for the field '{by_name.name}' must be a STRING"
    if not isinstance(at(asked, (by_name.thing,)), dict):
        return f"The value for the field '{by_name.thing}' must be an OBJECT"
    if at(asked, (by_name.thing, by_name.id)) is not None:
        return f"The field '{by_name.id}' is not supported by Step Functions"
    return ""


def _asking(request: TaskRequested, parameters: dict[str, Any]) -> TaskRequested:
    return msgspec.structs.replace(request, parameters=msgspec.json.encode(parameters))


def _spellings(member: str) -> tuple[str, str]:
    return member, member[:1].lower() + member[1:]
