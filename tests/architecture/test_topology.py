"""Services are coupled by topics, not by imports: the registry, the services and docker-compose.yml say the same."""

import importlib
import re
from types import ModuleType

import pytest
import yaml

from maprun.runtime import settings
from schemas import topics
from schemas.reports import OWNED_TOPICS
from tests.architecture.sources import ROOT

SERVICES = ("scheduler", "item-reader", "child-runner", "maprun-tracker")
FILES = ("__init__.py", "__main__.py", "topology.py")
DECIDERS = ("handlers.py", "lane.py")
MAIN_LINES_MAX = 60


def topology(service: str) -> ModuleType:
    """The topology module of a service."""
    return importlib.import_module(f"services.{service.replace('-', '_')}.topology")


def test_every_message_travels_on_exactly_one_topic() -> None:
    """No message type is listed on two topics."""
    seen: dict[type, str] = {}
    twice = []
    for topic in topics.TOPICS:
        for message in topic.messages:
            if message in seen:
                twice.append((message.__name__, seen[message], topic.name))
            seen[message] = topic.name
    assert twice == []


def test_every_topic_has_somebody_who_writes_and_somebody_who_reads() -> None:
    """A topic that nobody writes or nobody reads is a mistake."""
    assert [topic.name for topic in topics.TOPICS if not topic.writers or not topic.readers] == []


def test_topic_names_are_unique() -> None:
    """Two topics never share a name."""
    names = [topic.name for topic in topics.TOPICS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_consumes_and_produces_what_the_registry_says(service: str) -> None:
    """`topology.py` of each service and the registry of topics are the same statement."""
    declared = topology(service)
    assert service == declared.SERVICE
    assert set(declared.CONSUMES) == {topic.name for topic in topics.TOPICS if service in topic.readers}
    assert set(declared.PRODUCES) == {topic.name for topic in topics.TOPICS if service in topic.writers}
    assert OWNED_TOPICS[service] == declared.OWNED


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_anatomy_of_its_siblings(service: str) -> None:
    """Each service has a main that only composes (at most 60 lines), its topology, and a pure module that decides."""
    folder = ROOT / "services" / service.replace("-", "_")
    assert [name for name in FILES if not (folder / name).exists()] == []
    assert any((folder / name).exists() for name in DECIDERS)
    assert (folder / "__main__.py").read_text(encoding="utf-8").count("\n") <= MAIN_LINES_MAX


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_it_consumes_and_produces(service: str) -> None:
    """The docstring of each service names every topic of its topology."""
    doc = importlib.import_module(f"services.{service.replace('-', '_')}").__doc__ or ""
    declared = topology(service)
    named = {*declared.CONSUMES, *declared.PRODUCES}
    assert {topic for topic in named if not re.search(rf"\b{re.escape(topic)}\b", doc)} == set()


def test_compose_runs_the_services_under_their_names() -> None:
    """docker-compose.yml runs the four services, Kafka, S3 and the function host, by those names."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    block = text.partition("\nservices:\n")[2].partition("\nvolumes:")[0]
    names = set(re.findall(r"^  ([a-z][a-z0-9-]*):$", block, re.MULTILINE))
    assert {*SERVICES, "kafka", "seaweedfs", "functions"} <= names


def test_what_runs_in_containers_writes_where_it_may() -> None:
    """The image's user may write under /data alone, so every process that runs there keeps its state in that folder."""
    found = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    ours = {name: each for name, each in found.items() if each.get("command", [""])[0] == "python"}
    assert {*SERVICES, "functions", "topics"} <= ours.keys()
    assert {name for name, each in ours.items() if each["environment"].get("MAPRUN_STATE_DIR") != "/data"} == set()


@pytest.mark.parametrize("profile", ["three-brokers", "tls"])
def test_a_profile_changes_services_that_are_there_and_settings_that_mean_something(profile: str) -> None:
    """What is laid over docker-compose.yml names its services, and an environment that settings can be read from."""
    base = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    laid = yaml.safe_load((ROOT / "ops" / "docker" / f"{profile}.yml").read_text(encoding="utf-8"))["services"]
    assert {*SERVICES, "kafka", "topics"} <= laid.keys() & base.keys()
    assert {name for name in laid.keys() - base.keys() if not laid[name].get("image")} == set()
    for name in (*SERVICES, "topics"):
        changed = laid[name]["environment"]
        assert changed.items() <= settings.to_environment(settings.load(changed)).items()
