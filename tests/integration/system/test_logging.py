"""What executions log, on the topic `execution-logs`, as their machines' configurations say."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

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


class _Logs(BaseHTTPRequestHandler):
    """As much of CloudWatch Logs as putting events takes: a stream must be made first."""

    streams: ClassVar[set[str]] = set()
    events: ClassVar[list[Json]] = []

    def do_POST(self) -> None:
        """One call."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.headers["X-Amz-Target"].rpartition(".")[2]
        status, answer = 200, {}
        if action == "CreateLogStream":
            self.streams.add(asked["logStreamName"])
        elif asked["logStreamName"] not in self.streams:
            status, answer = 400, {"__type": "ResourceNotFoundException", "message": "no stream"}
        else:
            self.events.extend({"group": asked["logGroupName"], **event} for event in asked["logEvents"])
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing is printed."""


def test_logs_go_to_cloudwatch_logs_where_it_has_an_endpoint(tmp_path: Path) -> None:
    """The records of the topic are put to the machine's log group, by AWS's SDK."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Logs)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    stack = Stack(tmp_path, seed=77, AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=endpoint)
    stack.up()
    try:
        sfn = stack.client("stepfunctions")
        made = sfn.create_state_machine(
            name="forwarded", definition=states(**PASS), roleArn=ROLE, loggingConfiguration=configuration("ALL")
        )
        arn = sfn.start_execution(stateMachineArn=made["stateMachineArn"])["executionArn"]
        deadline = time.monotonic() + 60
        while len(_Logs.events) < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        stack.down()
        server.shutdown()
        server.server_close()
    records = [json.loads(event["message"]) for event in _Logs.events]
    assert [record["type"] for record in records][0::3] == ["ExecutionStarted", "ExecutionSucceeded"]
    assert {(event["group"], record["execution_arn"]) for event, record in zip(_Logs.events, records, strict=True)} == {
        ("mine", arn)
    }
