"""What a broker and its clients need for TLS and ACLs: certificates made by the tools at hand, rights as planned."""

import asyncio
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from maprun.bus.administration import Administration, administering
from maprun.bus.least_rights import Right
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings

STORE_PASSWORD = "store-secret"  # noqa: S105 - of a keystore that a test makes
_HOLD_SECONDS_MAX = 60.0
_ANY, _TOPIC, _GROUP, _LITERAL, _PREFIXED, _ALLOW = 1, 2, 3, 3, 4, 3
_OPERATIONS = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Delete": 6,
    "Describe": 8,
    "DescribeConfigs": 10,
    "AlterConfigs": 11,
}
"""Kafka's numbers, as in its protocol."""


class _Given(NamedTuple):
    """One right, in those numbers."""

    kind: int
    name: str
    pattern: int
    principal: str
    operation: int


class Certificates(msgspec.Struct, frozen=True):
    """A broker's certificate for 127.0.0.1, which signs itself, and a client's, which the broker trusts."""

    store: Path  # the broker's, with its key and with what it trusts
    ca: Path  # what clients trust
    client: Path
    client_key: Path

    @property
    def of_broker(self) -> str:
        """The broker's settings."""
        return f"""
ssl.keystore.location={self.store}
ssl.keystore.password={STORE_PASSWORD}
ssl.truststore.location={self.store}
ssl.truststore.password={STORE_PASSWORD}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
"""


def make_certificates(folder: Path) -> Certificates:
    """Makes both. The client is `User:CN=client`."""
    made = Certificates(folder / "broker.p12", folder / "ca.pem", folder / "client.pem", folder / "client.key")
    store = ("-keystore", str(made.store), "-storepass", STORE_PASSWORD, "-noprompt")
    names = ("-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-validity", "30")
    client = ("-keyout", str(made.client_key), "-out", str(made.client), "-subj", "/CN=client", "-days", "30")
    _run("keytool", "-genkeypair", "-keyalg", "RSA", "-alias", "broker", *names, *store)
    _run("keytool", "-exportcert", "-rfc", "-alias", "broker", "-file", str(made.ca), *store)
    _run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *client)
    _run("keytool", "-importcert", "-alias", "client", "-file", str(made.client), *store)
    return made


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def give(admin: Settings, rights: Iterable[Right], principals: Mapping[str, str]) -> None:
    """Gives rights to those who have a principal, as the commands of `maprun topics plan --commands` do.

    A controller takes them; they hold once the brokers have heard of it.
    """

    async def work() -> None:
        async with administering(admin, Limits()) as administration:
            given = {
                _Given(
                    _TOPIC if right.kind == "topic" else _GROUP,
                    name,
                    _PREFIXED if right.prefixed else _LITERAL,
                    principals[right.who],
                    _OPERATIONS[operation],
                )
                for right in rights
                if right.who in principals
                for name in right.names
                for operation in right.operations
            }
            for kind, name, pattern, principal, operation in given:
                request = CreateAclsRequest(kind, name, pattern, principal, "*", operation, _ALLOW)
                answer = await administration.client.send(administration.client.get_random_node(), request)
                assert [code for code, _ in answer.creation_responses] == [0], answer
            for broker in administration.client.cluster.brokers():
                until = time.monotonic() + _HOLD_SECONDS_MAX
                while not given <= await _given(administration, broker.nodeId):
                    assert time.monotonic() < until, f"broker {broker.nodeId} does not know the rights"
                    await asyncio.sleep(0.05)

    asyncio.run(work())


async def _given(administration: Administration, broker: int) -> set[_Given]:
    """The rights that one broker knows of."""
    request = DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY)
    answer = await administration.client.send(broker, request)
    assert not answer.error_code, answer
    return {
        _Given(kind, name, pattern, principal, operation)
        for kind, name, pattern, acls in answer.resources
        for principal, _, operation, _ in acls
    }


async def take(admin: Settings, topic: str, principal: str, operation: str) -> None:
    """Takes one right on a topic, by its name on Kafka, away again."""
    async with administering(admin, Limits()) as administration:
        node = administration.client.get_random_node()
        request = DeleteAclsRequest(_TOPIC, topic, _LITERAL, principal, "*", _OPERATIONS[operation], _ALLOW)
        answer = await administration.client.send(node, request)
        assert [(code, len(matching)) for code, _, matching in answer.filter_responses] == [(0, 1)], answer
