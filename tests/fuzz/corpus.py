"""Definitions to be bent: together they use every state type and every field of the language."""

import json
from typing import Any

from tests.conformance.folder import recorded_cases

INVOKE = "arn:aws:states:::lambda:invoke"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


def _one(state: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {**state, "End": True}}, **others}


_RETRY = [
    {
        "ErrorEquals": ["Boom", "States.Timeout"],
        "IntervalSeconds": 2,
        "MaxAttempts": 2,
        "BackoffRate": 1.5,
        "MaxDelaySeconds": 5,
        "JitterStrategy": "FULL",
    },
    {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1},
]
_PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
_TESTS: list[dict[str, Any]] = [
    {"Variable": "$.s", "StringEquals": "x"},
    {"Variable": "$.s", "StringLessThanPath": "$.t"},
    {"Variable": "$.s", "StringMatches": "a*\\*"},
    {"Variable": "$.n", "NumericGreaterThanEquals": 7},
    {"Variable": "$.n", "NumericEqualsPath": "$.m"},
    {"Variable": "$.b", "BooleanEquals": True},
    {"Variable": "$.d", "TimestampLessThan": "2016-08-18T17:33:00Z"},
    {"Variable": "$.d", "TimestampEqualsPath": "$.d"},
    {"Variable": "$.n", "IsNumeric": True},
    {"Variable": "$.z", "IsNull": True},
    {"Variable": "$.q", "IsPresent": False},
    {"Variable": "$.s", "IsString": False},
    {"Variable": "$.b", "IsBoolean": False},
    {"Variable": "$.d", "IsTimestamp": True},
]
_JSONPATH: list[dict[str, Any]] = [
    {
        "Comment": "flow",
        "Version": "1.0",
        "TimeoutSeconds": 100,
        "StartAt": "A",
        "States": {
            "A": {
                "Type": "Task",
                "Comment": "c",
                "Resource": INVOKE,
                "InputPath": "$.o",
                "Parameters": {"x.$": "$.a", "y": [1, {"z.$": "$$.Execution.Name"}], "f.$": "States.Format('{}', $.a)"},
                "ResultSelector": {"r.$": "$", "u.$": "States.UUID()"},
                "ResultPath": "$.res",
                "OutputPath": "$.res",
                "TimeoutSeconds": 9,
                "HeartbeatSeconds": 3,
                "Credentials": {"RoleArn": "arn:aws:iam::123456789012:role/r"},
                "Assign": {"v.$": "$", "w": 1},
                "Retry": _RETRY,
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "C", "Assign": {"v": 2}}],
                "Next": "B",
            },
            "B": {"Type": "Wait", "SecondsPath": "$.s", "Next": "C"},
            "C": {
                "Type": "Choice",
                "Choices": [
                    {"And": _TESTS[:5], "Next": "D"},
                    {"Or": [{"Not": _TESTS[5]}, *_TESTS[6:]], "Next": "E", "Assign": {"w.$": "$.n"}},
                ],
                "Default": "E",
            },
            "D": {"Type": "Fail", "ErrorPath": "$.s", "CausePath": "States.Format('{}', $.n)"},
            "E": {"Type": "Pass", "Result": {"k": [1]}, "ResultPath": "$.p.q", "Assign": {"v.$": "$v"}, "Next": "F"},
            "F": {"Type": "Succeed", "InputPath": "$.p", "OutputPath": "$.q"},
        },
    },
    _one({"Type": "Task", "Resource": FUNCTION, "TimeoutSecondsPath": "$.n", "HeartbeatSecondsPath": "$.m"}),
    _one({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Parameters": {"Bucket": "b"}}),
    _one({"Type": "Wait", "Timestamp": "2016-08-18T17:33:00Z"}),
    _one({"Type": "Wait", "TimestampPath": "$.d"}),
    _one({"Type": "Wait", "Seconds": 1}),
    _one(
        {
            "Type": "Parallel",
            "Branches": [_PASS, {"StartAt": "Q", "States": {"Q": {"Type": "Wait", "Seconds": 1, "End": True}}}],
            "Parameters": {"a.$": "$.a"},
            "ResultSelector": {"x.$": "$[0]"},
            "ResultPath": "$.r",
            "Retry": _RETRY,
        }
    ),
    _one(
        {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"},
            "MaxConcurrency": 1,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **_PASS},
        }
    ),
    _one({"Type": "Map", "MaxConcurrencyPath": "$.n", "Parameters": {"v.$": "$"}, "Iterator": _PASS}),
    _one(
        {
            "Type": "Map",
            "Label": "L",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, **_PASS},
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {
                    "InputType": "CSV",
                    "CSVHeaderLocation": "GIVEN",
                    "CSVHeaders": ["a"],
                    "CSVDelimiter": "TAB",
                    "MaxItemsPath": "$.n",
                },
                "Parameters": {"Bucket": "b", "Key.$": "$.s"},
            },
            "ItemBatcher": {"MaxItemsPerBatchPath": "$.n", "MaxInputBytesPerBatch": 999, "BatchInput": {"b.$": "$.a"}},
            "ResultWriter": {
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": "b", "Prefix": "p"},
                "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"},
            },
            "ToleratedFailureCountPath": "$.n",
            "ToleratedFailurePercentagePath": "$.m",
            "MaxConcurrency": 3,
        }
    ),
]
_JSONATA: list[dict[str, Any]] = [
    {
        "QueryLanguage": "JSONata",
        "StartAt": "A",
        "States": {
            "A": {
                "Type": "Task",
                "Resource": INVOKE,
                "Arguments": {"x": "{% $states.input.a %}", "y": ["{% $uuid() %}"]},
                "Output": "{% $states.result %}",
                "Assign": {"v": "{% $states.result.n %}"},
                "TimeoutSeconds": "{% 5 + 1 %}",
                "HeartbeatSeconds": 2,
                "Retry": _RETRY,
                "Catch": [{"ErrorEquals": ["Boom"], "Output": "{% $states.errorOutput %}", "Next": "B"}],
                "Next": "B",
            },
            "B": {
                "Type": "Choice",
                "Choices": [
                    {
                        "Condition": "{% $states.input.n > 1 %}",
                        "Output": {"o": "{% $v %}"},
                        "Assign": {"v": 3},
                        "Next": "C",
                    }
                ],
                "Default": "D",
                "Output": "{% $states.input %}",
            },
            "C": {"Type": "Wait", "Seconds": "{% $states.input.o ? 1 : 2 %}", "Next": "D"},
            "D": {
                "Type": "Map",
                "Items": "{% [1..3] %}",
                "ItemSelector": {"i": "{% $states.context.Map.Item.Index %}"},
                "MaxConcurrency": "{% 1 %}",
                "ItemProcessor": _PASS,
                "Next": "E",
            },
            "E": {"Type": "Fail", "Error": "{% 'E' & 'x' %}", "Cause": "{% $string($states.input) %}"},
        },
    },
    _one({"Type": "Wait", "Timestamp": "{% '2016-08-18T17:33:00Z' %}"}, QueryLanguage="JSONata"),
    _one({"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": "{% $partition([1..5], 2) %}"}}),
]


def definitions() -> list[dict[str, Any]]:
    """The definitions written here, and those of the recorded executions."""
    recorded = [case["definition"] for case in recorded_cases() if isinstance(case["definition"], dict)]
    return [*_JSONPATH, *_JSONATA, *recorded]


INPUTS: list[bytes] = [
    json.dumps(
        {
            "a": 1,
            "o": {"a": "x"},
            "n": 3,
            "m": 2,
            "s": "key",
            "t": "zz",
            "b": True,
            "d": "2016-08-18T17:33:00Z",
            "z": None,
            "items": [1, {"a": 2}, "three"],
        }
    ).encode(),
    b"[1, [2], null]",
    b"{}",
]
