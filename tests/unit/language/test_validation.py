"""Definitions that AWS refuses, with its code, text and place."""

import json
from typing import Any

import pytest

from maprun.language import DefinitionError, compile_machine, examine

END: dict[str, Any] = {"Type": "Pass", "End": True}
PROCESSOR = {"StartAt": "I", "States": {"I": END}}
DISTRIBUTED = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **PROCESSOR}
LAMBDA = "arn:aws:states:::lambda:invoke"


def refusal(document: Any, machine_type: str = "STANDARD") -> str:
    """What a definition is refused with."""
    with pytest.raises(DefinitionError) as caught:
        compile_machine(json.dumps(document).encode(), machine_type)
    return str(caught.value)


def machine(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A machine of one state X."""
    return {"StartAt": "X", "States": {"X": state}, **fields}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ([], "INVALID_JSON_DESCRIPTION: The definition must be a JSON object at null"),
        ({"StartAt": "A"}, "SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /"),
        ({"StartAt": "A", "States": {}}, "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States"),
        (
            machine({"Type": "Nope"}),
            (
                "SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: "
                "[Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/X/Type"
            ),
        ),
        (
            machine({"Type": "Wait", "Timestamp": "2016-03-14 01:59:00Z", "End": True}),
            "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/X/Timestamp",
        ),
        (
            machine({"Type": "Task", "Resource": "arn:nope", "End": True}),
            (
                "SCHEMA_VALIDATION_FAILED: The resource provided arn:nope is not recognized. The value is not a valid "
                "resource ARN, or the resource is not available in this region. at /States/X/Resource"
            ),
        ),
        (
            machine({"Type": "Pass", "Parameters": {"k.$": "nope"}, "End": True}),
            (
                "SCHEMA_VALIDATION_FAILED: The value for the field 'k.$' must be a valid JSONPath or a valid intrinsic "
                "function call at /States/X/Parameters"
            ),
        ),
        (
            machine({"Type": "Task", "Resource": LAMBDA, "Credentials": {}, "End": True}),
            "SCHEMA_VALIDATION_FAILED: The field 'RoleArn' is required but was missing at /States/X/Credentials",
        ),
        (
            machine({"Type": "Parallel", "Branches": [], "End": True}),
            "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/X/Branches",
        ),
        (
            {"StartAt": "p1", "States": {"p1": {"Type": "Pass", "Next": "p3"}, "p2": END}},
            (
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: p3 at /States/p1/Next, "
                'MISSING_TRANSITION_TARGET: State "p2" is not reachable. at /States/p2'
            ),
        ),
        (
            {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}},
            "MISSING_END_STATE: Workflow has no terminal state at null",
        ),
        (
            machine({**END, "Catch": []}),
            "SCHEMA_VALIDATION_FAILED: Field 'Catch' is not supported at /States/X",
        ),
        (
            machine({**END, "Output": 1}),
            (
                "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only "
                "supported for the 'JSONata' QueryLanguage at /States/X"
            ),
        ),
        (
            machine({**END, "InputPath": "$"}, QueryLanguage="JSONata"),
            (
                "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONata', but field 'InputPath' is only "
                "supported for the 'JSONPath' QueryLanguage at /States/X"
            ),
        ),
        (
            machine({**END, "QueryLanguage": "JSONPath"}, QueryLanguage="JSONata"),
            (
                "SCHEMA_VALIDATION_FAILED: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state "
                "machine at /States/X"
            ),
        ),
        (
            machine({"Type": "Map", "ItemProcessor": PROCESSOR, "MaxConcurrency": -1, "End": True}),
            "SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/X/MaxConcurrency",
        ),
        (
            machine(
                {"Type": "Map", "ItemProcessor": PROCESSOR, "MaxConcurrencyPath": "$$.Execution.Input.n", "End": True}
            ),
            "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/X/MaxConcurrencyPath",
        ),
        (
            machine({"Type": "Map", "ItemProcessor": DISTRIBUTED, "ToleratedFailurePercentage": 101, "End": True}),
            "SCHEMA_VALIDATION_FAILED: Maximum value is 100.0 at /States/X/ToleratedFailurePercentage",
        ),
        (
            machine({"Type": "Map", "ItemProcessor": DISTRIBUTED, "Label": "a b", "End": True}),
            (
                "INVALID_LABEL_NAME: Label must have between 1 and 40 characters and hold no special characters "
                "at /States/X/Label"
            ),
        ),
        (
            machine({**END, "ResultPath": "$..a"}),
            "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/X/ResultPath",
        ),
        (
            machine({**END, "InputPath": "a"}),
            "SCHEMA_VALIDATION_FAILED: Value must be a valid JSONPath. at /States/X/InputPath",
        ),
        (machine(END, Nope=1), "SCHEMA_VALIDATION_FAILED: Field 'Nope' is not supported at /"),
        (
            machine({**END, "Output": "{% 1 + %}"}, QueryLanguage="JSONata"),
            "INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/X/Output",
        ),
        (
            machine({"Type": "Map", "ItemProcessor": {"StartAt": "X", "States": {"X": END}}, "End": True}),
            "DUPLICATE_STATE_NAME: State name 'X' is used more than once at /States/X/ItemProcessor/States/X",
        ),
        (
            machine({"Type": "Task", "Resource": LAMBDA, "End": True, "Retry": [{"ErrorEquals": ["States.ALL", "X"]}]}),
            (
                "SCHEMA_VALIDATION_FAILED: States.ALL must appear alone and at the end of the list at "
                "/States/X/Retry[0]/ErrorEquals"
            ),
        ),
    ],
)
def test_a_definition_is_refused(document: Any, text: str) -> None:
    """The code, the words and the place are AWS's."""
    assert refusal(document) == text


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        ("arn:aws:states:::ecs:runTask.sync", "Express state machine does not support '.sync' service integration at"),
        (
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Express state machine does not support '.waitForTaskToken' service integration  at",
        ),
        ("arn:aws:states:us-east-1:1:activity:a", "Express state machine does not support Activity ARN at"),
    ],
)
def test_express_machines_refuse_what_must_wait(resource: str, text: str) -> None:
    """Also in the children of an EXPRESS Map Run of a STANDARD machine."""
    task = {"Type": "Task", "Resource": resource, "End": True}
    assert refusal(machine(task), "EXPRESS") == f"SCHEMA_VALIDATION_FAILED: {text} /States/X/Resource"
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    processor = {"ProcessorConfig": config, "StartAt": "T", "States": {"T": task}}
    nested = machine({"Type": "Map", "ItemProcessor": processor, "End": True})
    assert text in refusal(nested)
    processor = {**processor, "ProcessorConfig": {**config, "ExecutionType": "STANDARD"}}
    compile_machine(json.dumps(machine({"Type": "Map", "ItemProcessor": processor, "End": True})).encode())


def test_a_path_in_a_result_is_a_warning() -> None:
    """PASS_RESULT_IS_STATIC does not refuse the definition."""
    document = machine({**END, "Result": {"a.$": "$.b"}})
    examined = examine(json.dumps(document).encode())
    assert [(found.severity, found.code) for found in examined.warnings] == [("WARNING", "PASS_RESULT_IS_STATIC")]
    compile_machine(json.dumps(document).encode())


def test_a_machine_knows_its_distributed_maps() -> None:
    """Wherever they stand in the document, with label and child type."""
    inner = {"Type": "Map", "ItemProcessor": DISTRIBUTED, "Label": "in", "End": True}
    processor = {"ProcessorConfig": DISTRIBUTED["ProcessorConfig"], "StartAt": "N", "States": {"N": inner}}
    compiled = compile_machine(json.dumps(machine({"Type": "Map", "ItemProcessor": processor, "End": True})).encode())
    assert sorted(compiled.map_states()) == [("N", "in", "STANDARD"), ("X", "", "STANDARD")]
    assert compiled.processor("X").start_at == "N"
    assert compiled.processor("X").processor("N").start_at == "I"


def test_json_that_nests_too_deep_is_refused() -> None:
    """Before anything that recurses sees it."""
    text = b'{"StartAt":"X","States":{"X":{"Type":"Pass","End":true,"Result":' + b"[" * 5000 + b"]" * 5000 + b"}}}"
    with pytest.raises(DefinitionError) as caught:
        compile_machine(text)
    assert caught.value.findings[0].code == "TOO_DEEPLY_NESTED"
