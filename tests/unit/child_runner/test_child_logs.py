"""What children log, as the root execution's LoggingConfiguration says."""

import json
from typing import Any

import msgspec
import pytest

from schemas.lanes import RunOpened
from tests.unit.child_runner.driver import RUN, Driver, opened
from tests.unit.child_runner.test_generations import CHAIN, failed_chain
from tests.unit.child_runner.test_histories import PAGED, answer_all, chain
from tests.unit.schemas.test_execution_logs import configuration

PASS = {"A": {"Type": "Pass", "End": True}}


def logged(driver: Driver) -> list[tuple[int, str]]:
    """Id and type of what was logged since."""
    records = [json.loads(record.value) for _, _, record in driver.lane.logs.take()]
    assert len({record["execution_arn"] for record in records}) <= 1
    return [(int(record["id"]), record["type"]) for record in records]


def logging(states: Any, level: str = "ALL", **others: Any) -> RunOpened:
    """A run whose children log."""
    return msgspec.structs.replace(opened(states, **others), logging=configuration(level))


def test_a_child_that_waits_for_nothing_logs_its_events() -> None:
    """All of them, under its ARN, for its home."""
    driver = Driver()
    driver.signal(logging(PASS))
    driver.items(0, [b"7"])
    [(home, arn, _), *_] = records = driver.lane.logs.take()
    assert [json.loads(record.value)["type"] for _, _, record in records] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert (home, arn) == (int(RUN[15:18], 16), json.loads(records[0][2].value)["execution_arn"])


def test_what_is_off_logs_nothing() -> None:
    """Without a configuration there are no records."""
    driver = Driver()
    driver.signal(opened(PASS))
    driver.items(0, [b"7"])
    assert driver.lane.logs.take() == []


@pytest.mark.parametrize("limits", [None, PAGED])
def test_ids_go_on_while_a_child_waits(limits: Any) -> None:
    """Each event once, with its place in the history, whether the history stands in pages or not."""
    driver = Driver(limits) if limits is not None else Driver()
    driver.signal(logging(chain(59), start="T0"))
    driver.items(0, [b'{"n":7}'])
    answer_all(driver, 60)
    records = logged(driver)
    assert [event_id for event_id, _ in records] == list(range(1, len(driver.answers[0, 0].history) + 1))
    assert records[-1][1] == "ExecutionSucceeded"


def test_a_new_owner_logs_again_what_is_done_again() -> None:
    """Nothing of a child is missing in its log, whoever falls; what is there twice has the same ids."""
    driver = Driver()
    driver.signal(logging(chain(1), start="T0"))
    driver.items(0, [b'{"n":7}'])
    answer_all(driver, 1)
    driver.lane.logs.take()
    driver.take_over()
    answer_all(driver, 1)
    records = logged(driver)
    assert [event_id for event_id, _ in records] == list(range(1, len(records) + 1))


def test_a_redriven_child_logs_its_new_life_alone() -> None:
    """From ExecutionRedriven on, with the ids that go on and its own redrive count."""
    driver, items = failed_chain()
    before = len(driver.answers[0, 0].history)
    driver.signal(logging(CHAIN, generation=1, n=6))
    driver.items(0, items[:1], generation=1, indexes=(0, 1), redriven=True)
    driver.answer_tasks()
    records = [json.loads(record.value) for _, _, record in driver.lane.logs.take()]
    assert records[0]["type"] == "ExecutionRedriven"
    assert [int(record["id"]) for record in records] == list(range(before + 1, len(driver.answers[1, 0].history) + 1))
    assert {record["redrive_count"] for record in records} == {"1"}
