"""What children of a Map Run are given: items, keys, sources, selected inputs, batches, their context object."""

import json
from typing import Any

import pytest

from tests.integration.system.running import PASS, Json, map_definition, map_run_of, output_of, run
from tests.integration.system.stack import ROLE

pytestmark = pytest.mark.integration
BUCKET = "inputs"
ITEM = {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "s.$": "$$.Map.Item.Source"}
CSV = "k,v\na,1\nb,2\nc,3\n"


@pytest.fixture(scope="module", autouse=True)
def bucket(s3: Any) -> str:
    """A bucket whose objects have versions: two of `rows.csv`."""
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=BUCKET, Key="rows.psv", Body=CSV.replace(",", "|").encode())
    first: str = s3.put_object(Bucket=BUCKET, Key="rows.csv", Body=CSV.encode())["VersionId"]
    s3.put_object(Bucket=BUCKET, Key="rows.csv", Body=b"k,v\nnew,9\n")
    return first


def csv(key: str = "rows.csv", **parameters: str) -> Json:
    """An ItemReader of a CSV object with a header row."""
    return {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
        "Parameters": {"Bucket": BUCKET, "Key": key, **parameters},
    }


def started_events(sfn: Any, arn: str) -> list[Json]:
    """The events of an execution up to MapRunStarted."""
    events: list[Json] = sfn.get_execution_history(executionArn=arn)["events"]
    return events[: [event["type"] for event in events].index("MapRunStarted") + 1]


def test_an_object_of_the_input_gives_keys_and_values(sfn: Any) -> None:
    """ItemsPath may lead to an object: each member is an item with its key; the source is STATE_DATA."""
    found = run(
        sfn,
        map_definition(PASS, ItemsPath="$.o", ItemSelector={**ITEM, "k.$": "$$.Map.Item.Key"}),
        {"o": {"x": 7, "y": [8]}},
    )
    assert output_of(found) == [
        {"i": 0, "v": 7, "s": "STATE_DATA", "k": "x"},
        {"i": 1, "v": [8], "s": "STATE_DATA", "k": "y"},
    ]
    pairs = output_of(run(sfn, map_definition(PASS, ItemsPath="$.o"), {"o": {"x": 7, "y": [8]}}))
    assert pairs == [{"Key": "x", "Value": 7}, {"Key": "y", "Value": [8]}]


def test_items_path_is_ignored_beside_a_reader(sfn: Any) -> None:
    """Even one that leads nowhere; MapStateStarted's length is 0 as it isn't known, that of an array is."""
    found = run(sfn, map_definition(PASS, ItemReader=csv(), ItemsPath="$.no.such"))
    assert output_of(found) == [{"k": "new", "v": "9"}]
    assert started_events(sfn, found["executionArn"])[2]["mapStateStartedEventDetails"] == {"length": 0}
    found = run(sfn, map_definition(PASS), [1, 2, 3])
    assert started_events(sfn, found["executionArn"])[2]["mapStateStartedEventDetails"] == {"length": 3}


def test_a_version_of_an_object_is_read_if_it_is_named(sfn: Any, bucket: str) -> None:
    """VersionId reads the object as it was; ExpectedBucketOwner goes along with it."""
    source = csv(VersionId=bucket, ExpectedBucketOwner="123456789012")
    found = run(sfn, map_definition(PASS, ItemReader=source, ItemSelector=ITEM))
    assert output_of(found)[0] == {"i": 0, "v": {"k": "a", "v": "1"}, "s": f"s3://{BUCKET}/rows.csv"}
    assert len(output_of(found)) == 3


def test_rows_may_have_another_delimiter(sfn: Any) -> None:
    """CSVDelimiter names it; MaxItems ends the source."""
    source = csv("rows.psv")
    source["ReaderConfig"].update({"CSVDelimiter": "PIPE", "MaxItems": 2})
    found = output_of(run(sfn, map_definition(PASS, ItemReader=source)))
    assert found == [{"k": "a", "v": "1"}, {"k": "b", "v": "2"}]


def test_a_large_record_passes_if_its_selector_makes_it_small(sfn: Any, s3: Any) -> None:
    """A record of 7 MB is read; what counts for 262,144 bytes is the input that a child is given."""
    lines = [json.dumps({"id": n, "rest": "x" * size}) for n, size in enumerate((7_000_000, 1, 300_000))]
    s3.put_object(Bucket=BUCKET, Key="large.jsonl", Body="\n".join(lines).encode())
    source = csv("large.jsonl")
    source["ReaderConfig"] = {"InputType": "JSONL"}
    select = {"id.$": "$$.Map.Item.Value.id"}
    found = run(sfn, map_definition(PASS, ItemReader=source, ItemSelector=select))
    assert output_of(found) == [{"id": 0}, {"id": 1}, {"id": 2}]
    failed = run(sfn, map_definition(PASS, ItemReader=source, ToleratedFailurePercentage=100))
    assert failed["error"] == "States.DataLimitExceeded"


def test_numbers_may_be_paths_that_lead_to_texts(sfn: Any) -> None:
    """MaxItemsPath, MaxConcurrencyPath, MaxItemsPerBatchPath and the tolerances take "2" for 2."""
    source = csv()
    source["ReaderConfig"]["MaxItemsPath"] = "$.n"
    numbers = {
        f"{field}Path": "$.n" for field in ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage")
    }
    batcher = {"MaxItemsPerBatchPath": "$.n", "MaxInputBytesPerBatchPath": "$.bytes"}
    given = {"n": "2", "bytes": "1000"}
    found = run(sfn, map_definition(PASS, ItemReader=source, ItemBatcher=batcher, **numbers), given)
    assert output_of(found) == [{"Items": [{"k": "new", "v": "9"}]}]
    described = map_run_of(sfn, found["executionArn"])
    assert (described["maxConcurrency"], described["toleratedFailureCount"]) == (2, 2)
    assert described["toleratedFailurePercentage"] == 2.0


def test_a_batch_ends_at_its_bytes_too(sfn: Any) -> None:
    """MaxInputBytesPerBatch bounds what a child is given, BatchInput included; items are selected before."""
    select = {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"}
    batcher = {"MaxItemsPerBatch": 100, "MaxInputBytesPerBatch": 300, "BatchInput": {"who.$": "$.who"}}
    given = {"who": "me", "list": ["x" * 60] * 9}
    found = run(sfn, map_definition(PASS, ItemsPath="$.list", ItemSelector=select, ItemBatcher=batcher), given)
    batches = output_of(found)
    assert all(len(json.dumps(batch, separators=(",", ":"))) <= 300 for batch in batches)
    assert {json.dumps(batch["BatchInput"]) for batch in batches} == {'{"who": "me"}'}
    assert [item["i"] for batch in batches for item in batch["Items"]] == list(range(9))
    assert len(batches) == 3
    assert map_run_of(sfn, found["executionArn"])["executionCounts"]["total"] == 3


def test_a_child_has_a_context_of_its_own(sfn: Any) -> None:
    """Labelled machine, the parent's name, its own name and input, no Map; an EXPRESS child's name without its id."""
    for kind in ("STANDARD", "EXPRESS"):
        child = {"P": {"Type": "Pass", "End": True, "Parameters": {"c.$": "$$"}}}
        found = run(sfn, map_definition(child, child_type=kind), [{"a": 1}])
        [row] = sfn.list_executions(mapRunArn=map_run_of(sfn, found["executionArn"])["mapRunArn"])["executions"]
        context = output_of(found)[0]["c"]
        assert set(context) == {"Execution", "StateMachine", "State"}
        name = row["name"].split(":")[0]
        assert context["StateMachine"] == {
            "Id": f"{found['stateMachineArn']}/L",
            "Name": found["stateMachineArn"].rpartition(":")[2],
        }
        start = context["Execution"].pop("StartTime")
        assert start.endswith("Z")
        assert context["Execution"] == {
            "Id": row["executionArn"],
            "Input": {"a": 1},
            "Name": name,
            "RoleArn": ROLE,
            "RedriveCount": 0,
        }
        assert context["State"]["Name"] == "P"


def test_variables_reach_the_selector_and_not_the_children(sfn: Any) -> None:
    """ItemSelector, evaluated in the parent, reads its variables; a child that does so fails."""
    machine = json.loads(
        map_definition(PASS, ItemsPath="$.list", ItemSelector={"v.$": "$factor", "i.$": "$$.Map.Item.Value"})
    )
    machine["States"]["Set"] = {"Type": "Pass", "Assign": {"factor": 3}, "Next": "Map"}
    machine["StartAt"] = "Set"
    assert output_of(run(sfn, json.dumps(machine), {"list": [7]})) == [{"v": 3, "i": 7}]
    reads = {"P": {"Type": "Pass", "Parameters": {"v.$": "$factor"}, "End": True}}
    machine["States"]["Map"] = json.loads(map_definition(reads, ItemsPath="$.list"))["States"]["Map"]
    assert run(sfn, json.dumps(machine), {"list": [7]})["error"] == "States.ExceedToleratedFailureThreshold"


def test_a_map_in_jsonata(sfn: Any) -> None:
    """Items, Arguments, ItemSelector, numbers and Output are expressions; a number of items is an evaluation error."""
    source = csv()
    source["Arguments"] = {"Bucket": f"{{% '{BUCKET}' %}}", "Key": "{% $states.input.key %}"}
    del source["Parameters"]
    source["ReaderConfig"]["MaxItems"] = "{% 1 %}"
    members: Json = {
        "QueryLanguage": "JSONata",
        "ItemReader": source,
        "MaxConcurrency": "{% 1 + 1 %}",
        "ItemSelector": {"i": "{% $states.context.Map.Item.Index %}", "k": "{% $states.context.Map.Item.Value.k %}"},
        "Output": {"all": "{% $states.result.k %}"},
    }
    found = run(sfn, map_definition(PASS, **members), {"key": "rows.csv"})
    assert output_of(found) == {"all": "new"}
    assert map_run_of(sfn, found["executionArn"])["maxConcurrency"] == 2
    members = {"QueryLanguage": "JSONata", "Items": "{% $states.input.n %}"}
    failed = run(sfn, map_definition(PASS, **members), {"n": 1})
    assert failed["error"] == "States.QueryEvaluationError"
    assert "Expected 'array', but was 'number' for value: 1" in failed["cause"]


def test_what_a_map_without_reader_is_given_goes_on(sfn: Any) -> None:
    """A Map's input is what InputPath selects; ResultSelector and OutputPath shape what it gives."""
    state = map_definition(
        PASS,
        InputPath="$.in",
        ItemsPath="$.list",
        ResultSelector={"all.$": "$"},
        ResultPath="$.r",
        OutputPath="$.r.all",
    )
    assert output_of(run(sfn, state, {"in": {"list": [1, 2]}})) == [1, 2]
