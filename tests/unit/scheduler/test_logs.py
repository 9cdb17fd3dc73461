"""What root executions log: from the outputs that their histories grow by."""

import json

from maprun.mapruns.fold.outputs import HistoryGrew
from schemas import topics
from services.scheduler.logs import logs_of
from tests.unit.schemas.test_execution_logs import ARN, EVENTS, GROUP, configuration


def test_records_stand_with_their_execution_and_log_group() -> None:
    """One record an event, on the partition of the execution's home, under its ARN; others' outputs are passed over."""
    outputs = [HistoryGrew(ARN, 4, EVENTS[:2], configuration("ALL"), 1), HistoryGrew("silent", 1, EVENTS)]
    found = logs_of(outputs, 3)
    assert [(each.topic, each.partition, each.key) for each in found] == [
        (topics.EXECUTION_LOGS.name, 3, ARN.encode())
    ] * 2
    assert found[0].headers == (("logGroup", GROUP.encode()),)
    assert [
        (json.loads(each.value or b"")["id"], json.loads(each.value or b"")["redrive_count"]) for each in found
    ] == [
        ("4", "1"),
        ("5", "1"),
    ]
