"""Credentials: roles assumed by STS, whose keys sign the Task's call."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from aiohttp import web

from maprun.aws.roles import LAST_SECONDS, RENEWED_SECONDS, Roles, refusal
from maprun.aws.sdk_errors import Refused
from maprun.aws.sigv4 import Keys
from schemas.effects import TaskRequested
from tests.unit.aws.service import SDK, Outcome, failed, outcomes, runner_at, task

ROLE = "arn:aws:iam::123456789012:role/other"
XML = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ROLEKEY</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2033-05-18T03:33:20Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
DENIED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>User: arn:aws:sts::1:assumed-role/engine/x is not authorized to perform:
sts:AssumeRole on resource: arn:r</Message></Error></ErrorResponse>"""


class Service:
    """STS, and whatever else is called; remembers who asked for what."""

    def __init__(self, status: int = 200, answer: str = XML) -> None:
        self.sts = (status, answer)
        self.asked: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str | None]] = []  # key id, session token

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """An answer."""
        body = await request.read()
        signed = request.headers.get("Authorization", "")
        if "/sts/" in signed:
            assert "Credential=AKID/" in signed  # by the process itself
            self.asked.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
            await asyncio.sleep(0.05)
            return web.Response(status=self.sts[0], text=self.sts[1], content_type="text/xml")
        key = signed.partition("Credential=")[2].partition("/")[0]
        self.calls.append((key, request.headers.get("X-Amz-Security-Token")))
        return web.json_response({"TableNames": []})


def with_role(resource: str, parameters: Any) -> TaskRequested:
    """A Task with Credentials."""
    return msgspec.structs.replace(task(resource, parameters), role_arn=ROLE)


@pytest.mark.parametrize(
    ("resource", "parameters"),
    [
        (f"{SDK}dynamodb:listTables", {}),
        ("arn:aws:states:::dynamodb:getItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}),
        ("arn:aws:states:::lambda:invoke", {"FunctionName": "f"}),
        ("arn:aws:lambda:us-east-1:123456789012:function:f", {}),
        ("arn:aws:states:::states:startExecution", {"StateMachineArn": "arn:aws:states:us-east-1:1:stateMachine:m"}),
    ],
)
def test_the_role_s_keys_sign_the_call(resource: str, parameters: Any) -> None:
    """Whatever is called; STS hears of the role under a session name of maprun's, once for two calls."""
    service = Service()
    outcomes(service.handle, with_role(resource, parameters), with_role(resource, parameters))
    assert set(service.calls) == {("ROLEKEY", "token")}
    (asked,) = service.asked
    assert (asked["Action"], asked["RoleArn"], asked["RoleSessionName"]) == ("AssumeRole", ROLE, "maprun")


def test_without_credentials_the_process_s_own_keys_sign() -> None:
    """Beside Tasks that have some."""
    service = Service()
    outcomes(service.handle, with_role(f"{SDK}dynamodb:listTables", {}), task(f"{SDK}dynamodb:listTables", {}))
    assert service.calls == [("ROLEKEY", "token"), ("AKID", None)]


def test_a_role_that_may_not_be_assumed_fails_in_aws_s_words() -> None:
    """And nothing is called with other rights than those that the Task names."""
    service = Service(403, DENIED)
    (found,) = outcomes(service.handle, with_role(f"{SDK}dynamodb:listTables", {}))
    assert failed(found).error == "States.TaskFailed"
    assert failed(found).cause == (
        f"The role arn:aws:sts::1:assumed-role/engine/x is not authorized to assume the task state's role, {ROLE}."
    )
    assert service.calls == []


@pytest.mark.parametrize(
    "resource", ["arn:aws:states:::lambda:invoke", "arn:aws:states:::http:invoke", f"{SDK}s3:listBuckets"]
)
def test_where_there_is_no_sts_the_task_fails_in_words(resource: str) -> None:
    """A Task that names another role never runs with the rights of this process instead."""

    async def main() -> Outcome:
        """One attempt."""
        runner = runner_at("http://127.0.0.1:9")
        try:
            return await runner.call(with_role(resource, {}), "key")
        finally:
            await runner.close()

    found = failed(asyncio.run(main()))
    assert found.error == "States.TaskFailed"
    assert found.cause.startswith(f"The task state's role, {ROLE}, can't be assumed: Sts.SdkClientException: ")


class Sts:
    """STS in memory: its keys last an hour, its first answers come when they may."""

    def __init__(self) -> None:
        self.now = 0.0
        self.count = 0
        self.may_answer = asyncio.Event()
        self.roles = Roles(self.assume, lambda: self.now)

    async def assume(self, parameters: bytes) -> bytes | Refused:
        """Keys with a number."""
        assert json.loads(parameters)["RoleArn"] == ROLE
        self.count += 1
        number = self.count
        await self.may_answer.wait()
        expires = f"1970-01-01T{int(self.now) // 3600 + 1:02}:00:00Z"
        keys = {"AccessKeyId": f"K{number}", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": expires}
        return json.dumps({"Credentials": keys}).encode()


def key_of(keys: Keys | Refused) -> str:
    """The key's id."""
    assert isinstance(keys, Keys)
    return keys.access_key_id


def test_many_tasks_ask_sts_once() -> None:
    """Also if the Task that asked first is given up."""

    async def main() -> None:
        sts = Sts()
        waiting = [asyncio.create_task(sts.roles.keys_of(ROLE)) for _ in range(100)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        sts.may_answer.set()
        found = await asyncio.gather(*waiting[1:])
        assert {key_of(keys) for keys in found} == {"K1"}
        assert sts.count == 1

    asyncio.run(main())


def test_keys_are_renewed_before_they_expire() -> None:
    """Those that are there serve meanwhile, but for the last seconds."""

    async def main() -> None:
        sts = Sts()
        sts.may_answer.set()
        assert key_of(await sts.roles.keys_of(ROLE)) == "K1"
        sts.now = 3600 - RENEWED_SECONDS - 1
        assert key_of(await sts.roles.keys_of(ROLE)) == "K1"
        sts.now = 3600 - RENEWED_SECONDS + 1
        sts.may_answer.clear()
        assert [key_of(await sts.roles.keys_of(ROLE)) for _ in range(3)] == ["K1"] * 3
        await asyncio.sleep(0)
        assert sts.count == 2
        sts.now = 3600 - LAST_SECONDS + 1
        late = asyncio.create_task(sts.roles.keys_of(ROLE))
        await asyncio.sleep(0)
        assert not late.done()
        sts.now = 3601
        sts.may_answer.set()
        assert key_of(await late) == "K2"
        assert key_of(await sts.roles.keys_of(ROLE)) == "K2"

    asyncio.run(main())


def test_a_refusal_is_not_remembered() -> None:
    """The next attempt asks again: the role may have got its trust meanwhile."""

    async def main() -> None:
        answers = [Refused("Sts.StsException", "not now"), Refused("Sts.StsException", "nor now")]

        async def assume(_: bytes) -> bytes | Refused:
            return answers.pop(0)

        roles = Roles(assume, lambda: 0.0)
        for words in ("not now", "nor now"):
            found = await roles.keys_of(ROLE)
            assert isinstance(found, Refused)
            assert found.cause.endswith(words)

    asyncio.run(main())


def test_who_may_not_assume_a_role_is_named_as_far_as_sts_says() -> None:
    """Some servers say no more than that access is denied."""
    found = refusal(ROLE, Refused("Sts.StsException", "Access denied (Error Code: AccessDenied)"))
    assert found.cause.startswith("The identity of this process is not authorized to assume the task state's role")
