"""The least rights of each service: what it reads, writes and trims, and nothing else."""

import re

from maprun.bus.least_rights import APPLY, BEGIN_ANEW, USER, least_rights, right_commands, topic_commands
from maprun.bus.planning import plan_unasked
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.groups import GROUPS
from schemas.topics import ALL_SERVICES, TOPICS

SETTINGS = Settings(prefix="p.")
RIGHTS = least_rights(SETTINGS)


def names(who: str, operation: str, kind: str = "topic") -> set[str]:
    """On what somebody has a right by name."""
    return {
        name
        for right in RIGHTS
        if (right.who, right.kind, right.prefixed) == (who, kind, False) and operation in right.operations
        for name in right.names
    }


def test_a_service_may_do_what_the_registry_says_and_no_more() -> None:
    """Read where it reads, Write where it writes, Delete where it trims, Read on its groups, Describe on all."""
    for service in ALL_SERVICES:
        assert names(service, "Read") == {f"p.{topic.name}" for topic in TOPICS if service in topic.readers}
        assert names(service, "Write") == {f"p.{topic.name}" for topic in TOPICS if service in topic.writers}
        assert names(service, "Delete") == {f"p.{topic.name}" for topic in TOPICS if service in topic.trimmed_by}
        assert names(service, "Read", "group") == {f"p.{group.name}" for group in GROUPS if group.service == service}
        assert [right.operations for right in RIGHTS if right.who == service and right.prefixed] == [("Describe",)]


def test_only_who_applies_may_make_and_only_who_begins_anew_may_delete_all() -> None:
    """Nobody who runs all the time may do either."""
    prefixed = {right.who: right.operations for right in RIGHTS if right.prefixed and right.who not in ALL_SERVICES}
    assert prefixed == {APPLY: ("Create", "Describe", "DescribeConfigs", "AlterConfigs"), BEGIN_ANEW: ("Delete",)}
    assert names(APPLY, "Read") == names(APPLY, "Write") == {"p.cluster"}
    assert names(USER, "Write") == {"p.execution-requests"}


def test_commands_are_for_those_who_have_a_principal() -> None:
    """Others get nothing, and a name with a space stays one word of the shell."""
    lines = right_commands(RIGHTS, {"item-reader": "User:CN=item reader"}, "k:1")
    assert len(lines) == 4
    assert all(
        line.startswith("kafka-acls --bootstrap-server k:1 --add --allow-principal 'User:CN=item reader'")
        for line in lines
    )
    assert lines[0].endswith(" --operation Describe --resource-pattern-type prefixed --topic p.")
    assert lines[-1].endswith(" --operation Read --group p.item-reader")


def test_topics_are_made_by_commands_as_they_would_be_by_apply() -> None:
    """One command a topic; a number of copies that is the cluster's own is not named."""
    asked = plan_unasked(SETTINGS, Limits(), 3)
    lines = topic_commands(asked, "k:1")
    assert len(lines) == len(TOPICS)
    home = next(line for line in lines if " p.home " in line)
    assert " --partitions 4 --replication-factor 3 " in home
    assert set(re.findall(r"--config (\S+)", home)) == {
        f"{name}={value}" for topic in asked.topics if topic.name == "p.home" for name, value in topic.config.items()
    }
    own = plan_unasked(Settings(prefix="p.", replicas=-1), Limits(), 3)
    assert "--replication-factor" not in "".join(topic_commands(own, "k:1"))
