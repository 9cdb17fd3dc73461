"""`POST /maprun/redrive` over a story: chosen children run again; what readers are shown of the others meanwhile."""

import asyncio
from typing import Any

import msgspec
import pytest

from maprun.requests.checks import Refusal
from schemas.home import FAILED, SUCCEEDED, ItemsRead, LaneProgress
from services.maprun_tracker.api import own_inputs, redrives
from services.maprun_tracker.api.error_clusters import errors
from services.maprun_tracker.api.service import Call
from tests.unit.mapruns.generations import Child, outcome
from tests.unit.tracker.test_api_redrive import CALL, Redriven, counts


def redrive(made: Redriven, call: Call = CALL, **members: Any) -> dict[str, Any]:
    """The answer to a request."""
    made.world.fold()
    ask = own_inputs.RedriveChildren(map_run_arn=made.arn, **members)
    raw = asyncio.run(redrives.redrive_children(made.world.service, ask, call))
    made.world.fold()
    answer: dict[str, Any] = msgspec.json.decode(raw)
    return answer


def refused(made: Redriven, **members: Any) -> str:
    """What a request is refused with."""
    with pytest.raises(Refusal) as refusal:
        redrive(made, **members)
    return f"{refusal.value.code}: {refusal.value.message}"


def test_chosen_children_wait_and_the_others_are_what_they_were() -> None:
    """While it goes on and when it is over: lists, descriptions and counts tell both apart."""
    made = Redriven()
    world, run = made.world, made.run
    assert redrive(made, execution_arns=[made.child(0)]) == {"redriveDate": world.story.times[-1] / 1000}
    assert made.listed() == [(0, "PENDING_REDRIVE"), (1, "SUCCEEDED"), (2, "ABORTED")]
    assert made.listed(status_filter="PENDING_REDRIVE") == [(0, "PENDING_REDRIVE")]
    assert made.listed(status_filter="ABORTED") == [(2, "ABORTED")]
    assert made.listed(status_filter="FAILED") == []
    assert world.ask("DescribeExecution", execution_arn=made.child(2))["status"] == "ABORTED"
    assert world.ask("DescribeExecution", execution_arn=made.child(0))["status"] == "PENDING_REDRIVE"
    assert counts(world, made.arn) == {"succeeded": 1, "aborted": 1, "pending": 1, "pendingRedrive": 1, "total": 4}
    world.story.put(ItemsRead(run, 1, 0, 1, 1, 1, b"c", redriven=(FAILED, 1, 1)), LaneProgress(run, 1, 0, (0, 1)))
    assert made.listed() == [(0, "RUNNING"), (1, "SUCCEEDED"), (2, "ABORTED")]
    assert counts(world, made.arn) == {"succeeded": 1, "aborted": 1, "pending": 1, "running": 1, "total": 4}
    world.story.put(outcome(1, {0: Child(0, SUCCEEDED, 1)}, run=run))
    assert made.listed() == [(0, "SUCCEEDED"), (1, "SUCCEEDED"), (2, "ABORTED")]
    assert counts(world, made.arn) == {"succeeded": 2, "aborted": 1, "pending": 1, "total": 4}
    root = world.ask("DescribeExecution", execution_arn=made.root)
    assert (root["status"], root["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    redrive(made, Call("d", "d"), children=[2, 1])
    assert made.listed() == [(0, "SUCCEEDED"), (1, "SUCCEEDED"), (2, "PENDING_REDRIVE")]


def test_one_token_redrives_once() -> None:
    """The same request has the same answer while its redrive goes on and once it is over."""
    made = Redriven()
    asked: dict[str, Any] = {"children": [0, 1], "client_token": "t"}
    first = redrive(made, **asked)
    assert redrive(made, Call("d", "d"), **asked) == first
    made.story.put(ItemsRead(made.run, 1, 0, 1, 1, 1, b"c", redriven=(FAILED, 1, 1)))
    made.story.put(outcome(1, {0: Child(0, FAILED, 1, 1, b"r")}, run=made.run))
    assert redrive(made, Call("e", "e"), **asked) == first
    assert made.listed()[0] == (0, "FAILED")


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({}, "Neither children nor executionArns"),
        ({"children": [0]}, "are pairs"),
        ({"children": [-1, 2]}, "are pairs"),
        ({"children": [3, 1 << 40]}, "one is past them"),
        ({"children": [0, 2]}, "Child execution 1 has not failed"),
        ({"children": [3, 1]}, "Child execution 3 has not failed"),
        ({"execution_arns": ["arn:aws:states:us-east-1:123456789012:execution:m:x"]}, "is no child execution"),
    ],
)
def test_what_cannot_be_chosen_is_refused(members: dict[str, Any], why: str) -> None:
    """The message says which child, and nothing is redriven."""
    made = Redriven()
    said = refused(made, **members)
    assert said.startswith("ValidationException: ")
    assert why in said
    assert counts(made.world, made.arn) == {"succeeded": 1, "failed": 1, "aborted": 1, "pending": 1, "total": 4}


def test_a_run_that_goes_on_is_not_redriven() -> None:
    """The refusal is that of RedriveExecution."""
    made = Redriven()
    made.story.redrive(made.run, made.root, 1)
    assert refused(made, children=[0, 1]) == "ExecutionNotRedrivable: Execution is RUNNING and cannot be redriven"


def test_a_cluster_says_which_children_are_in_it() -> None:
    """Asked for, so that they can be chosen; not sent to those who only count."""
    made = Redriven()
    service = made.world.service
    ask = own_inputs.ErrorsAsked(map_run_arn=made.arn)
    assert [cluster.children for cluster in asyncio.run(errors(service, ask, CALL)).clusters] == [None, None]
    named = asyncio.run(errors(service, msgspec.structs.replace(ask, children="true"), CALL))
    assert {cluster.status: cluster.children for cluster in named.clusters} == {"FAILED": (0, 1), "ABORTED": (2, 1)}
