"""EMR's changes of instance fleets and groups, which are named in Parameters and have ids for EMR."""

import json
from typing import Any

import pytest
from aiohttp import web

from tests.unit.aws.service import failed, outcomes, output, task

FLEET = "arn:aws:states:::elasticmapreduce:modifyInstanceFleetByName"
GROUP = "arn:aws:states:::elasticmapreduce:modifyInstanceGroupByName"
TARGETS = {"TargetOnDemandCapacity": 8}


class Emr:
    """Pages of what is listed, and what was asked."""

    def __init__(self, *pages: list[tuple[str, str]]) -> None:
        self.pages = pages
        self.asked: list[tuple[str, Any]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """An answer."""
        action, body = request.headers["X-Amz-Target"].rpartition(".")[2], await request.json()
        self.asked.append((action, body))
        if not action.startswith("List"):
            return web.json_response({})
        at = int(body.get("Marker", "0"))
        entries = [{"Name": name, "Id": each} for name, each in self.pages[at]]
        more = {"Marker": str(at + 1)} if at + 1 < len(self.pages) else {}
        return web.json_response({action.removeprefix("List"): entries, **more})


def test_a_fleet_is_found_by_its_name() -> None:
    """On whichever page of the list it stands."""
    emr = Emr([("MASTER", "if-1")], [("CORE", "if-2")])
    parameters = {"ClusterId": "j", "InstanceFleetName": "CORE", "InstanceFleet": TARGETS}
    assert "SdkHttpMetadata" in output(outcomes(emr.handle, task(FLEET, parameters))[0])
    assert emr.asked == [
        ("ListInstanceFleets", {"ClusterId": "j"}),
        ("ListInstanceFleets", {"ClusterId": "j", "Marker": "1"}),
        ("ModifyInstanceFleet", {"ClusterId": "j", "InstanceFleet": {**TARGETS, "InstanceFleetId": "if-2"}}),
    ]


def test_a_group_is_one_of_a_list() -> None:
    """EMR changes many at once."""
    emr = Emr([("CORE", "ig-1")])
    parameters = {"ClusterId": "j", "InstanceGroupName": "CORE", "InstanceGroup": {"InstanceCount": 8}}
    output(outcomes(emr.handle, task(GROUP, parameters))[0])
    changed = {"InstanceCount": 8, "InstanceGroupId": "ig-1"}
    assert emr.asked[1] == ("ModifyInstanceGroups", {"ClusterId": "j", "InstanceGroups": [changed]})


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({}, "ElasticMapReduce.AmazonElasticMapReduceException", "There is no InstanceFleet named 'CORE'"),
        ({"InstanceFleet": {"InstanceFleetId": "if"}}, "States.Runtime", "'InstanceFleetId' is not supported"),
        ({"InstanceFleet": None}, "States.Runtime", "The value for the field 'InstanceFleet' must be an OBJECT"),
        ({"InstanceFleetName": 1}, "States.Runtime", "The value for the field 'InstanceFleetName' must be a STRING"),
    ],
)
def test_what_can_not_be_found_is_told(parameters: dict[str, Any], error: str, words: str) -> None:
    """Nothing is changed then."""
    emr = Emr([("MASTER", "if-1")])
    given = {"ClusterId": "j", "InstanceFleetName": "CORE", "InstanceFleet": TARGETS, **parameters}
    found = failed(outcomes(emr.handle, task(FLEET, given))[0])
    assert found.error == error
    assert words in found.cause
    assert all(action.startswith("List") for action, _ in emr.asked)


def test_a_refused_list_is_the_failure() -> None:
    """With EMR's own error."""

    async def refuse(_: web.Request) -> web.StreamResponse:
        """There is no such cluster."""
        return web.json_response(
            {"__type": "InvalidRequestException", "Message": "Cluster id 'j' is not valid."}, status=400
        )

    parameters = {"ClusterId": "j", "InstanceFleetName": "CORE", "InstanceFleet": TARGETS}
    found = failed(outcomes(refuse, task(FLEET, parameters))[0])
    assert found.error == "ElasticMapReduce.InvalidRequestException"


def test_a_cancelled_step_is_told_of_alone() -> None:
    """EMR answers with a list."""

    async def answer(_: web.Request) -> web.StreamResponse:
        """One step."""
        return web.json_response({"CancelStepsInfoList": [{"StepId": "s", "Status": "SUBMITTED"}]})

    resource = "arn:aws:states:::elasticmapreduce:cancelStep"
    found = output(outcomes(answer, task(resource, {"ClusterId": "j", "StepId": "s"}))[0])
    assert json.loads(json.dumps(found))["CancelStepsInfo"] == {"StepId": "s", "Status": "SUBMITTED"}
    assert "CancelStepsInfoList" not in found
