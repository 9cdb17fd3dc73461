"""Which fields a distributed Map may have: AWS's codes and places, words of our own where AWS's are not known."""

import json
from typing import Any

import pytest

from maprun.language import DefinitionError, compile_machine

STATES = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
STANDARD = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
AT = "/States/M"


def definition(config: Any = None, machine: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """A machine of one Map, distributed unless a ProcessorConfig says otherwise."""
    processor = {"ProcessorConfig": STANDARD if config is None else config, **STATES}
    state = {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}
    return json.dumps({"StartAt": "M", "States": {"M": state}, **(machine or {})}).encode()


def refusal(document: bytes, machine_type: str = "STANDARD") -> str:
    """What a definition is refused with."""
    with pytest.raises(DefinitionError) as caught:
        compile_machine(document, machine_type)
    return str(caught.value)


def reader(**config: Any) -> dict[str, Any]:
    """An ItemReader with this ReaderConfig."""
    parameters = {"Bucket": "b", "Key": "k"}
    return {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config, "Parameters": parameters}


@pytest.mark.parametrize(
    ("config", "fields", "text"),
    [
        (
            {"Mode": "DISTRIBUTED"},
            {},
            f"These fields are required: [ExecutionType] at {AT}/ItemProcessor/ProcessorConfig",
        ),
        (
            {**STANDARD, "ExecutionType": "FAST"},
            {},
            "Value should be one of the following: [STANDARD, EXPRESS]",
        ),
        ({"Mode": "SPREAD"}, {}, "Value should be one of the following: [INLINE, DISTRIBUTED]"),
        ({"Mode": "INLINE"}, {"ItemReader": reader()}, "Field 'ItemReader' is not supported"),
        ({"Mode": "INLINE"}, {"ItemBatcher": {"MaxItemsPerBatch": 1}}, "Field 'ItemBatcher' is not supported"),
        ({"Mode": "INLINE"}, {"ResultWriter": {"WriterConfig": {}}}, "Field 'ResultWriter' is not supported"),
        ({"Mode": "INLINE"}, {"Label": "L"}, "Field 'Label' is not supported"),
        (None, {"Label": "x" * 41}, "INVALID_LABEL_NAME: Label must have between 1 and 40 characters"),
        (None, {"MaxConcurrency": 1, "MaxConcurrencyPath": "$.n"}, "There should only be one of the following fields"),
        (
            None,
            {"ItemSelector": {}, "Parameters": {}},
            "only be one of the following fields: [ItemSelector, Parameters]",
        ),
        (None, {"Iterator": STATES}, "There should only be one of the following fields: [ItemProcessor, Iterator]"),
        (None, {"ToleratedFailureCount": -1}, f"Minimum value is 0 at {AT}/ToleratedFailureCount"),
        (None, {"ItemBatcher": {"BatchInput": {}}}, "At least one of the following fields is required"),
        (
            None,
            {"ItemBatcher": {"MaxItemsPerBatch": 1, "MaxItemsPerBatchPath": "$.n"}},
            "only be one of the following fields: [MaxItemsPerBatch, MaxItemsPerBatchPath]",
        ),
        (None, {"ItemReader": reader(MaxItems=100_000_001)}, "Maximum value is 100000000"),
        (
            None,
            {"ItemReader": reader(MaxItems=1, MaxItemsPath="$.n")},
            "only be one of the following fields: [MaxItems",
        ),
        (None, {"ItemReader": reader(InputType="XML")}, "[CSV, JSON, JSONL, PARQUET, MANIFEST]"),
        (None, {"ItemReader": reader(CSVDelimiter=";")}, "[COMMA, PIPE, SEMICOLON, SPACE, TAB]"),
        (None, {"ItemReader": reader(CSVHeaders=["x" * 10_241])}, "CSVHeaders exceed 10 KiB"),
    ],
)
def test_a_map_is_refused(config: Any, fields: dict[str, Any], text: str) -> None:
    """Fields of distributed Maps alone, twins that exclude each other, values past their bounds."""
    assert text in refusal(definition(config, **fields))


def test_labels_are_unique_over_a_definition() -> None:
    """A label names the children's machine: two Maps can't share one, however deep they stand."""
    inner = {"Type": "Map", "Label": "L", "ItemProcessor": {"ProcessorConfig": STANDARD, **STATES}, "End": True}
    processor = {"ProcessorConfig": STANDARD, "StartAt": "N", "States": {"N": inner}}
    assert "DUPLICATE_LABEL_NAME" in refusal(definition(ItemProcessor=processor, Label="L"))


@pytest.mark.parametrize("sign", [*' \t\n<>{}[]?*"#%\\^|~$&,;:/', "\x00", "\x1f", "\x7f", "\x9f"])
def test_signs_that_no_label_may_have(sign: str) -> None:
    """White space, brackets, wild cards, special and control characters."""
    assert "INVALID_LABEL_NAME" in refusal(definition(Label=f"a{sign}b"))


def test_only_standard_machines_have_distributed_maps() -> None:
    """An EXPRESS machine may not have one, nor EXPRESS children; STANDARD children may."""
    assert "Express state machine does not support Distributed Map" in refusal(definition(), "EXPRESS")
    inner = {"Type": "Map", "ItemProcessor": {"ProcessorConfig": STANDARD, **STATES}, "End": True}
    for kind in ("EXPRESS", "STANDARD"):
        processor = {
            "ProcessorConfig": {**STANDARD, "ExecutionType": kind},
            "StartAt": "N",
            "States": {"N": {**inner, "ItemProcessor": {"ProcessorConfig": STANDARD, **STATES}}},
        }
        if kind == "EXPRESS":
            assert "does not support Distributed Map" in refusal(definition(ItemProcessor=processor))
        else:
            compile_machine(definition(ItemProcessor=processor))


def test_older_names_are_taken() -> None:
    """`Iterator` is ItemProcessor, `Parameters` is ItemSelector."""
    document = json.loads(definition(Parameters={"v.$": "$$.Map.Item.Value"}))
    state = document["States"]["M"]
    state["Iterator"] = state.pop("ItemProcessor")
    compiled = compile_machine(json.dumps(document).encode())
    assert list(compiled.map_states()) == [("M", "", "STANDARD")]
