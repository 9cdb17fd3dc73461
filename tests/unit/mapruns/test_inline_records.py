"""WriterConfig without a destination: what the Map state's own result looks like under each Transformation."""

from typing import Any

import msgspec
import pytest

from schemas.home import FAILED, SUCCEEDED, ItemsRead, SourceEnded
from schemas.plan import ResultWriterPlan
from tests.unit.mapruns.folding import Folding, status_event
from tests.unit.mapruns.programs import frame, plan


def result(transformation: str, output_type: str = "JSON") -> Any:
    """The result of three children, of which the second failed and the third was told of before the first."""
    folding = Folding()
    writer = ResultWriterPlan(transformation=transformation, output_type=output_type)
    run = folding.run_of(["map", plan(writer=writer, tolerated_failure_count=1)])
    folding.put(ItemsRead(run, 0, 0, 3, 3, 30, b""), SourceEnded(run, 0, 3))
    outputs = folding.put(frame(run, 0, [2, 1], [SUCCEEDED, FAILED]), frame(run, 0, [0], [SUCCEEDED]))
    return run, msgspec.json.decode(status_event(outputs)["detail"]["output"])


@pytest.mark.parametrize("output_type", ["JSON", "JSONL"])
def test_none_gives_records_with_their_metadata(output_type: str) -> None:
    """NONE gives the records that result files hold, in item order; a state's result is JSON whatever is written."""
    run, records = result("NONE", output_type)
    assert [record["Name"][:8] for record in records] == ["00000000", "00000002"]
    name = f"00000002{run[8:14]}3{run[15:]}"
    assert records[1] == {
        "ExecutionArn": f"arn:aws:states:us-east-1:123456789012:execution:m/L:{name}",
        "Input": '{"i":2,"t":"a\\"b"}',
        "InputDetails": {"Included": True},
        "Name": name,
        "Output": '{"o":2}',
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        "StartDate": "2026-09-23T22:58:06.000Z",
        "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m/L",
        "Status": "SUCCEEDED",
        "StopDate": "2026-09-23T22:58:06.007Z",
    }


@pytest.mark.parametrize("transformation", ["", "COMPACT", "FLATTEN"])
def test_others_give_outputs_alone(transformation: str) -> None:
    """Without a Transformation outputs are compact; FLATTEN leaves what is no array as it is."""
    assert result(transformation)[1] == [{"o": 0}, {"o": 2}]
