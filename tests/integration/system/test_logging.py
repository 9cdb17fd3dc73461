"""What executions log, on the topic `execution-logs`, as their machines' configurations say."""

from typing import Any

from tests.integration.system.doors import Topic
from tests.integration.system.running import PASS, ended, map_definition, states
from tests.integration.system.stack import ROLE, Stack

Json = dict[str, Any]
GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:mine:*"


def configuration(level: str, *, data: bool = True) -> Json:
    """A LoggingConfiguration."""
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": GROUP}}
    return {"level": level, "includeExecutionData": data, "destinations": [destination]}


def test_a_standard_execution_and_its_children_log_every_event(stack: Stack, sfn: Any) -> None:
    """The records are the events of the history: types, ids, details; children log under their own ARNs."""
    made = sfn.create_state_machine(
        name="logs-all", definition=map_definition(PASS), roleArn=ROLE, loggingConfiguration=configuration("ALL")
    )
    arn = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input="[1,2]")["executionArn"]
    ended(sfn, arn)
    history = sfn.get_execution_history(executionArn=arn)["events"]

    def complete(found: dict[str, list[Json]]) -> bool:
        children = [log for name, log in found.items() if ":logs-all/L:" in name]
        return len(found.get(arn, ())) >= len(history) and [len(log) for log in children] == [4, 4]

    records = Topic(stack).logs(complete)
    mine = sorted(records[arn], key=lambda record: int(record["id"]))
    assert [(record["type"], int(record["id"])) for record in mine] == [(e["type"], e["id"]) for e in history]
    assert mine[0]["details"]["input"] == "[1,2]"
    assert mine[0]["redrive_count"] == "0"
    children = [log for name, log in records.items() if ":logs-all/L:" in name]
    assert [log[-1]["type"] for log in children] == ["ExecutionSucceeded"] * 2


def test_an_express_execution_logs_what_its_level_asks_for(stack: Stack, sfn: Any) -> None:
    """ERROR has the state and the execution that failed, without their data."""
    made = sfn.create_state_machine(
        name="logs-errors",
        definition=states(F={"Type": "Fail", "Error": "Mine", "Cause": "because"}),
        roleArn=ROLE,
        type="EXPRESS",
        loggingConfiguration=configuration("ERROR", data=False),
    )
    arn = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input='{"secret":1}')["executionArn"]
    records = Topic(stack).logs(lambda found: len(found.get(arn, ())) >= 2)[arn]
    assert [record["type"] for record in records] == ["FailStateEntered", "ExecutionFailed"]
    assert records[0]["details"] == {"name": "F"}
    assert records[1]["details"] == {"error": "Mine", "cause": "because"}
