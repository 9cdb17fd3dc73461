"""Activities with unmodified boto3: made, listed, tagged, deleted; and workers that do what Tasks wait for."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.system.activity_workers import Workers
from tests.integration.system.running import Json, ended, map_definition, output_of, states
from tests.integration.system.stack import ACCOUNT, REGION, ROLE, Stack
from tests.integration.system.test_api import error_of

pytestmark = pytest.mark.integration
ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:activity"
CHILDREN = 400
WORKERS = 1_000


def test_an_activity_from_create_to_delete(sfn: Any) -> None:
    """Create, describe, tag, delete: what was written is read, and what was deleted is gone."""
    made = sfn.create_activity(name="round-trip", tags=[{"key": "a", "value": "1"}])
    arn = made["activityArn"]
    assert arn == f"{ARN}:round-trip"
    again = sfn.create_activity(name="round-trip", tags=[{"key": "b", "value": "2"}])
    assert (again["activityArn"], again["creationDate"]) == (arn, made["creationDate"])
    described = sfn.describe_activity(activityArn=arn)
    assert (described["name"], described["creationDate"]) == ("round-trip", made["creationDate"])
    assert described["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "1"}]
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "c", "value": "3"}])
    sfn.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "c", "value": "3"}]
    sfn.delete_activity(activityArn=arn)
    sfn.delete_activity(activityArn=arn)
    assert error_of(sfn.describe_activity, activityArn=arn) == (
        "ActivityDoesNotExist",
        f"Activity Does Not Exist: '{arn}'",
    )
    assert error_of(sfn.list_tags_for_resource, resourceArn=arn)[0] == "ResourceNotFound"
    assert error_of(sfn.tag_resource, resourceArn=arn, tags=[{"key": "c", "value": "3"}])[0] == "ResourceNotFound"


def test_activities_are_listed_in_pages(sfn: Any) -> None:
    """Newest first, each once, however small the pages."""
    names = [f"listed-{n}" for n in range(7)]
    for name in names:
        sfn.create_activity(name=name)
    pages = sfn.get_paginator("list_activities").paginate(PaginationConfig={"PageSize": 3})
    listed = [row["name"] for row in pages.search("activities") if row["name"] in names]
    assert listed == names[::-1]


def test_what_cannot_be_is_refused_in_the_words_of_aws(sfn: Any) -> None:
    """Names, ARNs and configurations that AWS refuses."""
    assert error_of(sfn.create_activity, name="a b") == ("InvalidName", "Invalid Name: 'a b'")
    assert error_of(sfn.describe_activity, activityArn="nothing")[0] == "InvalidArn"
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:m"
    assert error_of(sfn.delete_activity, activityArn=machine) == (
        "InvalidArn",
        "Invalid Arn: 'Resource type not valid in this context: stateMachine'",
    )
    sfn.create_activity(name="own-key")
    other = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/k"}
    assert error_of(sfn.create_activity, name="own-key", encryptionConfiguration=other) == (
        "ActivityAlreadyExists",
        f"Activity Already Exists: '{ARN}:own-key'",
    )


def waits(arn: str, **fields: Any) -> Json:
    """A Task that a worker of this activity does."""
    return {"Type": "Task", "Resource": arn, "End": True, **fields}


def start(sfn: Any, name: str, definition: str, given: object) -> str:
    """Starts an execution of a new machine."""
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    arn: str = sfn.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    return arn


def events_of(sfn: Any, arn: str) -> list[Json]:
    """The history of an execution."""
    found: list[Json] = sfn.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    return found


def test_a_worker_does_what_a_task_waits_for(sfn: Any) -> None:
    """It is given input and token, may send heartbeats, and its output goes on; the history names it."""
    activity = sfn.create_activity(name="does")["activityArn"]
    arn = start(sfn, "does", states(T=waits(activity, TimeoutSeconds=60, HeartbeatSeconds=20)), {"n": 1})
    task = sfn.get_activity_task(activityArn=activity, workerName="me")
    assert json.loads(task["input"]) == {"n": 1}
    sfn.send_task_heartbeat(taskToken=task["taskToken"])
    sfn.send_task_success(taskToken=task["taskToken"], output='{"done": true}')
    assert output_of(ended(sfn, arn)) == {"done": True}
    scheduled, started, succeeded = events_of(sfn, arn)[2:5]
    assert scheduled["activityScheduledEventDetails"] == {
        "resource": activity,
        "input": '{"n":1}',
        "inputDetails": {"truncated": False},
        "timeoutInSeconds": 60,
        "heartbeatInSeconds": 20,
    }
    assert started["activityStartedEventDetails"] == {"workerName": "me"}
    assert json.loads(succeeded["activitySucceededEventDetails"]["output"]) == {"done": True}
    assert [event["previousEventId"] for event in (scheduled, started, succeeded)] == [2, 3, 4]
    assert error_of(sfn.send_task_success, taskToken=task["taskToken"], output="1")[0] == "TaskTimedOut"


def test_a_worker_that_waits_is_given_a_task_at_once(sfn: Any) -> None:
    """It need not ask again: its request is answered when the Task comes."""
    activity = sfn.create_activity(name="waited")["activityArn"]
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(sfn.get_activity_task(activityArn=activity)))
    asking.start()
    time.sleep(1)
    arn = start(sfn, "waited", states(T=waits(activity)), {"n": 2})
    asking.join(10)
    [task] = found
    sfn.send_task_failure(taskToken=task["taskToken"], error="Mine", cause="because")
    described = ended(sfn, arn)
    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "Mine", "because")
    assert events_of(sfn, arn)[3]["activityStartedEventDetails"] == {}


def test_a_worker_that_falls_silent_loses_its_task(sfn: Any) -> None:
    """HeartbeatSeconds count from when it was given the task; the next attempt is another task for the next worker."""
    activity = sfn.create_activity(name="silent")["activityArn"]
    retry = [{"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    arn = start(sfn, "silent", states(T=waits(activity, HeartbeatSeconds=2, TimeoutSeconds=60, Retry=retry)), {})
    first = sfn.get_activity_task(activityArn=activity)["taskToken"]
    second = sfn.get_activity_task(activityArn=activity)["taskToken"]
    assert first != second
    assert error_of(sfn.send_task_success, taskToken=first, output="1")[0] == "TaskTimedOut"
    sfn.send_task_success(taskToken=second, output="2")
    assert output_of(ended(sfn, arn)) == 2
    assert [event["type"] for event in events_of(sfn, arn)][2:8] == [
        *("ActivityScheduled", "ActivityStarted", "ActivityTimedOut"),
        *("ActivityScheduled", "ActivityStarted", "ActivitySucceeded"),
    ]


def test_an_activity_that_is_not_there_fails_the_execution(sfn: Any) -> None:
    """In AWS's words, and before anything is scheduled; whoever asks it for a task is told as well."""
    activity = f"{ARN}:nobody"
    arn = start(sfn, "waits-for-nobody", states(T=waits(activity)), {})
    described = ended(sfn, arn)
    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")
    assert described["cause"].endswith(f"The activity {activity} does not exist.")
    assert [event["type"] for event in events_of(sfn, arn)][1:] == ["TaskStateEntered", "ExecutionFailed"]
    assert error_of(sfn.get_activity_task, activityArn=activity) == (
        "ActivityDoesNotExist",
        f"Activity Does Not Exist: '{activity}'",
    )


def test_a_stopped_execution_gives_its_task_to_nobody(sfn: Any) -> None:
    """The next worker is given the next one's."""
    activity = sfn.create_activity(name="stopped")["activityArn"]
    definition = states(T=waits(activity))
    machine = sfn.create_state_machine(name="stopped-worker", definition=definition, roleArn=ROLE)["stateMachineArn"]
    arns = [sfn.start_execution(stateMachineArn=machine, input=str(n))["executionArn"] for n in range(3)]
    sfn.stop_execution(executionArn=arns[0])
    given = {json.loads(sfn.get_activity_task(activityArn=activity)["input"]) for _ in range(2)}
    assert given == {1, 2}


def test_a_thousand_workers_wait_at_one_process(stack: Stack, sfn: Any) -> None:
    """Each has a connection of its own; each of a thousand children is given to one of them."""
    activity = sfn.create_activity(name="thousand")["activityArn"]
    definition = map_definition({"T": waits(activity)}, MaxConcurrency=0, ItemsPath="$.items")
    given: list[tuple[str, int]] = []

    async def work(http: aiohttp.ClientSession, number: int) -> None:
        task = await _asked(http, stack.api, "GetActivityTask", {"activityArn": activity}, number)
        given.append((task["taskToken"], json.loads(task["input"])))
        done = {"taskToken": task["taskToken"], "output": task["input"]}
        await _asked(http, stack.api, "SendTaskSuccess", done, number)

    async def all_work() -> str:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            asking = [asyncio.create_task(work(http, number)) for number in range(WORKERS)]
            await asyncio.sleep(5)
            arn = await asyncio.to_thread(start, sfn, "thousand", definition, {"items": list(range(WORKERS))})
            began = time.monotonic()
            await asyncio.gather(*asking)
            print(f"{WORKERS} workers were given their tasks, and did them, in {time.monotonic() - began:.1f} s")
            return arn

    arn = asyncio.run(all_work())
    assert output_of(ended(sfn, arn)) == list(range(WORKERS))
    assert len({token for token, _ in given}) == WORKERS
    assert {n for _, n in given} == set(range(WORKERS))


async def _asked(http: aiohttp.ClientSession, api: str, operation: str, members: Json, number: int) -> Json:
    """One call, made again as an SDK would."""
    headers = {"X-Amz-Target": f"AWSStepFunctions.{operation}", "amz-sdk-invocation-id": f"{operation}-{number}"}
    while True:
        async with http.post(api, data=json.dumps(members), headers=headers) as response:
            body: Json = await response.json(content_type=None)
            if response.status == 200:
                return body
            assert response.status == 503, body
        await asyncio.sleep(1)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose processes may be killed."""
    stack = Stack(Path(tmp_path_factory.mktemp("killed")))
    stack.up()
    yield stack
    stack.down()


def test_killed_services_hand_nothing_out_twice_and_lose_nothing(killed: Stack) -> None:
    """Tracker, scheduler and child-runner fall in the midst: each attempt went to one worker, each child ended."""
    sfn = killed.client("stepfunctions")
    activity = sfn.create_activity(name="killed")["activityArn"]
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 5, "BackoffRate": 1}]
    child = waits(activity, TimeoutSeconds=60, Retry=retry)
    definition = map_definition({"T": child}, MaxConcurrency=100, ItemsPath="$.items")
    with Workers(killed, activity, 16, lambda given: {"did": given}) as workers:
        arn = start(sfn, "killed", definition, {"items": list(range(CHILDREN))})
        for part, count in (
            ("child-runner-0", 40),
            ("maprun-tracker", 120),
            ("scheduler", 200),
            ("child-runner-0", 280),
        ):
            _until(lambda count=count: len(workers.given) >= count)
            killed.kill(part)
        described = ended(killed.client("stepfunctions"), arn, 240)
    assert output_of(described) == [{"did": n} for n in range(CHILDREN)]
    times = Counter(token for token, _ in workers.given)
    assert [token for token, count in times.items() if count > 1] == []
    assert {given for _, given in workers.given} == set(range(CHILDREN))
    print(f"{len(workers.given)} tasks given, {len(workers.taken)} successes taken, {len(workers.late)} late")


def _until(true: Any, seconds_max: float = 90.0) -> None:
    deadline = time.monotonic() + seconds_max
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
