"""Settings of topics: what is mended, what is the operator's, what is only said."""

import pytest

from maprun.bus import topics
from maprun.bus.configs import OVERRIDE, Setting, judge
from maprun.bus.topics import Wanted
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from tests.unit.bus.standing import SETTINGS

WANTED = topics.wanted(SETTINGS, Limits())
DEFAULT = 5


def stands(name: str, **changed: Setting) -> tuple[list[Wanted], dict[str, dict[str, Setting]]]:
    """One topic as it should stand, but for these settings (`_` for `.`)."""
    [wanted] = [each for each in WANTED if each.name == name]
    found = {key: Setting(value, OVERRIDE) for key, value in wanted.config.items()}
    return [wanted], {name: found | {key.replace("_", "."): setting for key, setting in changed.items()}}


def test_as_it_should_be_nothing_is_done() -> None:
    """No topic is altered, nothing is said."""
    for topic in WANTED:
        judged = judge(*stands(topic.name))
        assert (judged.changed, judged.warnings) == ({}, [])


def test_what_correctness_hangs_on_is_mended_and_the_rest_kept() -> None:
    """Compaction of home is taken back; overrides that aren't ours are said again, or the request would drop them."""
    changed = {"cleanup_policy": Setting("compact", OVERRIDE), "flush_ms": Setting("7", OVERRIDE)}
    judged = judge(*stands("p.home", **changed))
    assert judged.changed["p.home"]["cleanup.policy"] == "delete"
    assert judged.changed["p.home"]["flush.ms"] == "7"


def test_room_for_records_is_raised_from_a_default_never_from_a_will() -> None:
    """A broker's default is too small for our records and is overridden; an operator's own bound is told instead."""
    judged = judge(*stands("p.home", max_message_bytes=Setting("1048588", DEFAULT)))
    assert judged.changed["p.home"]["max.message.bytes"] == str(10 << 20)
    with pytest.raises(SetupError, match=r"max.message.bytes of p.home \(1048588\) is below MAPRUN_RECORD_BYTES_MAX"):
        judge(*stands("p.home", max_message_bytes=Setting("1048588", OVERRIDE)))
    assert judge(*stands("p.home", max_message_bytes=Setting("99999999", OVERRIDE))).changed == {}


def test_a_retention_below_what_histories_need_is_said() -> None:
    """Of home, from which they are told; how long others keep their records is the operator's."""
    judged = judge(*stands("p.home", retention_ms=Setting("8000", OVERRIDE)))
    assert (judged.changed, len(judged.warnings)) == ({}, 1)
    assert "MAPRUN_RETENTION_DAYS" in judged.warnings[0]
    assert judge(*stands("p.home", retention_ms=Setting("-1", OVERRIDE))).warnings == []
    assert judge(*stands("p.machines", retention_ms=Setting("8000", OVERRIDE))).warnings == []
