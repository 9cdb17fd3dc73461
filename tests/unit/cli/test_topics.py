"""`maprun topics` without a Kafka: the plan for an empty one, and what is said when none answers."""

import json

import pytest
from click.testing import CliRunner, Result

from maprun.cli import main
from schemas.topics import TOPICS


def run(*arguments: str, **environment: str) -> Result:
    """The command line with these arguments, in a process environment of its own."""
    given = {"MAPRUN_KAFKA": "127.0.0.1:1", "MAPRUN_KAFKA_REQUEST_TIMEOUT_SECONDS": "1", **environment}
    return CliRunner().invoke(main, ("topics", *arguments), env=given)


def test_a_plan_shows_topics_and_rights() -> None:
    """For a Kafka that needs not be there: each topic, what all have in common once, and who needs which right."""
    result = run("plan", "--brokers", "3", MAPRUN_PREFIX="p.", MAPRUN_KAFKA_DURABILITY="disk")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert sum(line.startswith("p.") and " to make " in line for line in lines) == len(TOPICS)
    assert "all topics: max.message.bytes=10485760 min.insync.replicas=2 unclean.leader.election.enable=false" in lines
    assert any(line.startswith("child-runner") and "Delete" in line and "p.lane-journal" in line for line in lines)
    assert f"to make: {len(TOPICS)}, to mend: 0" in result.stderr


def test_a_plan_in_json_has_all_of_it() -> None:
    """Programs find the same as people."""
    answer = json.loads(run("plan", "--brokers", "2", "--json", MAPRUN_RECORD_BYTES_MAX="8388608").stdout)
    assert (answer["settled"], answer["brokers"], answer["prefix"]) == (False, 2, "maprun.")
    home = next(topic for topic in answer["topics"] if topic["name"] == "maprun.home")
    assert (home["partitions"], home["copies"], home["there"]) == (4, 2, False)
    assert home["config"]["max.message.bytes"] == "8388608"
    assert {right["who"] for right in answer["rights"]} >= {"scheduler", "item-reader", "child-runner", "apply"}


def test_commands_are_for_the_principals_that_are_named() -> None:
    """One for all, or others for some; somebody unknown is refused."""
    script = run("plan", "--brokers", "1", "--commands", "--principal", "User:all", "--principal", "scheduler=User:s")
    lines = script.stdout.splitlines()
    assert sum(line.startswith("kafka-topics ") for line in lines) == len(TOPICS)
    rights = [line for line in lines if line.startswith("kafka-acls ")]
    assert len([line for line in rights if "User:s " in line]) == 4
    assert all("User:s " in line or "User:all " in line for line in rights)
    assert not any("--operation Delete --resource-pattern-type prefixed" in line for line in rights)
    assert run("plan", "--brokers", "1", "--principal", "nobody=User:x").exit_code == 2


@pytest.mark.parametrize("command", ["plan", "apply", "check"])
def test_a_kafka_that_is_not_there_is_exit_code_3(command: str) -> None:
    """Said in one line with its address."""
    result = run(command)
    assert result.exit_code == 3
    assert "Kafka at 127.0.0.1:1" in result.stderr


def test_what_a_person_must_mend_is_exit_code_78() -> None:
    """A file of authorities that isn't there is none of Kafka's troubles."""
    result = run("check", MAPRUN_KAFKA_SECURITY_PROTOCOL="SSL", MAPRUN_KAFKA_CA="/nowhere.pem")
    assert result.exit_code == 78
    assert "/nowhere.pem" in result.stderr
