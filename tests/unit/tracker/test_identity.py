"""STS's GetCallerIdentity on the API's port, and what is said to requests of other services that were led there."""

from collections.abc import Mapping
from xml.etree import ElementTree as ET

import aiohttp
import pytest

from tests.unit.tracker.processes import Log, Process, played, post

FORM = "application/x-www-form-urlencoded; charset=utf-8"
WHO = b"Action=GetCallerIdentity&Version=2011-06-15"
XMLNS = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def signed(service: str) -> dict[str, str]:
    """A signature's header, as far as it names its service."""
    scope = f"Credential=any/20261130/us-east-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}


async def form(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, "ET.Element"]:
    """Status, content type and answer of a request of the Query protocol."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=body, headers={"Content-Type": FORM, **headers}) as answer,
    ):
        return answer.status, answer.content_type, ET.fromstring(await answer.text())  # noqa: S314 - our own answer


@pytest.mark.parametrize("headers", [signed("sts"), {}])
def test_who_asks_is_the_accounts_root(headers: Mapping[str, str]) -> None:
    """In STS's own shape, signed or not."""

    async def play(first: Process, _second: Process, _log: Log) -> None:
        status, kind, answer = await form(first.url, WHO, headers)
        found = {part.tag.removeprefix(XMLNS): part.text for part in answer.iter()}
        assert (status, kind) == (200, "text/xml")
        expected = ("arn:aws:iam::123456789012:root", "123456789012", "123456789012")
        assert (found["Arn"], found["Account"], found["UserId"]) == expected

    played(play)


@pytest.mark.parametrize(
    ("service", "body", "named"),
    [
        ("sts", b"Action=AssumeRole&Version=2011-06-15", "'AssumeRole' of 'sts'"),
        ("iam", b"Action=GetCallerIdentity", "'GetCallerIdentity' of 'iam'"),
        ("sts", b"\xff&&Action", "'' of 'sts'"),
        ("sts", b"Action=%3Cb%3E", "'<b>' of 'sts'"),
    ],
)
def test_nothing_else_of_the_query_protocol_is_answered(service: str, body: bytes, named: str) -> None:
    """The refusal has STS's shape too, so that no client stumbles over it, and names what was asked for."""

    async def play(first: Process, _second: Process, _log: Log) -> None:
        status, _, answer = await form(first.url, body, signed(service))
        found = {part.tag.removeprefix(XMLNS): part.text for part in answer.iter()}
        assert (status, found["Code"]) == (400, "InvalidAction")
        assert named in (found["Message"] or "")

    played(play)


def test_other_services_are_told_where_they_came() -> None:
    """AWS_ENDPOINT_URL leads all of AWS here; what names its operation as Step Functions does is one of its own."""

    async def play(first: Process, _second: Process, _log: Log) -> None:
        lost = await post(first.url, "DynamoDB_20120810.ListTables", {}, signed("dynamodb"))
        assert (lost.status, lost.body["__type"]) == (400, "UnknownOperationException")
        assert "not for 'dynamodb': AWS_ENDPOINT_URL_SFN leads only Step Functions here" in lost.body["message"]
        plain = await post(first.url, "AWSStepFunctions.Nonsense", {}, signed("states"))
        assert plain.body["message"] == "Unknown operation: 'AWSStepFunctions.Nonsense'"
        curl = await post(first.url, "AWSStepFunctions.StartSyncExecution", {}, {"Content-Type": FORM})
        assert curl.body["__type"] != "InvalidAction"

    played(play)
