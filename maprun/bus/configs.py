"""The settings of topics that are ours, compared with what they must be; some mended, all others said."""

from collections.abc import Mapping, Sequence

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from maprun.bus import topics
from maprun.bus.topics import CLUSTER_SETTING, MUST, Wanted
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings
from schemas.topics import CLUSTER, Topic

OVERRIDE = 1  # Kafka's ConfigSource for a setting of the topic itself
RECORD_BYTES = "max.message.bytes"
RETENTION = "retention.ms"


class Setting(msgspec.Struct, frozen=True):
    """One setting of a topic."""

    value: str
    source: int


class Judged(msgspec.Struct):
    """What came of comparing topics' settings."""

    changed: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)  # topic → all overrides it is to have
    warnings: list[str] = msgspec.field(default_factory=list)


def judge(wanted: Sequence[Wanted], found: Mapping[str, Mapping[str, Setting]]) -> Judged:
    """Compares settings. Raises SetupError where records that are allowed would be refused by an operator's will."""
    judged = Judged()
    small = []
    for topic in wanted:
        stands = found[topic.name]
        must = {name: topic.config[name] for name in MUST if name in stands}
        least = stands.get(RECORD_BYTES)
        if least is not None and int(least.value) < int(topic.config[RECORD_BYTES]) and least.source == OVERRIDE:
            small.append(f"{topic.name} ({least.value})")  # somebody made it smaller: it is not for us to raise it
        if least is not None and int(least.value) > int(topic.config[RECORD_BYTES]):
            must.pop(RECORD_BYTES, None)  # room that nobody uses
        if any(stands[name].value != value for name, value in must.items()):
            # The request replaces all overrides of a topic, so those that stay are said again.
            kept = {name: setting.value for name, setting in stands.items() if setting.source == OVERRIDE}
            judged.changed[topic.name] = {**kept, **must}
        kept_ms, asked_ms = int(stands[RETENTION].value) if RETENTION in stands else -1, int(topic.config[RETENTION])
        if topic.keeps and 0 <= kept_ms < asked_ms:
            judged.warnings.append(
                f"topic {topic.name} has {RETENTION}={kept_ms}, MAPRUN_RETENTION_DAYS asks for {asked_ms}: what is"
                " deleted earlier is missing in histories"
            )
    if small:
        raise SetupError(
            f"max.message.bytes of {', '.join(small)} is below MAPRUN_RECORD_BYTES_MAX"
            f" ({wanted[0].config[RECORD_BYTES]}): lower the one or raise the other"
        )
    return judged


class Configs:
    """The settings of one cluster's topics."""

    def __init__(self, admin: AIOKafkaAdminClient, settings: Settings, limits: Limits) -> None:
        self._admin = admin
        self._settings = settings
        self._limits = limits

    async def made_by_us(self) -> bool:
        """Whether a topic `cluster` that holds nothing was made by a maker who got no further."""
        found, _ = await self._found([self._settings.prefix + CLUSTER.name])
        settings = next(iter(found.values()), {})
        return all(name in settings and settings[name].value == value for name, value in CLUSTER_SETTING.items())

    async def judged(self, existing: Sequence[Topic]) -> Judged:
        """How settings compare with what they must be. Raises SetupError as `judge` does."""
        wanted = topics.wanted(self._settings, self._limits, topics=existing)
        found, hidden = await self._found([topic.name for topic in wanted])
        judged = judge([topic for topic in wanted if topic.name in found], found)
        if hidden:
            judged.warnings.append(f"the settings of {', '.join(hidden)} can't be checked: it takes DescribeConfigs")
        return judged

    async def mend(self, existing: Sequence[Topic]) -> list[str]:
        """Brings settings in line where they must be; what the operator should know."""
        if not existing:
            return []
        judged = await self.judged(existing)
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, new) for name, new in judged.changed.items()]
        refused = []
        for answer in await self._admin.alter_configs(resources) if resources else ():
            for code, said, _, name in answer.resources:
                if code:
                    refused.append(f"{name} ({for_code(code).__name__} {said or ''})")
        if refused:
            raise SetupError(f"settings of topics must be mended and Kafka refuses it: {', '.join(refused)}")
        return judged.warnings

    async def _found(self, names: Sequence[str]) -> tuple[dict[str, dict[str, Setting]], list[str]]:
        """Settings by topic, and the topics whose settings are hidden from this client."""
        found: dict[str, dict[str, Setting]] = {}
        hidden = []
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        for answer in await self._admin.describe_configs(asked):
            for code, _, _, name, entries in answer.resources:
                if code:
                    hidden.append(name)
                else:
                    found[name] = {entry[0]: Setting(entry[1], entry[3]) for entry in entries}
        return found, hidden
