"""Tasks that wait for callbacks, on the whole stack: SQS's protocol on one side, boto3's callbacks on the other."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from botocore.exceptions import ClientError

from tests.integration.system.queue_server import Queue, served
from tests.integration.system.running import Json, ended, map_definition, output_of, states
from tests.integration.system.stack import ROLE, Stack

pytestmark = pytest.mark.integration
SEND = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
CHILDREN, KILLED_AT = 400, (60, 200)
"""Children of the Map Run, and after how many submissions the child-runner is killed."""


@pytest.fixture(scope="module")
def queue() -> Iterator[Queue]:
    """Where Tasks send their messages to."""
    with served() as made:
        yield made


@pytest.fixture(scope="module")
def calling(queue: Queue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose SQS is that queue."""
    stack = Stack(Path(tmp_path_factory.mktemp("calling")), AWS_ENDPOINT_URL_SQS=queue.url.removesuffix("/queue"))
    stack.up()
    yield stack
    stack.down()


def waits(queue: Queue, **fields: Any) -> Json:
    """A Task that sends its input with its token to the queue."""
    parameters = {"QueueUrl": queue.url, "MessageBody": {"token.$": "$$.Task.Token", "given.$": "$"}}
    return {"Type": "Task", "Resource": SEND, "Parameters": parameters, "End": True, **fields}


def start(sfn: Any, name: str, definition: str, given: object) -> str:
    """Starts an execution of a new machine."""
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    arn: str = sfn.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    return arn


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    """Code and message of what is refused."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def events_of(sfn: Any, arn: str) -> list[Json]:
    """The history of an execution."""
    found: list[Json] = sfn.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    return found


def test_an_execution_waits_for_its_callback(calling: Stack, queue: Queue) -> None:
    """SendTaskSuccess ends the Task; again, it is over; with what is no JSON or no token it is refused."""
    sfn = calling.client("stepfunctions")
    arn = start(sfn, "succeeds", states(T=waits(queue)), {"n": 1})
    message = queue.news.get(timeout=30)
    assert message["given"] == {"n": 1}
    token = message["token"]
    gone = ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
    assert refusal(sfn.send_task_success, taskToken="AAAA", output="{}") == (
        "InvalidToken",
        "Invalid Token: 'Invalid token'",
    )
    assert refusal(sfn.send_task_success, taskToken=token, output="not JSON")[0] == "InvalidOutput"
    sfn.send_task_heartbeat(taskToken=token)
    _until(lambda: "TaskSubmitted" in [event["type"] for event in events_of(sfn, arn)])
    sfn.send_task_success(taskToken=token, output='{"done": true}')
    assert output_of(ended(sfn, arn)) == {"done": True}
    assert refusal(sfn.send_task_success, taskToken=token, output="1") == gone
    assert refusal(sfn.send_task_failure, taskToken=token) == gone
    assert refusal(sfn.send_task_heartbeat, taskToken=token) == gone
    events = events_of(sfn, arn)
    kinds = [event["type"] for event in events]
    assert kinds[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    assert json.loads(events[2]["taskScheduledEventDetails"]["parameters"])["MessageBody"]["token"] == token
    assert json.loads(events[4]["taskSubmittedEventDetails"]["output"])["MessageId"].startswith("message-")


def test_a_callback_may_fail_its_task(calling: Stack, queue: Queue) -> None:
    """With the error and the cause it gives."""
    sfn = calling.client("stepfunctions")
    arn = start(sfn, "fails", states(T=waits(queue)), {})
    sfn.send_task_failure(taskToken=queue.news.get(timeout=30)["token"], error="Mine", cause="because")
    described = ended(sfn, arn)
    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "Mine", "because")


def test_heartbeats_keep_a_task(calling: Stack, queue: Queue) -> None:
    """Without the next one the Task fails: States.HeartbeatTimeout for Catch, States.Timeout for everybody else."""
    sfn = calling.client("stepfunctions")
    catch = [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "C"}]
    task = waits(queue, HeartbeatSeconds=6, TimeoutSeconds=60, Catch=catch)
    arn = start(sfn, "beats", states(T=task, C={"Type": "Pass", "End": True}), {})
    token = queue.news.get(timeout=30)["token"]
    for _ in range(4):
        time.sleep(2)
        sfn.send_task_heartbeat(taskToken=token)
    assert sfn.describe_execution(executionArn=arn)["status"] == "RUNNING"
    assert output_of(ended(sfn, arn)) == {"Error": "States.Timeout", "Cause": ""}
    assert "TaskTimedOut" in [event["type"] for event in events_of(sfn, arn)]


class Workers:
    """Answer each message some time after it came; a callback that is told to come again comes again."""

    def __init__(self, stack: Stack, queue: Queue) -> None:
        self.sfn = stack.client("stepfunctions")
        self.queue = queue
        self.taken: list[str] = []  # tokens whose callback was taken
        self.late: list[str] = []  # those of attempts that were over
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(8)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for _thread in self._threads:
            self.queue.news.put(None)
        for thread in self._threads:
            thread.join(60)

    def _work(self) -> None:
        while (message := self.queue.news.get()) is not None:
            while not self._stop.is_set() and not self._answered(message):
                time.sleep(0.5)

    def _answered(self, message: Json) -> bool:
        output = json.dumps({"did": message["given"]})
        try:
            self.sfn.send_task_success(taskToken=message["token"], output=output)
        except ClientError as error:
            if error.response["Error"]["Code"] != "TaskTimedOut":
                return False
            self.late.append(message["token"])
        else:
            self.taken.append(message["token"])
        return True


def test_a_child_runner_that_is_killed_submits_nothing_twice_and_loses_nothing(calling: Stack, queue: Queue) -> None:
    """Children submit and wait while it is killed: each attempt's message came once, each child has its output."""
    sfn = calling.client("stepfunctions")
    before = len(queue.bodies)
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 5, "BackoffRate": 1}]
    child = waits(queue, TimeoutSeconds=40, Retry=retry)
    definition = map_definition({"T": child}, MaxConcurrency=100, ItemsPath="$.items")
    with Workers(calling, queue) as workers:
        arn = start(sfn, "children", definition, {"items": list(range(CHILDREN))})
        for count in KILLED_AT:
            _until(lambda count=count: len(queue.bodies) - before >= count)
            calling.kill("child-runner-0")
        described = ended(sfn, arn, 240)
    assert output_of(described) == [{"did": n} for n in range(CHILDREN)]
    messages = queue.bodies[before:]
    tokens = Counter(message["token"] for message in messages)
    assert [token for token, times in tokens.items() if times > 1] == []
    assert {message["given"] for message in messages} == set(range(CHILDREN))
    # Of a callback whose owner falls before its word a worker that asks anew may hear that the task is over.
    assert len(workers.taken) + len(workers.late) == len(messages)
    print(f"{len(messages)} submissions, {len(workers.taken)} callbacks taken, {len(workers.late)} late")


def _until(true: Any, seconds_max: float = 60.0) -> None:
    deadline = time.monotonic() + seconds_max
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
