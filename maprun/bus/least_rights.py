"""The least rights with which each service works on a Kafka with an authorizer: as a table, and as commands. Pure."""

import shlex
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from maprun.bus.planning import Plan
from maprun.bus.rights import needed
from maprun.runtime.settings import Settings
from schemas.groups import GROUPS
from schemas.topics import ALL_SERVICES, CLUSTER, TOPICS

APPLY = "apply"
"""Who runs `maprun topics`."""
BEGIN_ANEW = "begin-anew"
"""Who may delete all executions by `maprun topics apply --begin-anew`."""
USER = "user"
"""Who starts executions by a topic and reads what became of them; those who use the API alone need nothing."""


class Right(msgspec.Struct, frozen=True):
    """Operations (in Kafka's words) that somebody may do on some topics or groups, by their names on Kafka."""

    who: str  # a service, USER, APPLY or BEGIN_ANEW
    operations: tuple[str, ...]
    kind: Literal["topic", "group"]
    names: tuple[str, ...]
    prefixed: bool = False  # all whose names begin so
    note: str = ""


def least_rights(settings: Settings) -> list[Right]:
    """All rights, in the order of the services."""
    prefix = settings.prefix
    rights: list[Right] = []
    for service in (*ALL_SERVICES, USER):
        by_operation: dict[str, list[str]] = {}
        for topic in TOPICS:
            for operation in needed(topic, service) - {"Describe"}:
                by_operation.setdefault(operation, []).append(prefix + topic.name)
        trimmed = [prefix + topic.name for topic in TOPICS if service in topic.trimmed_by]
        groups = [prefix + group.name for group in GROUPS if group.service == service]
        if service != USER:
            rights.append(Right(service, ("Describe",), "topic", (prefix,), prefixed=True))
        rights += [Right(service, (each,), "topic", tuple(by_operation[each])) for each in sorted(by_operation)]
        if trimmed:
            note = "without it nothing is trimmed, and the disk fills"
            rights.append(Right(service, ("Delete",), "topic", tuple(trimmed), note=note))
        if groups:
            rights.append(Right(service, ("Read",), "group", tuple(groups)))
    asked = ("Create", "Describe", "DescribeConfigs", "AlterConfigs")
    rights.append(Right(APPLY, asked, "topic", (prefix,), prefixed=True))
    rights.append(Right(APPLY, ("Read", "Write"), "topic", (prefix + CLUSTER.name,)))
    rights.append(Right(BEGIN_ANEW, ("Delete",), "topic", (prefix,), prefixed=True))
    return rights


def topic_commands(plan: Plan, servers: str) -> list[str]:
    """`kafka-topics` commands that make what lacks; `maprun topics apply --adopt` then takes it as maprun's."""
    commands = []
    for topic in plan.topics:
        if topic.there:
            continue
        copies = () if topic.copies < 0 else ("--replication-factor", str(topic.copies))
        configs = [part for name, value in topic.config.items() for part in ("--config", f"{name}={value}")]
        given = ("--topic", topic.name, "--partitions", str(topic.partitions), *copies, *configs)
        commands.append(_line("kafka-topics", servers, "--create", "--if-not-exists", *given))
    return commands


def right_commands(rights: Iterable[Right], principals: Mapping[str, str], servers: str) -> list[str]:
    """`kafka-acls` commands that give rights to those who have a principal (who → `User:name`)."""
    return [
        _line(
            "kafka-acls",
            servers,
            "--add",
            "--allow-principal",
            principals[right.who],
            *(part for operation in right.operations for part in ("--operation", operation)),
            *(("--resource-pattern-type", "prefixed") if right.prefixed else ()),
            *(part for name in right.names for part in (f"--{right.kind}", name)),
        )
        for right in rights
        if right.who in principals
    ]


def _line(tool: str, servers: str, *arguments: str) -> str:
    return shlex.join((tool, "--bootstrap-server", servers, *arguments))
