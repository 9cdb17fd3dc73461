"""Small worlds of canned answers, one of them with hostile texts alone, and axe, which looks through a page of it."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.browser.api import (
    CHILD,
    EXECUTION,
    HOSTILE,
    MACHINE,
    RUN,
    START,
    Api,
    child_row,
    counts,
    described,
    found,
    of_run,
)

Json = dict[str, Any]
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
HEALTH: Json = {
    "ok": False,
    "troubles": [f"No child-runner has the partitions 3 of {HOSTILE}."],
    "date": START,
    "services": [
        {
            "service": "child-runner",
            "ok": False,
            "topic": "items",
            "partitions": 4,
            "unownedPartitions": [3],
            "recordsBehind": {"items": 12},
            "processes": [
                {
                    "instance": "child-runner-0",
                    "status": "SILENT",
                    "trouble": "hung",
                    "host": "a",
                    "pid": 4711,
                    "startDate": START,
                    "lastReportDate": START - 30,
                    "partitions": [0, 1, 2],
                    "recordsBehind": {"items": 12},
                    "errorsLastHour": 1,
                    "startsLastHour": 0,
                }
            ],
        }
    ],
    "mapRuns": {"open": 3, "waiting": 7, "limit": 1000},
    "openExecutions": 5,
    "errorsLastHour": [{"service": "child-runner", "event": "unexpected_error", "count": 1}],
}
EVENTS = [
    {"id": 1, "timestamp": START, "type": "ExecutionStarted", "executionStartedEventDetails": {"input": "{}"}},
    {"id": 2, "timestamp": START + 1.25, "type": "TaskFailed", "taskFailedEventDetails": {"error": "E", "cause": "C"}},
    {"id": 3, "timestamp": START + 2, "type": "WaitStateEntered", "stateEnteredEventDetails": {"name": HOSTILE}},
]


def answers_of(api: Api) -> None:
    """A machine with one execution that has one Map Run."""
    api.answers = of_run(counts(failed=1, succeeded=2), status="FAILED", stopDate=START + 60)
    api.answers |= {
        "ListStateMachines": lambda _: {
            "stateMachines": [{"stateMachineArn": MACHINE, "name": "orders", "type": "STANDARD", "creationDate": START}]
        },
        "DescribeStateMachine": lambda _: {
            "stateMachineArn": MACHINE,
            "name": "orders",
            "type": "STANDARD",
            "creationDate": START,
            "roleArn": "r",
            "definition": '{"StartAt":"A"}',
        },
        "ListExecutions": lambda _: {
            "executions": [{"executionArn": EXECUTION, "name": "nightly", "status": "FAILED", "startDate": START}]
        },
        "ListMapRuns": lambda _: {"mapRuns": [{"mapRunArn": RUN, "startDate": START, "stopDate": START + 3}]},
        "GetExecutionHistory": lambda _: {"events": EVENTS},
        "DescribeStateMachineForExecution": lambda _: {"definition": '{"StartAt":"B"}'},
        "ValidateStateMachineDefinition": lambda _: {"result": "OK", "diagnostics": []},
        "ListStateMachineVersions": lambda _: {"stateMachineVersions": []},
        "ListStateMachineAliases": lambda _: {"stateMachineAliases": []},
        "health": lambda _: HEALTH,
    }


def hostile_answers_of(api: Api) -> None:
    """A world in which everything that a user can name is HOSTILE, and every part of every view has something in it."""
    answers_of(api)
    bad: Json = {"error": HOSTILE, "cause": HOSTILE}
    states = {HOSTILE: {"Type": HOSTILE, "Next": "Done", "Catch": [{"Next": "Done"}]}, "Done": {"Type": "Succeed"}}
    machine = {"stateMachineArn": MACHINE, "name": HOSTILE, "type": "STANDARD", "creationDate": START}
    definition = json.dumps({"StartAt": HOSTILE, "States": states})
    where = {"Bucket": HOSTILE, "Key": HOSTILE}
    cluster = {"status": "FAILED", "error": HOSTILE, "causePattern": HOSTILE, "firstDate": START, "lastDate": START}
    failed = {"previousEventId": 2, "timestamp": START, "type": "ExecutionFailed", "executionFailedEventDetails": bad}
    entered = {"timestamp": START, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": HOSTILE}}
    events = [{"id": 2, "previousEventId": 0, **entered}, {"id": 3, **failed}]
    execution = {"executionArn": EXECUTION, "name": HOSTILE, "status": "FAILED", "startDate": START}
    api.answers |= {
        "ListStateMachines": lambda _: {"stateMachines": [machine]},
        "DescribeStateMachine": lambda _: (
            machine | {"roleArn": HOSTILE, "description": HOSTILE, "definition": definition}
        ),
        "ListExecutions": lambda _: {"executions": [execution]},
        "DescribeExecution": lambda ask: described(
            ask["executionArn"],
            name=HOSTILE,
            input=HOSTILE,
            output=json.dumps({HOSTILE: {"ResultWriterDetails": where}}),
            redriveStatus="REDRIVABLE",
            **bad,
        ),
        "DescribeStateMachineForExecution": lambda _: {"definition": definition},
        "GetExecutionHistory": lambda _: {"events": events},
        "history": lambda _: {"events": events},
        "children": lambda _: found({**child_row(1, name=HOSTILE), **bad}),
        "errors": lambda _: {
            "mapRunArn": RUN,
            "childrenCounted": 1,
            "clusters": [{**cluster, "count": 1, "executionArns": [CHILD.format(1)], "children": [1, 1]}],
        },
        "results": lambda _: {
            "mapRunArn": RUN,
            "bucket": HOSTILE,
            "manifestKey": HOSTILE,
            "filesInAll": 2,
            "files": [{"status": "FAILED", "key": HOSTILE, "size": 7, "firstRecords": [HOSTILE]}],
        },
        "ListStateMachineVersions": lambda _: {
            "stateMachineVersions": [{"stateMachineVersionArn": f"{MACHINE}:{HOSTILE}", "creationDate": START}]
        },
        "ListStateMachineAliases": lambda _: {"stateMachineAliases": [{"stateMachineAliasArn": HOSTILE}]},
        "DescribeStateMachineAlias": lambda _: {
            "stateMachineAliasArn": HOSTILE,
            "name": HOSTILE,
            "description": HOSTILE,
            "updateDate": START,
            "routingConfiguration": [{"stateMachineVersionArn": HOSTILE, "weight": 100}],
        },
        "ValidateStateMachineDefinition": lambda _: {
            "diagnostics": [{"severity": "ERROR", "code": HOSTILE, "message": HOSTILE, "location": HOSTILE}]
        },
    }


def violations(page: Page) -> list[str]:
    """What axe says is wrong with a page, with the elements."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] }).then((result) => result.violations)")
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]
