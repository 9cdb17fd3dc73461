"""`maprun verify` on Map Runs of a real stack: right ones are right, and each planted fault is named."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from maprun.cli import main
from tests.integration.system.running import PASS, Json, body, map_definition, output_of, run
from tests.integration.system.stack import Stack

pytestmark = pytest.mark.integration
BUCKET = "verified"
ROWS = 700
READER = {
    "Resource": "arn:aws:states:::s3:getObject",
    "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
    "Parameters": {"Bucket": BUCKET, "Key": "rows.csv"},
}
SELECTOR = {
    "index.$": "$$.Map.Item.Index",
    "row.$": "$$.Map.Item.Value",
    "day.$": "$.day",
    "of.$": "$$.Execution.Name",
    "entered.$": "$$.State.EnteredTime",
}
Records = list[Json]


@pytest.fixture(scope="module")
def source(s3: Any) -> bytes:
    """A CSV in S3."""
    s3.create_bucket(Bucket=BUCKET)
    text = "n,text\n" + "".join(f'{n},"a ""quoted"" café {n}"\n' for n in range(ROWS))
    s3.put_object(Bucket=BUCKET, Key="rows.csv", Body=text.encode())
    return text.encode()


def writer(prefix: str, **config: str) -> Json:
    """A ResultWriter."""
    told = {"WriterConfig": config} if config else {}
    return {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": BUCKET, "Prefix": prefix}, **told}


def verdict_on(stack: Stack, map_run: str) -> tuple[int, Json]:
    """Exit code and answer of `maprun verify --json`."""
    result = CliRunner().invoke(main, ["verify", map_run, "--json"], env=stack.environ)
    return result.exit_code, json.loads(result.stdout) if result.stdout else {"stderr": result.stderr}


def verified(stack: Stack, sfn: Any, definition: str) -> Json:
    """The verdict on the only Map Run of an execution that succeeds."""
    described = run(sfn, definition, {"day": "2026-11-23"})
    assert described["status"] == "SUCCEEDED", described
    [found] = sfn.list_map_runs(executionArn=described["executionArn"])["mapRuns"]
    code, verdict = verdict_on(stack, found["mapRunArn"])
    assert (code, verdict.get("right")) == (0, True), verdict
    return verdict


@pytest.mark.parametrize(
    ("members", "compared"),
    [
        ({"ItemReader": READER, "ItemSelector": SELECTOR, "ResultWriter": writer("selected")}, ROWS),
        ({"ItemReader": READER, "ItemBatcher": {"MaxItemsPerBatch": 64}, "ResultWriter": writer("batched")}, 11),
        ({"ItemReader": READER, "ResultWriter": writer("lines", OutputType="JSONL", Transformation="NONE")}, ROWS),
        ({"ItemReader": READER, "ResultWriter": writer("compact", OutputType="JSONL", Transformation="COMPACT")}, 0),
        ({"ItemReader": READER}, 0),
    ],
    ids=["selector", "batches", "lines", "compact", "no-writer"],
)
@pytest.mark.usefixtures("source")
def test_a_right_map_run_is_right(stack: Stack, sfn: Any, members: Json, compared: int) -> None:
    """Inputs are made again from the source, by selector and batches; what can't be compared is counted."""
    verdict = verified(stack, sfn, map_definition(PASS, **members))
    assert (verdict["inputsCompared"], verdict["items"], verdict["wrong"]) == (compared, ROWS, [])
    assert bool(verdict["notes"]) == (compared == 0)


def doubled(records: Records) -> Records:
    """One more of the second."""
    return [*records, records[1]]


def altered(records: Records) -> Records:
    """Another row went in."""
    given = json.loads(records[3]["Input"])
    given["n"] = "9999"
    return [*records[:3], {**records[3], "Input": json.dumps(given)}, *records[4:]]


def of_another_run(records: Records) -> Records:
    """A name of a child of no run of ours."""
    name = records[0]["Name"]
    return [{**records[0], "Name": name[:9] + "0000" + name[13:]}, *records[1:]]


FAULTS: list[tuple[str, Callable[[Records], Records], set[str]]] = [
    ("missing", lambda records: records[1:], {"without a result", "another count"}),
    ("doubled", doubled, {"more than once", "another count"}),
    ("altered", altered, {"another input than the source's"}),
    ("of another run", of_another_run, {"of another Map Run", "without a result"}),
    ("failed", lambda rs: [{**rs[0], "Status": "FAILED"}, *rs[1:]], {"in the wrong file", "another count"}),
]


@pytest.mark.usefixtures("source")
def test_planted_faults_are_named(stack: Stack, sfn: Any, s3: Any) -> None:
    """Missing, doubled, altered, strange, misplaced: each is told by its kind, with an example, and exit code 1."""
    definition = map_definition(PASS, ItemReader=READER, ResultWriter=writer("faulty"))
    details = output_of(run(sfn, definition))["ResultWriterDetails"]
    manifest = json.loads(body(s3, BUCKET, details["Key"]))
    map_run = manifest["MapRunArn"]
    [file] = manifest["ResultFiles"]["SUCCEEDED"]
    right = json.loads(body(s3, BUCKET, file["Key"]))
    for name, plant, kinds in FAULTS:
        text = json.dumps(plant(right)).encode()
        s3.put_object(Bucket=BUCKET, Key=file["Key"], Body=text)
        resized = {**manifest, "ResultFiles": {**manifest["ResultFiles"], "SUCCEEDED": [{**file, "Size": len(text)}]}}
        s3.put_object(Bucket=BUCKET, Key=details["Key"], Body=json.dumps(resized).encode())
        code, verdict = verdict_on(stack, map_run)
        assert code == 1, name
        assert {found["what"] for found in verdict["wrong"]} == kinds, (name, verdict)
        assert all(found["count"] and found["examples"] for found in verdict["wrong"])
    s3.put_object(Bucket=BUCKET, Key=details["Key"], Body=json.dumps(manifest).encode())
    assert {found["what"] for found in verdict_on(stack, map_run)[1]["wrong"]} >= {"of another size"}
    s3.delete_object(Bucket=BUCKET, Key=details["Key"])
    assert verdict_on(stack, map_run)[1]["wrong"][0]["what"] == "no manifest"
