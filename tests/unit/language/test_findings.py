"""Everything that is wrong with a definition is told at once, each thing once, warnings beside errors."""

import json
from itertools import combinations
from typing import Any

import pytest

from maprun.language import DefinitionError, compile_machine, examine

NEXT: dict[str, Any] = {"Type": "Pass", "Next": "End"}
END: dict[str, Any] = {"Type": "Pass", "End": True}
LAMBDA = "arn:aws:states:::lambda:invoke"
PROCESSOR = {"StartAt": "I", "States": {"I": END}}
DOWNGRADED = (
    "SCHEMA_VALIDATION_FAILED: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at"
)
REACHED = 'MISSING_TRANSITION_TARGET: State "{}" is not reachable. at /States/{}'
SCHEMA = "SCHEMA_VALIDATION_FAILED: "
DOWNGRADED = f"{SCHEMA}'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at"


def lines(document: Any, machine_type: str = "STANDARD") -> list[str]:
    """The errors of a definition, one a line as AWS writes them."""
    return [found.line for found in examine(json.dumps(document).encode(), machine_type).errors]


def warnings(document: Any) -> list[tuple[str, str]]:
    """Code and place of each warning; there must be no error."""
    examined = examine(json.dumps(document).encode())
    assert [found.line for found in examined.errors] == []
    return [(found.code, found.location) for found in examined.warnings]


def machine(states: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A machine of these states, which starts at the first."""
    return {"StartAt": next(iter(states)), "States": states, **fields}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (
            machine({"p1": {"Type": "Pass", "Next": "p3"}, "p2": END}),
            ["MISSING_TRANSITION_TARGET: Missing 'Next' target: p3 at /States/p1/Next", REACHED.format("p2", "p2")],
        ),
        (
            machine({"A": {"Type": "Pass", "Next": "NOPE"}}),
            [
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next",
                "MISSING_END_STATE: Workflow has no terminal state at null",
            ],
        ),
        (
            machine(
                {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}, "C": NEXT | {"Next": "A"}}
            ),
            ["MISSING_END_STATE: Workflow has no terminal state at null"],
        ),
        (
            machine({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}, "C": END}),
            [REACHED.format("C", "C")],
        ),
        (
            {"StartAt": "Nope", "States": {"A": END}},
            ["MISSING_TRANSITION_TARGET: Missing 'Next' target: Nope at /StartAt", REACHED.format("A", "A")],
        ),
        (
            machine(
                {
                    "C": {
                        "Type": "Choice",
                        "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "G"}],
                        "Default": "H",
                    },
                    "Z": END,
                }
            ),
            [
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: G at /States/C/Choices[0]/Next",
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: H at /States/C/Default",
                REACHED.format("Z", "Z"),
            ],
        ),
    ],
)
def test_where_states_lead_is_judged_as_aws_does(document: Any, found: list[str]) -> None:
    """Missing targets first, then a missing end, which keeps silent about what is not reached."""
    assert lines(document) == found


def test_a_branch_may_go_round_for_ever() -> None:
    """Only the machine itself must have a state that ends it."""
    loop = machine({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}})
    assert lines(machine({"M": {"Type": "Map", "ItemProcessor": loop, "End": True}})) == []


FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "type": ({"Type": "Nope", "Next": "End"}, ["The field 'Type' should have one of these values: [Task, Wait, Pass"]),
    "number": ({"Type": "Wait", "Seconds": "soon", "Next": "End"}, ["Expected value of type [NUMBER] at {}/Seconds"]),
    "moment": ({"Type": "Wait", "Timestamp": 5, "Next": "End"}, ["String does not match RFC3339 timestamp at"]),
    "no ARN": ({"Type": "Task", "Resource": "echo", "Next": "End"}, ["The resource provided echo is not recognized."]),
    "no resource": ({"Type": "Task", "Next": "End"}, ["These fields are required: [Resource] at {}"]),
    "two fields": (
        {"Type": "Pass", "Nope": 1, "InputPath": "a", "Next": "End"},
        ["Field 'Nope' is not supported at {}", "Value must be a valid JSONPath. at {}/InputPath"],
    ),
    "two members": (
        {"Type": "Pass", "Parameters": {"a.$": "x", "b": [{"c.$": 1}]}, "Next": "End"},
        ["The value for the field 'a.$' must be", "The value for the field 'c.$' must be"],
    ),
    "two retriers": (
        {
            "Type": "Task",
            "Resource": LAMBDA,
            "Retry": [{"IntervalSeconds": 0}, {"ErrorEquals": [], "BackoffRate": 0.5}],
            "Next": "End",
        },
        [
            "These fields are required: [ErrorEquals] at {}/Retry[0]",
            "Minimum value is 1 at {}/Retry[0]/IntervalSeconds",
            "Value cannot be empty at {}/Retry[1]/ErrorEquals",
            "Minimum value is 1.0 at {}/Retry[1]/BackoffRate",
        ],
    ),
    "branches": (
        {"Type": "Parallel", "Branches": [5, {"StartAt": 1, "States": {}}, {"States": {"X": END}}], "Next": "End"},
        [
            "Expected value of type [OBJECT] at {}/Branches[0]",
            "Expected value of type [STRING] at {}/Branches[1]/StartAt",
            "Value cannot be empty at {}/Branches[1]/States",
            "These fields are required: [StartAt] at {}/Branches[2]",
        ],
    ),
    "processor": (
        {"Type": "Map", "MaxConcurrency": -1, "ItemProcessor": {"StartAt": "J", "States": {"J": {}}}, "Next": "End"},
        ["Minimum value is 0 at {}/MaxConcurrency", "These fields are required: [Type] at {}/ItemProcessor/States/J"],
    ),
    "reader": (
        {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:x",
                "ReaderConfig": {"InputType": "XML", "CSVHeaders": [1], "MaxItems": -1},
            },
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "K", "States": {"K": END}},
            "Next": "End",
        },
        [
            "The resource provided arn:x is not recognized.",
            "Minimum value is 0 at {}/ItemReader/ReaderConfig/MaxItems",
            "Value should be one of the following: [CSV, JSON, JSONL, PARQUET, MANIFEST] at",
            "Expected value of type [STRING] at {}/ItemReader/ReaderConfig/CSVHeaders[0]",
            "These fields are required: [ExecutionType] at {}/ItemProcessor/ProcessorConfig",
        ],
    ),
    "expressions": (
        {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": "{% 1 + %}", "b": ["{% ( %}"]}, "Next": "End"},
        ["INVALID_JSONATA_EXPRESSION", "INVALID_JSONATA_EXPRESSION"],
    ),
    "nowhere": (
        {"Type": "Pass", "Next": "Gone"},
        ["MISSING_TRANSITION_TARGET: Missing 'Next' target: Gone at {}/Next"],
    ),
}


def faulty(*kinds: str) -> dict[str, Any]:
    """A machine whose Choice leads to a state of each of these kinds, and each of them to the end."""
    rules = [{"Variable": "$.x", "NumericEquals": at, "Next": kind} for at, kind in enumerate(kinds)]
    return machine(
        {"Start": {"Type": "Choice", "Choices": rules, "Default": "End"}, "End": END}
        | {kind: FAULTS[kind][0] for kind in kinds}
    )


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_told_once_and_nothing_beside_it(kind: str) -> None:
    """What follows from a fault alone is not told as another."""
    expected = [text.format(f"/States/{kind}") for text in FAULTS[kind][1]]
    found = lines(faulty(kind))
    assert len(found) == len(expected)
    for text in expected:
        assert any(text in line for line in found), (text, found)


@pytest.mark.parametrize(("first", "second"), list(combinations(FAULTS, 2)))
def test_no_fault_hides_another(first: str, second: str) -> None:
    """Two faults in one definition are told exactly as each is alone."""
    assert sorted(lines(faulty(first, second))) == sorted(lines(faulty(first)) + lines(faulty(second)))


def test_the_refusal_names_all() -> None:
    """CreateStateMachine's message joins every finding by a comma and a blank."""
    with pytest.raises(DefinitionError) as refused:
        compile_machine(json.dumps(faulty("number", "no resource")).encode())
    assert str(refused.value) == (
        f"{SCHEMA}Expected value of type [NUMBER] at /States/number/Seconds, "
        f"{SCHEMA}These fields are required: [Resource] at /States/no resource"
    )


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (
            machine({"X": {**END, "QueryLanguage": "jsonata", "Output": 1, "InputPath": "$.a"}}),
            [
                (
                    f"{SCHEMA}The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for the "
                    "'JSONPath' QueryLanguage at /States/X"
                ),
                f"{SCHEMA}Value should be one of the following: [JSONPath, JSONata] at /States/X/QueryLanguage",
            ],
        ),
        (
            machine({"X": END}, QueryLanguage=5),
            [f"{SCHEMA}Expected value of type [STRING] at /QueryLanguage"],
        ),
        (
            machine({"X": {**END, "QueryLanguage": "JSONPath", "Output": 1}}, QueryLanguage="JSONata"),
            [
                f"{DOWNGRADED} /States/X",
            ],
        ),
        (
            machine(
                {
                    "M": {
                        "Type": "Map",
                        "QueryLanguage": "JSONPath",
                        "MaxConcurrency": -1,
                        "ItemProcessor": PROCESSOR,
                        "End": True,
                    }
                },
                QueryLanguage="JSONata",
            ),
            [
                f"{DOWNGRADED} /States/M",
                f"{SCHEMA}Minimum value is 0 at /States/M/MaxConcurrency",
            ],
        ),
        (
            machine(
                {
                    "M": {
                        "Type": "Map",
                        "QueryLanguage": "JSONata",
                        "ItemProcessor": machine({"P": {**END, "Output": 1}}),
                        "End": True,
                    }
                }
            ),
            [
                (
                    f"{SCHEMA}The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the "
                    "'JSONata' QueryLanguage at /States/M/ItemProcessor/States/P"
                ),
            ],
        ),
    ],
)
def test_query_languages_as_measured(document: Any, found: list[str]) -> None:
    """What is not "JSONPath" to the letter counts as JSONata; a nested state inherits the machine's, not the Map's."""
    assert lines(document) == found


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ({"X": {**END, "Parameters": {"a": "$.b"}}}, [("NO_DOLLAR", "/States/X/Parameters/a")]),
        ({"X": {**END, "Parameters": {"a": [{"b": "$$.State"}]}}}, [("NO_DOLLAR", "/States/X/Parameters/a[0]/b")]),
        ({"X": {**END, "Parameters": {"a": "States.UUID()"}}}, [("NO_DOLLAR", "/States/X/Parameters/a")]),
        ({"X": {**END, "Assign": {"a": "$.b"}}}, [("NO_DOLLAR", "/States/X/Assign/a")]),
        ({"X": {**END, "Parameters": {"a": "$5", "b": "costs $.50", "c.$": "$.c"}}}, []),
        ({"X": {**END, "Result": {"a.$": "$.b"}}}, [("PASS_RESULT_IS_STATIC", "/States/X/Result")]),
        ({"X": {**END, "Result": "$.b"}}, [("PASS_RESULT_IS_STATIC", "/States/X/Result")]),
        ({"X": {"Type": "Fail", "Error": "$.e", "Cause": "because"}}, [("NO_PATH", "/States/X/Error")]),
        (
            {
                "X": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.a", "StringEquals": "$.b", "Next": "Y"}],
                    "Default": "Y",
                },
                "Y": END,
            },
            [("NO_PATH", "/States/X/Choices[0]/StringEquals")],
        ),
    ],
)
def test_what_looks_computed_and_is_not_is_warned_of(states: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """NO_DOLLAR in templates, NO_PATH beside a Path twin, PASS_RESULT_IS_STATIC: none refuses a definition."""
    assert warnings(machine(states)) == found


def test_a_path_for_a_number_is_an_error_and_a_hint() -> None:
    """A Wait whose Seconds is a path is refused, and the warning says what was probably meant."""
    examined = examine(json.dumps(machine({"X": {"Type": "Wait", "Seconds": "$.n", "End": True}})).encode())
    assert [found.line for found in examined.errors] == [
        f"{SCHEMA}Expected value of type [NUMBER] at /States/X/Seconds"
    ]
    assert [found.code for found in examined.warnings] == ["NO_PATH"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b" \n", "MISSING_DESCRIPTION: The definition is empty at null"),
        (
            b'{"StartAt": "A",\n  "States": nope}',
            "INVALID_JSON_DESCRIPTION: The definition is not valid JSON: Expecting value (line 2, column 13) at null",
        ),
    ],
)
def test_a_text_that_is_no_definition(text: bytes, line: str) -> None:
    """What is no JSON is told by line and column, as an editor counts them."""
    assert [found.line for found in examine(text).errors] == [line]
