"""TLS and SASL on a real broker that takes nothing else, with an authorizer: who may, who may not, and what is said."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from maprun.bus import making, planning
from maprun.bus.checkup import look_at_kafka
from maprun.bus.kafka import KafkaHost
from maprun.bus.least_rights import APPLY, least_rights
from maprun.bus.port import BusError, Outgoing
from maprun.bus.rights import NotAllowedError
from maprun.runtime.checkup import Finding
from maprun.runtime.kafka_access import KafkaAccess, Secret
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings
from schemas.topics import TOPICS
from tests.integration.bus.broker import Broker
from tests.integration.bus.secured import Certificates, give, make_certificates, take
from tests.integration.bus.test_living_services import SERVICES, started

pytestmark = pytest.mark.integration
END_SECONDS_MAX = 60.0
NOBODY = {"username": "maprun", "password": Secret("maprun-secret")}
STRANGER = {"username": "stranger", "password": Secret("stranger-secret")}
"""Whom no test gives a right."""
SCRAM = {"username": "scram", "password": Secret("scram-secret")}
CLAIMS = {"sub": "token", "iat": 0, "exp": 4_000_000_000}
TOKEN = {"mechanism": "OAUTHBEARER", "username": "", "password": Secret()}


class Secured(msgspec.Struct, frozen=True):
    """A broker that takes SASL over TLS, and certificates beside; it allows nobody what no ACL allows."""

    admin: Settings  # of somebody who may do everything
    certified: Settings  # the same, for a client with a certificate


def changed(settings: Settings, **access: Any) -> Settings:
    """The same Kafka for another client."""
    return msgspec.structs.replace(settings, access=msgspec.structs.replace(settings.access, **access))


def unsigned(claims: dict[str, Any]) -> str:
    """A token that the broker takes without a signature."""
    parts = (json.dumps(each).encode() for each in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def broker_settings(certificates: Certificates, port: int, certified: int) -> str:
    """A listener of SASL over TLS with every mechanism, and one that asks for certificates."""
    users = " ".join(f'user_{name}="{name}-secret"' for name in ("admin", "maprun", "operator", "stranger", *SERVICES))
    login = "org.apache.kafka.common.security"
    return f"""
listeners=PLAINTEXT://127.0.0.1:{port},OUTSIDE://127.0.0.1:{certified},CONTROLLER://127.0.0.1:{port + 1}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},OUTSIDE://127.0.0.1:{certified}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL,OUTSIDE:SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config={login}.plain.PlainLoginModule required \
 username="admin" password="admin-secret" {users};
listener.name.plaintext.scram-sha-256.sasl.jaas.config={login}.scram.ScramLoginModule required;
listener.name.plaintext.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;
listener.name.plaintext.oauthbearer.sasl.jaas.config={login}.oauthbearer.OAuthBearerLoginModule required \
 unsecuredLoginStringClaim_sub="broker";
listener.name.outside.ssl.client.auth=required
super.users=User:admin;User:ANONYMOUS;User:scram;User:token;User:CN=client
{certificates.of_broker}"""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One that runs."""
    folder = tmp_path_factory.mktemp("secure")
    certificates = make_certificates(folder)
    broker = Broker(folder / "state")
    certified = broker.port + 2
    broker.settings = broker_settings(certificates, broker.port, certified)
    scram = [f"SCRAM-SHA-{bits}=[name=scram,password=scram-secret]" for bits in (256, 512)]
    broker.formatted_with = [part for each in scram for part in ("--add-scram", each)]
    broker.start()
    ca, cert, key = str(certificates.ca), str(certificates.client), str(certificates.client_key)
    login = KafkaAccess(
        protocol="SASL_SSL", mechanism="PLAIN", username="admin", password=Secret("admin-secret"), ca=ca
    )
    admin = Settings(kafka=broker.address, access=login, homes=2, lanes=2, state_dir=folder, instance="tests")
    yield Secured(
        admin,
        msgspec.structs.replace(
            admin, kafka=f"127.0.0.1:{certified}", access=KafkaAccess(protocol="SSL", ca=ca, cert=cert, key=key)
        ),
    )
    broker.close()


@pytest.fixture
def admin(secured: Secured) -> Settings:
    """Settings of somebody who may do everything."""
    return secured.admin


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
    mine = changed(admin, password=Secret(), password_file=str(password))
    asyncio.run(making.make_topics(mine, Limits()))
    for service in SERVICES:
        process, log = started(service, mine, tmp_path)
        process.terminate()
        assert process.wait(END_SECONDS_MAX) == 0, log.read_text()[-3000:]


@pytest.mark.parametrize(
    ("makes", "serves"),
    [
        ({"mechanism": "SCRAM-SHA-256", **SCRAM}, {"mechanism": "SCRAM-SHA-512", **SCRAM}),
        ({**TOKEN, "token_command": f"echo {unsigned(CLAIMS)}"},) * 2,
    ],
    ids=["SCRAM", "OAUTHBEARER"],
)
def test_every_mechanism_serves_makers_the_bus_and_faust(
    admin: Settings, makes: dict[str, Any], serves: dict[str, Any], tmp_path: Path
) -> None:
    """SCRAM of both lengths, and tokens: a tracker has all kinds of clients."""
    mine = msgspec.structs.replace(admin, prefix=f"{makes['mechanism']}.")
    asyncio.run(making.make_topics(changed(mine, **makes), Limits()))
    process, log = started("maprun_tracker", changed(mine, **serves), tmp_path)
    process.terminate()
    assert process.wait(END_SECONDS_MAX) == 0, log.read_text()[-3000:]


def test_a_certificate_says_who_a_client_is(secured: Secured) -> None:
    """MAPRUN_KAFKA_CERT and _KEY over TLS alone; without them the broker takes nobody."""
    mine = msgspec.structs.replace(secured.certified, prefix="certified.")
    asyncio.run(making.make_topics(mine, Limits()))
    asyncio.run(to_its_end(begin(mine, "scheduler")))
    with pytest.raises((BusError, SetupError)):
        asyncio.run(to_its_end(making.make_topics(changed(mine, cert="", key=""), Limits())))


def test_services_work_with_the_rights_that_are_planned_and_no_others(admin: Settings, tmp_path: Path) -> None:
    """Each as a user of its own, and who applies too, who may begin nothing anew."""
    mine = msgspec.structs.replace(admin, prefix="least.")
    names = {service.replace("_", "-"): service for service in SERVICES}
    give(admin, least_rights(mine), {APPLY: "User:operator"} | {who: f"User:{name}" for who, name in names.items()})
    applies = changed(mine, username="operator", password=Secret("operator-secret"))
    assert len(asyncio.run(making.make_topics(applies, Limits())).topics) == len(TOPICS) - 1
    assert asyncio.run(planning.plan_topics(applies, Limits())).settled
    with pytest.raises(SetupError, match="refuses to delete least"):
        asyncio.run(making.make_topics(applies, Limits(), begin_anew=True))
    for name in names.values():
        process, log = started(name, changed(mine, username=name, password=Secret(f"{name}-secret")), tmp_path)
        process.terminate()
        assert process.wait(END_SECONDS_MAX) == 0, log.read_text()[-3000:]
        assert "AuthorizationFailed" not in log.read_text()


def test_a_right_that_is_taken_away_is_named_while_it_is_away(admin: Settings) -> None:
    """A living service says which topic and right; given back, it is ready again. One it doesn't need is no matter."""
    mine = msgspec.structs.replace(admin, prefix="taken.")
    asyncio.run(making.make_topics(mine, Limits()))
    rights = least_rights(mine)
    give(admin, rights, {"item-reader": "User:maprun"})

    async def work() -> None:
        host = KafkaHost(changed(mine, **NOBODY), Limits(), service="item-reader")
        try:
            await host.start()
            await until(lambda: not host.ready())
            await take(admin, "taken.items", "User:maprun", "Write")
            await until(lambda: "does not allow this client: Write on taken.items. Give it" in host.ready())
            await asyncio.to_thread(give, admin, rights, {"item-reader": "User:maprun"})
            await until(lambda: not host.ready())
        finally:
            await host.close()

    asyncio.run(to_its_end(work()))


def test_records_that_may_not_be_deleted_stay_and_are_counted(admin: Settings) -> None:
    """Without Delete a lane goes on."""
    mine = msgspec.structs.replace(admin, prefix="stays.")
    asyncio.run(making.make_topics(mine, Limits()))
    give(admin, least_rights(mine), {"child-runner": "User:maprun"})

    async def work() -> None:
        host = KafkaHost(changed(mine, **NOBODY), Limits(), service="child-runner")
        try:
            await take(admin, "stays.lane-journal", "User:maprun", "Delete")
            await host.start()
            port = host.port()
            await port.send([Outgoing("lane-journal", 0, b"x") for _ in range(3)])
            await port.trim("lane-journal", 0, 2)
            assert await port.start_offset("lane-journal", 0) == 0
            assert host.fetcher.figures.trims_refused == 1
        finally:
            await host.close()

    asyncio.run(to_its_end(work()))


async def until(holds: Callable[[], bool]) -> None:
    """Waits until this holds."""
    for _ in range(round(END_SECONDS_MAX / 0.05)):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came")


@pytest.mark.parametrize(
    ("wrongly", "said"),
    [
        ({"password": Secret("wrong")}, "refuses the user 'admin'.*MAPRUN_KAFKA_USERNAME"),
        ({"mechanism": "SCRAM-SHA-512"}, "refuses the user 'admin'.*_SASL_MECHANISM"),
        ({**TOKEN, "token_command": "echo nonsense"}, "refuses this client's token.*MAPRUN_KAFKA_TOKEN_COMMAND"),
        ({"ca": ""}, "is not trusted.*MAPRUN_KAFKA_CA"),
        ({"ca": "/nowhere.pem"}, "/nowhere.pem.*can't be used|can't be used.*/nowhere.pem"),
    ],
)
def test_a_wrong_login_is_told_apart_from_a_broker_that_is_away(
    admin: Settings, wrongly: dict[str, Any], said: str
) -> None:
    """Makers and services end with what is wrong, and without the password."""
    mine = changed(admin, **wrongly)
    for wrong in (lambda: making.make_topics(mine, Limits()), lambda: begin(mine, "scheduler")):
        with pytest.raises(SetupError, match=said) as raised:
            asyncio.run(to_its_end(wrong()))
        assert "secret" not in str(raised.value)


def test_who_may_nothing_hears_of_each_right(admin: Settings) -> None:
    """The maker misses Write and Create, a service the rights on topics that are there."""
    mine = msgspec.structs.replace(changed(admin, **STRANGER), prefix="rights.")
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
    told = wrong(changed(mine, **STRANGER))
    assert "scheduler" in told["rights on topics"]
    assert "Describe on looked." in told["rights on topics"]
    assert "Read on the groups looked.scheduler" in told["rights on groups"]
    assert wrong(changed(mine, password=Secret("wrong"))).keys() == {"login"}


def test_no_broker_is_no_wrong_login(admin: Settings) -> None:
    """A broker that isn't there yet is waited for, whatever the login."""
    with pytest.raises(BusError):
        asyncio.run(making.make_topics(msgspec.structs.replace(admin, kafka="127.0.0.1:1"), Limits()))
