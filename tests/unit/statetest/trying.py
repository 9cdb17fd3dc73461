"""A state tried as TestState tries it, with Python values for JSON texts."""

import json
from typing import Any

import msgspec

from maprun.aws.mock_results import fault_of
from maprun.aws.sources.given_text import items_in
from maprun.requests.checks import Refusal
from maprun.statetest import Asked, Called, Configuration, ErrorOutput, Mock, StateOutcome, World, try_state
from schemas.arns import Names
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

NOW_MS = 1_700_000_000_000
WORLD = World(Names(), NOW_MS, fault_of, items_in)
LAMBDA = "arn:aws:states:::lambda:invoke"
NOTHING: Any = object()


def asked(definition: Any, given: Any = NOTHING, *, mock: Any = NOTHING, error: Any = None, **members: Any) -> Asked:
    """The request; members of stateConfiguration may stand among the others."""
    configuration = {name: members.pop(name) for name in Configuration.__struct_fields__ if name in members}
    mode = members.pop("field_validation_mode", None)
    for name in ("variables", "context"):
        if name in members:
            members[name] = json.dumps(members[name])
    mocked = None
    if mock is not NOTHING or error is not None:
        mocked = Mock(
            result=None if mock is NOTHING else json.dumps(mock),
            error_output=None if error is None else ErrorOutput(error=error[0], cause=error[1]),
            field_validation_mode=mode,
        )
    return Asked(
        definition=definition if isinstance(definition, str) else json.dumps(definition),
        input=None if given is NOTHING else json.dumps(given),
        mock=mocked,
        state_configuration=Configuration(**configuration) if configuration else None,
        inspection_level=members.pop("inspection_level", "DEBUG"),
        **members,
    )


def tried(definition: Any, given: Any = NOTHING, **members: Any) -> dict[str, Any]:
    """The answer as a user reads it: JSON texts decoded."""
    outcome = try_state(asked(definition, given, **members), WORLD)
    assert isinstance(outcome, StateOutcome), outcome
    return read(outcome)


def read(outcome: StateOutcome) -> dict[str, Any]:
    """Members of an outcome, their JSON texts decoded."""
    answer: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(outcome))
    if "output" in answer:
        answer["output"] = json.loads(answer["output"])
    seen = answer.get("inspectionData", {})
    for name, value in seen.items():
        if isinstance(value, str):
            seen[name] = json.loads(value)
    return answer


def called(definition: Any, given: Any, outcome: Any, **members: Any) -> tuple[Any, dict[str, Any]]:
    """(parameters of the call that a Task makes, what becomes of it with this result, or (error, cause))."""
    ask = asked(definition, given, role_arn="arn:aws:iam::1:role/r", **members)
    request = try_state(ask, WORLD)
    assert isinstance(request, TaskRequested), request
    came = (
        TaskFailed(request.ref, *outcome)
        if isinstance(outcome, tuple)
        else TaskSucceeded(request.ref, json.dumps(outcome).encode())
    )
    answer = try_state(ask, WORLD, Called(came))
    assert isinstance(answer, StateOutcome)
    return json.loads(request.parameters), read(answer)


def refusal(definition: Any, given: Any = NOTHING, **members: Any) -> str:
    """Code and message of what is refused."""
    try:
        outcome = try_state(asked(definition, given, **members), WORLD)
    except Refusal as refused:
        return f"{refused.code}: {refused.message}"
    raise AssertionError(outcome)
