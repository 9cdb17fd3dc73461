"""Rights that are missing are named at the start, all of them, by topic."""

import re

import msgspec
import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidSessionTimeoutError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownError,
)

from maprun.bus.rights import NotAllowedError, refusal, require_rights
from maprun.bus.topics import Standing
from tests.unit.bus.standing import ALL, SETTINGS, standing


def allowed(*rights: str) -> dict[str, Standing]:
    """All topics, with these rights on each."""
    return {n: msgspec.structs.replace(s, allowed=frozenset(rights)) for n, s in standing().items()}


def test_with_all_rights_nothing_is_said() -> None:
    """So it is for every service, and for a tool."""
    for service in ("", "scheduler", "item-reader", "child-runner", "maprun-tracker"):
        require_rights(SETTINGS, service, allowed(*ALL))
        require_rights(SETTINGS, service, {})


@pytest.mark.parametrize(
    ("service", "rights", "said"),
    [
        ("item-reader", ("Describe", "Read"), "Write on p.home, p.items, p.cluster, p.process-reports. Give it"),
        ("item-reader", ("Describe", "Write"), "Read on p.home, p.item-asks, p.cluster. Give it"),
        ("", ("Describe", "Write"), "Read on p.cluster. Give it"),
        ("maprun-tracker", (), "p.machines"),
    ],
)
def test_what_is_missing_is_named(service: str, rights: tuple[str, ...], said: str) -> None:
    """A service needs Read where it reads and Write where it writes; a tool needs only the mark."""
    with pytest.raises(NotAllowedError) as raised:
        require_rights(SETTINGS, service, allowed(*rights))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InvalidSessionTimeoutError(), "MAPRUN_SESSION_TIMEOUT_SECONDS=8 for group g: .* group.min.session.timeout.ms"),
        (GroupAuthorizationFailedError("g"), "Read on group g"),
        (TopicAuthorizationFailedError("t"), "Read on topic t"),
        (UnknownError(), ""),
    ],
)
def test_what_a_group_is_refused_for_names_the_setting_or_the_right(error: KafkaError, said: str) -> None:
    """Anything else is no matter of set-up, and may pass."""
    refused = refusal(error, SETTINGS, "g", "t")
    assert bool(refused) == bool(said)
    assert re.search(said, str(refused))
