"""`python -m tests.chaos.tasks --items 20000 --kills 5`: children that wait for others, while everything is killed.

A third of them waits for a callback from whoever reads a queue, a third for a worker of an activity, a third for an
execution that it started. Who is asked to work keeps books of his own: nothing may come to him twice.
"""

import io
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import click
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from tests.chaos.driver import BUCKET, Report, Say, killing, trouble_in_midrun
from tests.integration.system.queue_server import Queue, served
from tests.integration.system.running import map_definition, states
from tests.integration.system.stack import ROLE, Stack

Json = dict[str, Any]
KINDS = ("callback", "activity", "execution")
ATTEMPT_SECONDS = 60
"""An attempt that was about to be submitted when its owner fell is never submitted: its Retry makes the next one."""
WORKERS = 8
RETRY = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 5, "BackoffRate": 1}]


def definition(concurrency: int, queue: Queue, activity: str, machine: str) -> str:
    """Each child asks for one piece of work, by its row's kind, and keeps its input as its output."""
    task = {"Type": "Task", "TimeoutSeconds": ATTEMPT_SECONDS, "Retry": RETRY, "ResultPath": None, "End": True}
    message = {"token.$": "$$.Task.Token", "n.$": "$.value.n"}
    start = {"StateMachineArn": machine, "Input": {"n.$": "$.value.n"}}
    child = {
        "Kind": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.value.kind", "StringEquals": kind, "Next": kind} for kind in KINDS],
        },
        "callback": task
        | {
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": queue.url, "MessageBody": message},
        },
        "activity": task | {"Resource": activity, "Parameters": {"n.$": "$.value.n"}},
        "execution": task | {"Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters": start},
    }
    return map_definition(
        child,
        MaxConcurrency=concurrency,
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": BUCKET, "Key": "tasks.csv"},
        },
        ItemSelector={"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value"},
        ResultWriter={
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": BUCKET, "Prefix": "tasks"},
        },
    )


class Callees:
    """Those who do the work: readers of the queue and workers of the activity, with their books."""

    def __init__(self, stack: Stack, queue: Queue, activity: str) -> None:
        self.handed: list[tuple[str, str]] = []  # (token, n) of each activity task, as a worker got it
        self.said: Counter[str] = Counter()  # how callbacks were answered
        self._sfn = stack.client("stepfunctions", max_pool_connections=2 * WORKERS)
        self._queue = queue
        self._activity = activity
        self._stop = threading.Event()
        work = [self._read] * WORKERS + [self._poll] * WORKERS
        self._threads = [threading.Thread(target=each, daemon=True) for each in work]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for _thread in self._threads:
            self._queue.news.put(None)
        for thread in self._threads:
            thread.join(90)

    def _read(self) -> None:
        while (message := self._queue.news.get()) is not None:
            self._call_back(message["token"])

    def _poll(self) -> None:
        while not self._stop.is_set():
            try:
                task = self._sfn.get_activity_task(activityArn=self._activity, workerName="chaos")
            except (BotoCoreError, ClientError):
                time.sleep(0.5)  # the API is away
                continue
            if task.get("taskToken"):
                self.handed.append((task["taskToken"], json.loads(task["input"])["n"]))
                self._call_back(task["taskToken"])

    def _call_back(self, token: str) -> None:
        while not self._stop.is_set():
            try:
                self._sfn.send_task_success(taskToken=token, output="{}")
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "TaskTimedOut":  # a callback whose word was lost with a service is asked for again
                    self.said[code] += 1
                    return
            except BotoCoreError:
                pass
            else:
                self.said["taken"] += 1
                return
            time.sleep(0.5)


def run_tasks(stack: Stack, queue: Queue, *, items: int, kills: int, seed: int, concurrency: int, say: Say) -> Report:
    """Start, kill, wait, recount, on a stack whose SQS is that queue."""
    s3, sfn = stack.client("s3"), stack.client("stepfunctions")
    text = io.StringIO()
    text.write("n,kind\n")
    for n in range(items):
        text.write(f"{n},{KINDS[n % len(KINDS)]}\n")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="tasks.csv", Body=text.getvalue().encode())
    activity = sfn.create_activity(name="chaos")["activityArn"]
    callee = states(W={"Type": "Wait", "Seconds": 1, "End": True})
    machine = sfn.create_state_machine(name="callee", definition=callee, roleArn=ROLE)["stateMachineArn"]
    made = sfn.create_state_machine(
        name="tasks", definition=definition(concurrency, queue, activity, machine), roleArn=ROLE
    )
    report = Report(items=items, seed=seed)
    with Callees(stack, queue, activity) as callees:
        execution = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input="{}")["executionArn"]
        faults = killing(stack, kills, random.Random(seed))
        trouble_in_midrun(stack, execution, report, faults, lambda _: "SUCCEEDED", say)
    wanted = {kind: {str(n) for n in range(items) if KINDS[n % len(KINDS)] == kind} for kind in KINDS}
    messages = [(message["token"], message["n"]) for message in queue.bodies]
    started = [(arn, _n_of(sfn, arn)) for arn in _executions(sfn, machine)]
    report.wrong += judged("messages", messages, wanted["callback"], by_token=True)
    report.wrong += judged("activity tasks", callees.handed, wanted["activity"], by_token=True)
    report.wrong += judged("executions", started, wanted["execution"], by_token=False)
    say(
        f"{len(messages):,} messages, {len(callees.handed):,} activity tasks, {len(started):,} executions;"
        f" callbacks: {dict(callees.said)}"
    )
    return report


def judged(what: str, came: list[tuple[str, str]], wanted: set[str], *, by_token: bool) -> list[str]:
    """What is wrong with the work that came to a callee: (token or ARN, n) each.

    An attempt's token may come once. An `n` may come again by a Retry, under a token of its own; an execution may not.
    """
    wrong = []
    times = Counter(name if by_token else n for name, n in came)
    twice = [name for name, count in times.items() if count > 1]
    if twice:
        wrong.append(f"{len(twice)} {what} came twice, such as {twice[0]}")
    missing = wanted - {n for _, n in came}
    if missing:
        wrong.append(f"{what} of {len(missing)} items never came, such as {min(missing)}")
    strange = {n for _, n in came} - wanted
    if strange:
        wrong.append(f"{what} came for items of others: {sorted(strange)[:3]}")
    return wrong


def _executions(sfn: Any, machine: str) -> list[str]:
    pages = sfn.get_paginator("list_executions").paginate(stateMachineArn=machine)
    return [found["executionArn"] for page in pages for found in page["executions"]]


def _n_of(sfn: Any, arn: str) -> str:
    n: str = json.loads(sfn.describe_execution(executionArn=arn)["input"])["n"]
    return n


@click.command()
@click.option("--items", default=20_000, show_default=True)
@click.option("--kills", default=5, show_default=True, help="In all, of each service and of Kafka in turns.")
@click.option("--seed", default=1, show_default=True)
@click.option("--concurrency", default=300, show_default=True, help="Children that wait at once.")
@click.option("--json", "as_json", is_flag=True)
def main(items: int, kills: int, seed: int, concurrency: int, as_json: bool) -> None:
    """Run, kill, recount on the callees' side and in the results. Exit code 1 if anything is wrong."""
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    with tempfile.TemporaryDirectory(prefix="maprun-chaos-") as folder, served() as queue:
        stack = Stack(Path(folder), seed=None, AWS_ENDPOINT_URL_SQS=queue.url.removesuffix("/queue"))
        say(f"up in {stack.up():.1f} s on {stack.api}")
        try:
            report = run_tasks(stack, queue, items=items, kills=kills, seed=seed, concurrency=concurrency, say=say)
        finally:
            stack.down()
    if as_json:
        print(json.dumps(msgspec.to_builtins(report), indent=2))
    else:
        print(f"{items:,} items, {len(report.struck)} kills, {report.seconds} s, seed {seed}")
        print("\n".join(f"WRONG: {line}" for line in report.wrong) or "nothing came twice, nothing is missing")
    sys.exit(1 if report.wrong else 0)


if __name__ == "__main__":
    main()
