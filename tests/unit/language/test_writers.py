"""ResultWriter: which of its fields go together, and what reaches the plan."""

import json
from typing import Any

import pytest

from maprun.interpreter import begin
from maprun.language import DefinitionError, compile_machine
from schemas.effects import MapRunRequested
from schemas.plan import ResultWriterPlan
from tests.unit.interpreter.telling import failure_of, head_of

PUT = "arn:aws:states:::s3:putObject"
PROCESSOR = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    "StartAt": "P",
    "States": {"P": {"Type": "Pass", "End": True}},
}


def state(writer: Any) -> dict[str, Any]:
    """A distributed Map with this ResultWriter."""
    return {"Type": "Map", "ItemProcessor": PROCESSOR, "ResultWriter": writer, "End": True}


def definition(writer: Any, **fields: Any) -> bytes:
    """A machine of that Map alone."""
    return json.dumps({"StartAt": "M", "States": {"M": state(writer)}, **fields}).encode()


@pytest.mark.parametrize(
    ("writer", "language", "text"),
    [
        ({"Resource": PUT}, "JSONPath", "These fields are required: [Parameters] at /States/M/ResultWriter"),
        ({"Resource": PUT}, "JSONata", "These fields are required: [Arguments] at /States/M/ResultWriter"),
        (
            {"Parameters": {"Bucket": "b"}},
            "JSONPath",
            "These fields are required: [Resource] at /States/M/ResultWriter",
        ),
        (
            {"Resource": PUT, "Parameters": {"Prefix": "p"}},
            "JSONPath",
            "The field 'Bucket' is required but was missing at /States/M/ResultWriter/Parameters",
        ),
        (
            {"Resource": "arn:aws:states:::s3:copyObject", "Parameters": {"Bucket": "b"}},
            "JSONPath",
            "The resource provided arn:aws:states:::s3:copyObject is not recognized.",
        ),
        ({"WriterConfig": {"Transformation": "SQUEEZE"}}, "JSONPath", "[NONE, COMPACT, FLATTEN]"),
        ({"WriterConfig": {"OutputType": "XML"}}, "JSONPath", "[JSON, JSONL]"),
    ],
)
def test_writers_that_say_half_of_it(writer: Any, language: str, text: str) -> None:
    """Results would go nowhere, silently: it is refused when the definition is made."""
    with pytest.raises(DefinitionError) as refused:
        compile_machine(definition(writer, QueryLanguage=language))
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("writer", "plan"),
    [
        ({"Resource": PUT, "Parameters": {"Bucket.$": "$.b"}}, ResultWriterPlan("bucket")),
        ({"WriterConfig": {"Transformation": "FLATTEN"}}, ResultWriterPlan(transformation="FLATTEN")),
        (
            {"Resource": PUT, "Parameters": {"Bucket": "x", "Prefix": "p"}, "WriterConfig": {"OutputType": "JSONL"}},
            ResultWriterPlan("x", "p", output_type="JSONL"),
        ),
    ],
)
def test_three_combinations_are_taken(writer: Any, plan: ResultWriterPlan) -> None:
    """A destination, a format, or both."""
    (effect,) = begin(compile_machine(definition(writer)), head_of({"b": "bucket"}), 0).effects
    assert isinstance(effect, MapRunRequested)
    assert effect.plan.writer == plan


def test_a_bucket_of_no_name_is_no_destination() -> None:
    """A path that gives an empty name fails the execution: results would stay in the state's output unasked."""
    writer = {"Resource": PUT, "Parameters": {"Bucket.$": "$.b"}}
    given = {"b": "", "items": [1]}
    assert failure_of({"M": {**state(writer), "ItemsPath": "$.items"}}, given)[0] == "States.Runtime"
