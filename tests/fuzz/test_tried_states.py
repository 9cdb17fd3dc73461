"""States of bent definitions under TestState: refused in words, or tried to an end, with mocks of any kind."""

import collections
import json
import random
from collections.abc import Iterator
from typing import Any

from maprun.aws.mock_results import fault_of
from maprun.aws.sources.given_text import items_in
from maprun.requests.checks import Refusal
from maprun.statetest import Asked, Configuration, ErrorOutput, Mock, StateOutcome, World, try_state
from schemas.arns import Names
from tests.fuzz.corpus import INPUTS, definitions
from tests.fuzz.run import definition

WORLD = World(Names(), 1_700_000_000_000, fault_of, items_in)
ROLE = "arn:aws:iam::123456789012:role/r"
RESULTS: list[Any] = [None, 1, "x", [], {}, [1, 2], {"StatusCode": 200, "Payload": {}}, {"a": [{"b": 1}]}]
ERRORS = ["Boom", "States.Timeout", "States.TaskFailed", "States.Runtime", "States.DataLimitExceeded", ""]
CONTEXTS: list[Any] = [
    None,
    None,
    {"Execution": {"Input": 5}},
    {"Task": {"Token": "t"}},
    {"Map": {"Item": {"Index": 1}}},
    [],
]
TEXTS = [None, "a,b\n1,2\n", "[1,2]", '{"a":1}', "\x00", ""]
WORKING = ("Task", "Map", "Parallel")
COUNT = 4_000


def named(document: Any) -> Iterator[tuple[str, Any]]:
    """(name, type) of each state, at any depth."""
    states = document.get("States") if isinstance(document, dict) else None
    for name, state in states.items() if isinstance(states, dict) else ():
        if isinstance(state, dict):
            yield name, state.get("Type")
            branches = state.get("Branches")
            for below in (*(branches if isinstance(branches, list) else ()), state.get("ItemProcessor")):
                yield from named(below)


def tried(text: bytes, chance: random.Random) -> str:
    """What becomes of a state of the definition: its status, the code of its refusal, or "call"."""
    definition_text = text.decode(errors="replace")
    try:
        states = [*named(json.loads(definition_text)), ("A", "Pass")]
    except (ValueError, RecursionError):
        states = [("A", "Pass")]
    working = [state for state in states if state[1] in WORKING]
    name, kind = chance.choice(working if working and chance.random() < 0.8 else states)
    mock, configuration, context = None, None, None
    if kind in WORKING and chance.random() < 0.9:
        failed = chance.random() < 0.6
        mock = Mock(
            result=None if failed else json.dumps(chance.choice(RESULTS)),
            error_output=ErrorOutput(error=chance.choice(ERRORS), cause="why") if failed else None,
            field_validation_mode=chance.choice([None, "PRESENT", "NONE", "NONE"]),
        )
        context = chance.choice(CONTEXTS)
        if chance.random() < 0.7:
            configuration = Configuration(
                retrier_retry_count=chance.choice([None, 0, 9]),
                map_iteration_failure_count=1 if kind == "Map" and chance.random() < 0.3 else None,
                map_item_reader_data=chance.choice(TEXTS) if kind == "Map" else None,
            )
    asked = Asked(
        definition=definition_text,
        state_name=name,
        role_arn=ROLE,
        input=chance.choice(INPUTS).decode(),
        mock=mock,
        state_configuration=configuration,
        context=None if context is None else json.dumps(context),
        inspection_level=chance.choice([None, "DEBUG"]),
        variables=chance.choice([None, '{"v":{"x":1}}']),
    )
    try:
        outcome = try_state(asked, WORLD)
    except Refusal as refusal:
        return refusal.code
    return outcome.status if isinstance(outcome, StateOutcome) else "call"


def test_no_state_of_a_bent_definition_brings_a_test_down() -> None:
    """Whatever is bent and mocked, it is refused by a code of TestState's, or ends with one of its statuses."""
    documents = definitions()
    ends = collections.Counter(
        tried(definition(seed, documents), random.Random(seed)) for seed in range(2_000_000, 2_000_000 + COUNT)
    )
    statuses = {"SUCCEEDED", "FAILED", "RETRIABLE", "CAUGHT_ERROR", "call"}
    assert ends.keys() <= statuses | {"ValidationException", "InvalidDefinition", "InvalidExecutionInput"}
    assert min(ends["SUCCEEDED"], ends["FAILED"]) > COUNT / 20
    assert ends["RETRIABLE"] + ends["CAUGHT_ERROR"] > 0
