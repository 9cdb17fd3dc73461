"""What an ItemReader may combine, and that every field of it reaches the plan."""

import json
from typing import Any

import pytest

from maprun.interpreter import begin
from maprun.language import DefinitionError, compile_machine
from schemas.effects import MapRunRequested
from schemas.plan import ItemReaderPlan
from tests.unit.interpreter.telling import head_of

GET, LIST = "arn:aws:states:::s3:getObject", "arn:aws:states:::s3:listObjectsV2"


def definition(resource: str, config: dict[str, Any], parameters: Any) -> dict[str, Any]:
    """A machine of one distributed Map with this reader."""
    return {
        "StartAt": "M",
        "States": {
            "M": {
                "Type": "Map",
                "End": True,
                "ItemReader": {"Resource": resource, "ReaderConfig": config, "Parameters": parameters},
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "P",
                    "States": {"P": {"Type": "Pass", "End": True}},
                },
            },
        },
    }


GOV_LIST = "arn:aws-us-gov:states:::s3:listObjectsV2"
PLACED_GET = "arn:aws:states:us-east-1:123456789012:s3:getObject"
FLAT = {"Transformation": "LOAD_AND_FLATTEN"}
ATHENA = {"ManifestType": "ATHENA_DATA"}
INVENTORY = {"ManifestType": "S3_INVENTORY"}


@pytest.mark.parametrize(
    ("resource", "config", "parameters", "text"),
    [
        (LIST, FLAT, {}, "These fields are required: [InputType] at /States/M/ItemReader/ReaderConfig"),
        (
            LIST,
            {**FLAT, "InputType": "MANIFEST"},
            {},
            "needs an InputType of [CSV, JSON, JSONL, PARQUET] at /States/M/ItemReader/ReaderConfig/InputType",
        ),
        (GET, {**FLAT, "InputType": "CSV"}, {}, "Transformation LOAD_AND_FLATTEN needs the resource s3:listObjectsV2"),
        (LIST, INVENTORY, {}, "ManifestType needs the resource s3:getObject"),
        (GET, {**INVENTORY, "InputType": "CSV"}, {}, "InputType must not be specified with ManifestType S3_INVENTORY"),
        ("arn:aws:states:::aws-sdk:s3:getObject", {"InputType": "CSV"}, {}, "is not recognized."),
        ("s3:getObject", {"InputType": "CSV"}, {}, "The resource provided s3:getObject is not recognized."),
        (GET, ATHENA, {}, "These fields are required: [InputType]"),
        (GET, {**ATHENA, "InputType": "JSON"}, {}, "ATHENA_DATA needs an InputType of [CSV, JSONL, PARQUET]"),
        (
            GET,
            {**ATHENA, "InputType": ["CSV"]},
            {},
            "Expected value of type [STRING] at /States/M/ItemReader/ReaderConfig/InputType",
        ),
        (
            GET,
            {"InputType": "PARQUET"},
            {"VersionId.$": "$.v"},
            "VersionId is not supported with InputType PARQUET at /States/M/ItemReader/Parameters",
        ),
    ],
)
def test_readers_that_contradict_themselves(resource: str, config: dict[str, Any], parameters: Any, text: str) -> None:
    """AWS's rules of what goes together are told when the definition is made, with their place in it."""
    with pytest.raises(DefinitionError) as refused:
        compile_machine(json.dumps(definition(resource, config, parameters)).encode(), "STANDARD")
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("resource", "config", "parameters", "plan"),
    [
        (
            GOV_LIST,
            {**FLAT, "InputType": "CSV"},
            {"Bucket": "b"},
            ItemReaderPlan(GOV_LIST, "b", input_type="CSV", transformation="LOAD_AND_FLATTEN"),
        ),
        (
            PLACED_GET,
            {**ATHENA, "InputType": "CSV"},
            {"Bucket": "b", "Key": "k"},
            ItemReaderPlan(PLACED_GET, "b", "k", input_type="CSV", manifest_type="ATHENA_DATA"),
        ),
        (
            LIST,
            {**FLAT, "InputType": "JSON", "ItemsPointer": "/a/0", "MaxItems": 9},
            {"Bucket": "b", "Prefix.$": "$.prefix", "ExpectedBucketOwner": "123456789012"},
            ItemReaderPlan(
                LIST,
                "b",
                prefix="p/",
                expected_bucket_owner="123456789012",
                input_type="JSON",
                transformation="LOAD_AND_FLATTEN",
                max_items=9,
                items_pointer="/a/0",
            ),
        ),
        (
            GET,
            {**ATHENA, "InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x"], "CSVDelimiter": "PIPE"},
            {"Bucket": "b", "Key": "k-manifest.csv", "VersionId": "7"},
            ItemReaderPlan(
                GET,
                "b",
                "k-manifest.csv",
                version_id="7",
                input_type="CSV",
                manifest_type="ATHENA_DATA",
                csv_header_location="GIVEN",
                csv_headers=("x",),
                csv_delimiter="PIPE",
            ),
        ),
        (GET, INVENTORY, {"Bucket": "b", "Key": "k"}, ItemReaderPlan(GET, "b", "k", manifest_type="S3_INVENTORY")),
        (
            GET,
            {**INVENTORY, "InputType": "MANIFEST"},
            {"Bucket": "b", "Key": "k"},
            ItemReaderPlan(GET, "b", "k", input_type="MANIFEST", manifest_type="S3_INVENTORY"),
        ),
        (
            GET,
            {"InputType": "PARQUET"},
            {"Bucket": "b", "Key": "k"},
            ItemReaderPlan(GET, "b", "k", input_type="PARQUET"),
        ),
    ],
)
def test_every_field_reaches_the_plan(
    resource: str, config: dict[str, Any], parameters: Any, plan: ItemReaderPlan
) -> None:
    """What a definition says of its reader, with paths resolved, is what the item-reader is asked for."""
    machine = compile_machine(json.dumps(definition(resource, config, parameters)).encode(), "STANDARD")
    (effect,) = begin(machine, head_of({"prefix": "p/"}), 0).effects
    assert isinstance(effect, MapRunRequested)
    assert effect.plan.reader == plan
