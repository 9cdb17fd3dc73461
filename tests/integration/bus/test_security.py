"""TLS and SASL on a real broker that takes nothing else, with an authorizer: who may, who may not, and what is said."""

import asyncio
import contextlib
import subprocess
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from maprun.bus import making
from maprun.bus.checkup import look_at_kafka
from maprun.bus.kafka import KafkaHost
from maprun.bus.port import BusError
from maprun.bus.rights import NotAllowedError
from maprun.runtime.checkup import Finding
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Secret, Settings
from tests.integration.bus.broker import Broker
from tests.integration.bus.test_living_services import started

pytestmark = pytest.mark.integration
END_SECONDS_MAX = 60.0
PASSWORD = "store-secret"  # noqa: S105 - of a keystore that a test makes


def broker_settings(keystore: Path) -> str:
    """A listener of SASL over TLS alone, two users, and a broker that allows the second one nothing."""
    users = 'user_admin="admin-secret" user_maprun="maprun-secret"'
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    return f"""
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config={login} username="admin" password="admin-secret" {users};
ssl.keystore.location={keystore}
ssl.keystore.password={PASSWORD}
ssl.truststore.location={keystore}
ssl.truststore.password={PASSWORD}
ssl.endpoint.identification.algorithm=
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
"""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of somebody who may do everything on a broker that takes SASL over TLS alone."""
    folder = tmp_path_factory.mktemp("secure")
    keystore, ca = folder / "broker.p12", folder / "ca.pem"
    store = ("-keystore", str(keystore), "-storepass", PASSWORD, "-alias", "broker")
    names = ("-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1")
    subprocess.run(["keytool", "-genkeypair", "-keyalg", "RSA", *names, *store], check=True, capture_output=True)
    exported = subprocess.run(["keytool", "-exportcert", "-rfc", *store], check=True, capture_output=True)
    ca.write_bytes(exported.stdout)
    broker = Broker(folder / "state", broker_settings(keystore))
    broker.start()
    yield Settings(
        kafka=broker.address,
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="PLAIN",
        kafka_username="admin",
        kafka_password=Secret("admin-secret"),
        kafka_ca=str(ca),
        homes=2,
        lanes=2,
        state_dir=folder,
        instance="tests",
    )
    broker.close()


async def begin(settings: Settings, service: str) -> None:
    """A host that starts."""
    host = KafkaHost(settings, Limits(), service=service)
    try:
        await host.start()
    finally:
        await host.close()


async def to_its_end(doing: Coroutine[Any, Any, object]) -> None:
    """Does it, and waits for the connections that it left: TLS takes leave of its peer after the error is raised."""
    before = open_sockets()
    try:
        await doing
    finally:
        for _ in range(round(END_SECONDS_MAX / 0.01)):
            if open_sockets() <= before:
                break
            await asyncio.sleep(0.01)


def open_sockets() -> set[str]:
    """Those of this process."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # it was the listing's own
            found.add(str(entry.readlink()))
    return {link for link in found if link.startswith("socket:")}


def test_all_services_work_over_tls_with_a_user(admin: Settings, tmp_path: Path) -> None:
    """Topics are made, and each service, Faust's clients too, gets its partitions; the password may stand in a file."""
    password = tmp_path / "password"
    password.write_text("admin-secret\n")
    mine = msgspec.structs.replace(admin, kafka_password=Secret(), kafka_password_file=str(password))
    asyncio.run(making.make_topics(mine, Limits()))
    for service in ("scheduler", "item_reader", "child_runner", "maprun_tracker"):
        process, log = started(service, mine, tmp_path)
        process.terminate()
        assert process.wait(END_SECONDS_MAX) == 0, log.read_text()[-3000:]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kafka_password": Secret("wrong")}, "refuses the user 'admin'.*MAPRUN_KAFKA_USERNAME"),
        ({"kafka_sasl_mechanism": "SCRAM-SHA-512"}, "refuses the user 'admin'.*_SASL_MECHANISM"),
        ({"kafka_ca": ""}, "is not trusted.*MAPRUN_KAFKA_CA"),
        ({"kafka_ca": "/nowhere.pem"}, "/nowhere.pem.*can't be used|can't be used.*/nowhere.pem"),
    ],
)
def test_a_wrong_login_is_told_apart_from_a_broker_that_is_away(
    admin: Settings, changed: dict[str, Any], said: str
) -> None:
    """Makers and services end with what is wrong, and without the password."""
    mine = msgspec.structs.replace(admin, **changed)
    for wrong in (lambda: making.make_topics(mine, Limits()), lambda: begin(mine, "scheduler")):
        with pytest.raises(SetupError, match=said) as raised:
            asyncio.run(to_its_end(wrong()))
        assert "secret" not in str(raised.value)


def test_who_may_nothing_hears_of_each_right(admin: Settings) -> None:
    """The maker misses Write and Create, a service the rights on topics that are there."""
    may_nothing = {"kafka_username": "maprun", "kafka_password": Secret("maprun-secret")}
    mine = msgspec.structs.replace(admin, prefix="rights.", **may_nothing)
    with pytest.raises(SetupError, match=r"Write on the topics under 'rights\.', and Create"):
        asyncio.run(to_its_end(making.make_topics(mine, Limits())))
    asyncio.run(making.make_topics(msgspec.structs.replace(admin, prefix="rights."), Limits()))
    with pytest.raises(NotAllowedError, match=r"does not allow this client: Describe on rights\.execution-requests, "):
        asyncio.run(to_its_end(begin(mine, "child-runner")))


def test_a_look_names_rights_and_login(admin: Settings) -> None:
    """What `maprun doctor` says to a user who may nothing, to one with a wrong password, and to one who may do all."""

    def wrong(mine: Settings) -> dict[str, str]:
        found: list[Finding] = []

        async def look() -> None:
            found.extend(await look_at_kafka(mine, Limits()))

        asyncio.run(to_its_end(look()))
        assert "secret" not in str(found)
        return {each.check: each.said for each in found if each.state == "wrong"}

    mine = msgspec.structs.replace(admin, prefix="looked.")
    asyncio.run(making.make_topics(mine, Limits()))
    assert wrong(mine) == {}
    may_nothing = {"kafka_username": "maprun", "kafka_password": Secret("maprun-secret")}
    told = wrong(msgspec.structs.replace(mine, **may_nothing))
    assert "scheduler" in told["rights on topics"]
    assert "Describe on looked." in told["rights on topics"]
    assert "Read on the groups looked.scheduler" in told["rights on groups"]
    assert wrong(msgspec.structs.replace(mine, kafka_password=Secret("wrong"))).keys() == {"login"}


def test_no_broker_is_no_wrong_login(admin: Settings) -> None:
    """A broker that isn't there yet is waited for, whatever the login."""
    with pytest.raises(BusError):
        asyncio.run(making.make_topics(msgspec.structs.replace(admin, kafka="127.0.0.1:1"), Limits()))
