"""The settings of topics that are ours, compared with what they must be; some mended, all others said."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from maprun.bus import topics
from maprun.bus.topics import CLUSTER_SETTING, FLUSH, MUST, Wanted
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


class Difference(msgspec.Struct, frozen=True):
    """A setting of a topic that is not what it is asked to be, and what follows from that.

    `mended`: it is set, for correctness hangs on it. `kept`: it is the operator's. `refused`: a person must decide.
    """

    setting: str
    stands: str
    asked: str
    action: Literal["mended", "kept", "refused"]


class Judged(msgspec.Struct):
    """What came of comparing topics' settings."""

    changed: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)  # topic → all overrides it is to have
    warnings: list[str] = msgspec.field(default_factory=list)


def differences(topic: Wanted, stands: Mapping[str, Setting]) -> list[Difference]:
    """In what the settings of a topic differ. A setting that isn't told differs in nothing."""
    found = []
    for name, asked in topic.config.items():
        setting = stands.get(name)
        if setting is None or setting.value == asked:
            continue
        action: Literal["mended", "kept", "refused"] = "mended" if name in MUST else "kept"
        if name == RECORD_BYTES:
            if int(setting.value) > int(asked):
                continue  # room that nobody uses
            if setting.source == OVERRIDE:
                action = "refused"  # somebody made it smaller: it is not for us to raise it
        found.append(Difference(name, setting.value, asked, action))
    return found


def judge(wanted: Sequence[Wanted], found: Mapping[str, Mapping[str, Setting]]) -> Judged:
    """Compares settings. Raises SetupError where records that are allowed would be refused by an operator's will."""
    judged = Judged(warnings=warnings_of(wanted, found))
    small = []
    for topic in wanted:
        stands = found[topic.name]
        differing = differences(topic, stands)
        small += [f"{topic.name} ({each.stands})" for each in differing if each.action == "refused"]
        mended = {each.setting: each.asked for each in differing if each.action == "mended"}
        if mended:
            # The request replaces all overrides of a topic, so those that stay are said again.
            kept = {name: setting.value for name, setting in stands.items() if setting.source == OVERRIDE}
            judged.changed[topic.name] = {**kept, **mended}
    if small:
        raise SetupError(
            f"max.message.bytes of {', '.join(small)} is below MAPRUN_RECORD_BYTES_MAX"
            f" ({wanted[0].config[RECORD_BYTES]}): lower the one or raise the other"
        )
    return judged


def warnings_of(wanted: Sequence[Wanted], found: Mapping[str, Mapping[str, Setting]]) -> list[str]:
    """What the operator should know of settings that are left to him."""
    warnings = []
    flushed = []
    for topic in wanted:
        stands = found.get(topic.name, {})
        kept_ms, asked_ms = int(stands[RETENTION].value) if RETENTION in stands else -1, int(topic.config[RETENTION])
        if topic.keeps and 0 <= kept_ms < asked_ms:
            warnings.append(
                f"topic {topic.name} has {RETENTION}={kept_ms}, MAPRUN_RETENTION_DAYS asks for {asked_ms}: what is"
                " deleted earlier is missing in histories"
            )
        if FLUSH in stands and FLUSH not in topic.config and stands[FLUSH].value == "1":
            flushed.append(topic.name)
    if flushed:
        warnings.append(
            f"each record of {', '.join(flushed)} is flushed to disk ({FLUSH}=1), which MAPRUN_KAFKA_DURABILITY"
            " does not ask for: it is left so, and takes its time"
        )
    return warnings


class Configs:
    """The settings of one cluster's topics."""

    def __init__(self, admin: AIOKafkaAdminClient, settings: Settings, limits: Limits) -> None:
        self._admin = admin
        self._settings = settings
        self._limits = limits

    async def made_by_us(self) -> bool:
        """Whether a topic `cluster` that holds nothing was made by a maker who got no further."""
        found, _ = await self.found([self._settings.prefix + CLUSTER.name])
        settings = next(iter(found.values()), {})
        return all(name in settings and settings[name].value == value for name, value in CLUSTER_SETTING.items())

    async def judged(self, existing: Sequence[Topic]) -> Judged:
        """How settings compare with what they must be. Raises SetupError as `judge` does."""
        wanted = topics.wanted(self._settings, self._limits, topics=existing)
        found, hidden = await self.found([topic.name for topic in wanted])
        judged = judge([topic for topic in wanted if topic.name in found], found)
        if hidden:
            judged.warnings.append(hidden_settings(hidden))
        return judged

    async def mend(self, existing: Sequence[Topic]) -> Judged:
        """Brings settings in line where they must be; what was changed, and what the operator should know."""
        if not existing:
            return Judged()
        judged = await self.judged(existing)
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, new) for name, new in judged.changed.items()]
        refused = []
        for answer in await self._admin.alter_configs(resources) if resources else ():
            for code, said, _, name in answer.resources:
                if code:
                    refused.append(f"{name} ({for_code(code).__name__} {said or ''})")
        if refused:
            raise SetupError(f"settings of topics must be mended and Kafka refuses it: {', '.join(refused)}")
        return judged

    async def found(self, names: Sequence[str]) -> tuple[dict[str, dict[str, Setting]], list[str]]:
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


def hidden_settings(names: Sequence[str]) -> str:
    """What to say of topics whose settings this client may not see."""
    return f"the settings of {', '.join(names)} can't be checked: it takes DescribeConfigs"
