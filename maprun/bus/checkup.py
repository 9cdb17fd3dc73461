"""A look at the configured Kafka that changes nothing: brokers, login, topics and their settings, rights, groups."""

from collections.abc import Mapping

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError, KafkaError, for_code

from maprun.bus import topics
from maprun.bus.cluster import look
from maprun.bus.configs import Configs
from maprun.bus.fetcher import Fetcher
from maprun.bus.limits import bus_limits_of
from maprun.bus.mark import require
from maprun.bus.port import BusError
from maprun.bus.quiet import never_make_topics, unsaid_by_aiokafka
from maprun.bus.rights import NotAllowedError, require_rights
from maprun.bus.security import client_options, require_welcome
from maprun.bus.standing import topics_as_they_stand
from maprun.bus.topics import Standing
from maprun.runtime.checkup import Finding, Findings
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings
from schemas.groups import CHILD_RUNNER_LOGS, GROUPS
from schemas.topics import ALL_SERVICES, TOPICS

SEE = "docs/kafka.md says more"
SMALL = "lower MAPRUN_RECORD_BYTES_MAX for all services, or raise max.message.bytes of these topics"
_SESSION = ("group.min.session.timeout.ms", "group.max.session.timeout.ms")


async def look_at_kafka(settings: Settings, limits: Limits) -> list[Finding]:
    """What is found of the Kafka of these settings. Nothing is written, made or altered."""
    found = Findings("kafka")
    never_make_topics()
    with unsaid_by_aiokafka():  # what goes wrong is told here
        await _look(settings, limits, found)
    return found.found


async def _look(settings: Settings, limits: Limits, found: Findings) -> None:
    try:
        options = {
            "bootstrap_servers": settings.kafka,
            "client_id": f"{settings.prefix}doctor",
            **client_options(settings),
        }
    except SetupError as error:
        found.wrong("login", str(error), "look at MAPRUN_KAFKA_CA, _CERT, _KEY and _PASSWORD_FILE")
        return
    client = AIOKafkaClient(**options)
    admin = AIOKafkaAdminClient(**options)
    try:
        if await _reached(client, settings, found):
            await admin.start()
            await _Look(client, admin, settings, limits, found).all()
    except (KafkaError, BusError, OSError) as error:
        found.wrong("answers", f"Kafka at {settings.kafka} broke off: {error}", "look at the brokers' logs")
    finally:
        await admin.close()
        await client.close()


async def _reached(client: AIOKafkaClient, settings: Settings, found: Findings) -> bool:
    try:
        await client.bootstrap()
    except (KafkaError, OSError) as error:
        try:
            await require_welcome(settings)
        except SetupError as refused:
            found.wrong("login", str(refused), "the user, its password and mechanism, and MAPRUN_KAFKA_CA must fit")
            return False
        cure = "MAPRUN_KAFKA names the brokers; `maprun up` starts one here"
        if settings.access.protocol != "PLAINTEXT":
            cure += f"; do they take {settings.access.protocol} on this port?"
        found.wrong("brokers", f"no broker of {settings.kafka} can be reached: {error}", cure)
        return False
    return True


class _Look:
    """One look, with its connections."""

    def __init__(
        self,
        client: AIOKafkaClient,
        admin: AIOKafkaAdminClient,
        settings: Settings,
        limits: Limits,
        found: Findings,
    ) -> None:
        self._client = client
        self._admin = admin
        self._settings = settings
        self._limits = limits
        self._found = found

    async def all(self) -> None:
        """Everything that can be looked at without changing it."""
        self._brokers(await self._admin.describe_cluster())
        await self._session_timeout()
        names = [self._settings.prefix + topic.name for topic in TOPICS]
        stands = await topics_as_they_stand(self._client, names)
        allowed = self._rights(stands)
        if allowed and await self._topics():
            await self._configs(stands)
            self._leaders(stands)
        await self._groups()

    def _brokers(self, described: Mapping[str, object]) -> None:
        brokers = described["brokers"]
        assert isinstance(brokers, list)
        count = len(brokers)
        if count >= topics.REPLICAS:
            self._found.ok("brokers", f"{count} brokers")
            return
        copies = "1 broker: topics have 1 copy" if count == 1 else f"{count} brokers: topics have {count} copies"
        said = f"{copies}, and what the disks of all that have one lose is lost"
        self._found.note("brokers", said, "three brokers keep three copies")

    async def _session_timeout(self) -> None:
        node = self._client.get_random_node()
        resource = ConfigResource(ConfigResourceType.BROKER, str(node))
        try:
            [answer] = await self._admin.describe_configs([resource])
        except KafkaError as error:
            self._found.skipped("session timeout", f"the brokers' settings can't be read: {error!r}")
            return
        code, _, _, _, entries = answer.resources[0]
        shown = {entry[0]: entry[1] for entry in entries}
        if code or not shown.keys() >= set(_SESSION):
            self._found.skipped("session timeout", "the brokers' settings are hidden from this user")
            return
        asked = self._settings.session_timeout_seconds
        least, most = (int(shown[name]) / 1000 for name in _SESSION)
        if least <= asked <= most:
            self._found.ok("session timeout", f"{asked:g} s lies between the brokers' {least:g} and {most:g} s")
        else:
            said = f"MAPRUN_SESSION_TIMEOUT_SECONDS={asked:g} lies outside of the brokers' {least:g} to {most:g} s"
            self._found.wrong("session timeout", f"{said}: no service gets a partition", "set it within")

    def _rights(self, stands: Mapping[str, Standing]) -> bool:
        """Whether this user may do what the services must; they may have users of their own."""
        lacking: dict[str, list[str]] = {}
        for service in ("", *ALL_SERVICES):
            try:
                require_rights(self._settings, service, stands)
            except NotAllowedError as error:
                lacking.setdefault(str(error), []).append(service or "maprun topics")
        for said, services in lacking.items():
            self._found.wrong("rights on topics", f"{', '.join(services)}: {said}", SEE)
        if not lacking and stands:
            self._found.ok("rights on topics", "this user may do what each service must")
        return not lacking

    async def _topics(self) -> bool:
        """Whether the topics are there and this maprun's own."""
        own = bus_limits_of(self._limits)
        fetcher = Fetcher(self._client, self._settings.prefix, self._limits, own)
        try:
            mark, found = await look(self._client, fetcher, self._settings)
            require(self._settings, mark, found)
        except SetupError as error:
            self._found.wrong("topics", str(error), SEE)
            return False
        finally:
            await fetcher.close()
        self._found.ok("topics", f"all {len(TOPICS)} under {self._settings.prefix!r} are this maprun's own")
        return True

    async def _configs(self, stands: Mapping[str, Standing]) -> None:
        existing = [topic for topic in TOPICS if self._settings.prefix + topic.name in stands]
        try:
            judged = await Configs(self._admin, self._settings, self._limits).judged(existing)
        except SetupError as error:
            self._found.wrong("settings of topics", str(error), SMALL)
            return
        for name, changed in judged.changed.items():
            cure = "`maprun topics apply` mends it"
            self._found.wrong("settings of topics", f"{name} needs {_listed(changed)}", cure)
        for warning in judged.warnings:
            self._found.note("settings of topics", warning)
        if not judged.changed and not judged.warnings:
            self._found.ok("settings of topics", f"records of {self._limits.record_bytes_max >> 20} MiB fit")

    def _leaders(self, stands: Mapping[str, Standing]) -> None:
        without = [f"{name}/{partition}" for name, each in stands.items() for partition in each.leaderless]
        if without:
            self._found.wrong("leaders", f"no broker leads {', '.join(without)}", "start the brokers that are down")
        else:
            self._found.ok("leaders", "every partition has a broker that leads it")

    async def _groups(self) -> None:
        """Whether this user may join the services' groups, and who is in them."""
        refused, members = [], {}
        for name in (group.name for group in GROUPS if group is not CHILD_RUNNER_LOGS):  # which not every maprun has
            try:
                members[name] = await self._members(self._settings.prefix + name)
            except GroupAuthorizationFailedError:
                refused.append(self._settings.prefix + name)
        if refused:
            self._found.wrong("rights on groups", f"Read on the groups {', '.join(refused)} is refused", SEE)
        here = [f"{name} {count}" for name, count in members.items() if count]
        if here:
            self._found.ok("services", f"members of groups: {', '.join(here)}")
        elif not refused:
            self._found.note("services", "no service is a member of its group now", "`maprun up` starts them here")

    async def _members(self, group: str) -> int:
        """How many processes are in a group. Raises KafkaError."""
        try:
            [answer] = await self._admin.describe_consumer_groups([group])
        except GroupCoordinatorNotAvailableError:  # nobody ever was in a group on this Kafka
            return 0
        [(code, _, _, _, _, joined, *_)] = answer.groups
        if code:
            raise for_code(code)(group)
        return len(joined)


def _listed(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())
