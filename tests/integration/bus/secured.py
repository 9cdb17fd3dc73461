"""What a broker and its clients need for TLS and ACLs: certificates made by the tools at hand, rights as planned."""

import asyncio
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from aiokafka.protocol.admin import CreateAclsRequest

from maprun.bus.administration import administering
from maprun.bus.least_rights import Right
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings

STORE_PASSWORD = "store-secret"  # noqa: S105 - of a keystore that a test makes
_TOPIC, _GROUP, _LITERAL, _PREFIXED, _ALLOW = 2, 3, 3, 4, 3
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
    """Gives rights to those who have a principal, as the commands of `maprun topics plan --commands` do."""

    async def work() -> None:
        async with administering(admin, Limits()) as administration:
            for right in rights:
                if right.who in principals:
                    for name in right.names:
                        for operation in right.operations:
                            kind = _TOPIC if right.kind == "topic" else _GROUP
                            pattern = _PREFIXED if right.prefixed else _LITERAL
                            allowed = (principals[right.who], "*", _OPERATIONS[operation], _ALLOW)
                            node = administration.client.get_random_node()
                            request = CreateAclsRequest(kind, name, pattern, *allowed)
                            answer = await administration.client.send(node, request)
                            assert [code for code, _ in answer.creation_responses] == [0], answer

    asyncio.run(work())
