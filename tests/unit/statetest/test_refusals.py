"""What TestState refuses, with AWS's names and, where they are known, its words."""

from typing import Any

import pytest

from tests.unit.statetest.trying import LAMBDA, refusal

END: dict[str, Any] = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": LAMBDA, "Parameters": {"FunctionName": "f"}, "End": True}
ROLE = "arn:aws:iam::123456789012:role/r"
INNER = {"StartAt": "I", "States": {"I": END}}
MAP = {"Type": "Map", "ItemProcessor": INNER, "End": True}
PARALLEL = {"Type": "Parallel", "Branches": [INNER], "End": True}
MACHINE = {"StartAt": "A", "States": {"A": END}}
UNMOCKED = "TestState API does not support Map or Parallel states. Supported state types include: "
UNMOCKED += "[Task, Wait, Pass, Succeed, Fail, Choice]"
ONE_OF = "A test mock should have only one of the following fields: [result, errorOutput]."
VALIDATION: list[tuple[Any, dict[str, Any], str]] = [
    (TASK, {}, "RoleArn must be specified when testing a Task state"),
    (MACHINE, {"state_name": "B"}, "State not found in definition"),
    *(
        ({"Type": kind, **rest}, {"mock": {}}, f"State type '{kind}' is not supported when a mock is specified")
        for kind, rest in (
            ("Pass", {"End": True}),
            ("Fail", {}),
            ("Succeed", {}),
            ("Wait", {"Seconds": 1, "End": True}),
            ("Choice", {"Choices": [{"Variable": "$.a", "IsNull": True, "Next": "A"}]}),
        )
    ),
    (TASK, {"mock": {}, "error": ("E", "")}, ONE_OF),
    (MAP, {"mock": {}}, "Mocked result must be an array."),
    (PARALLEL, {"mock": 5}, "Mocked result must be an array."),
    (TASK, {"mock": {}, "reveal_secrets": True}, "TestState does not support RevealSecrets when a mock is specified."),
    *(
        (TASK, {"role_arn": ROLE, member: value}, f"TestState does not support {name} when a mock is not specified.")
        for member, value, name in (
            ("map_iteration_failure_count", 1, "MapIterationFailureCount"),
            ("retrier_retry_count", 1, "RetrierRetryCount"),
            ("error_caused_by_state", "A", "ErrorCausedByState"),
            ("map_item_reader_data", "[]", "MapItemReaderData"),
            ("context", {}, "Context"),
        )
    ),
    (PARALLEL, {"error": ("E", ""), "error_caused_by_state": "Nobody"}, "State not found in definition"),
    (TASK, {"mock": {}, "variables": [1]}, "Variables must be a JSON object of names and values."),
    *(
        (TASK, {"mock": {}, "context": context}, f"Invalid Context object provided: {words}")
        for context, words in (
            ({"x": 1}, "Field 'x' is not allowed"),
            ({"Execution": {"x": 1}}, "Field 'x' is not allowed"),
            ({"Execution": 1}, "Field 'Execution' must be an object"),
            ({"State": {"Name": 1}}, "Field 'Name' must be a string"),
            ({"State": {"RetryCount": "1"}}, "Field 'RetryCount' must be a number"),
            ([], "it must be a JSON object"),
        )
    ),
]


@pytest.mark.parametrize(("definition", "members", "words"), VALIDATION)
def test_validation(definition: Any, members: dict[str, Any], words: str) -> None:
    """ValidationException."""
    assert refusal(definition, {}, **members) == f"ValidationException: {words}"


@pytest.mark.parametrize(
    ("definition", "members", "words"),
    [
        (MAP, {}, UNMOCKED),
        (PARALLEL, {}, UNMOCKED),
        ({"Type": "Pass"}, {}, "SCHEMA_VALIDATION_FAILED: These fields are required: [Next] at /"),
        ({**END, "X": 1}, {}, "SCHEMA_VALIDATION_FAILED: Field 'X' is not supported at /"),
        (
            {**TASK, "Resource": "echo"},
            {},
            (
                "SCHEMA_VALIDATION_FAILED: The resource provided echo is not recognized. The value is not a valid "
                "resource ARN, or the resource is not available in this region. at /Resource"
            ),
        ),
        (
            {**PARALLEL, "Branches": [{"StartAt": "No", "States": {"I": {"Type": "Pass", "Next": "Gone"}}}]},
            {"mock": [1]},
            (
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: No at /Branches[0]/StartAt, "
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: Gone at /Branches[0]/States/I/Next, "
                'MISSING_TRANSITION_TARGET: State "I" is not reachable. at /Branches[0]/States/I'
            ),
        ),
        (
            {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Gone"}}},
            {"state_name": "A"},
            (
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: Gone at /States/A/Next, "
                "MISSING_END_STATE: Workflow has no terminal state at null"
            ),
        ),
    ],
)
def test_definitions(definition: Any, members: dict[str, Any], words: str) -> None:
    """InvalidDefinition, with places within the state where it comes without its machine."""
    assert refusal(definition, {}, **members) == (f"InvalidDefinition: Invalid State Machine Definition: '{words}'")


def test_what_waits_for_somebody_needs_a_mock() -> None:
    """Activities, .sync and .waitForTaskToken."""
    for resource in (
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "arn:aws:states:::states:startExecution.sync",
    ):
        assert "only when a mock is specified" in refusal({**TASK, "Resource": resource}, {}, role_arn=ROLE)


def test_texts_that_are_no_json() -> None:
    """The definition and the input, with what is wrong."""
    assert refusal("{").startswith("InvalidDefinition: Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: ")
    assert refusal("[]").startswith("InvalidDefinition: ")
