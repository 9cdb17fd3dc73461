"""What `maprun doctor` says of Kafka: of one that is as it should be, and of set-ups that are wrong."""

import asyncio
from typing import Any

import msgspec
import pytest

from maprun.bus.checkup import look_at_kafka
from maprun.runtime.checkup import Finding
from maprun.runtime.limits import limits_of
from maprun.runtime.settings import Settings

pytestmark = pytest.mark.integration


def look(settings: Settings) -> dict[str, Finding]:
    """The findings by what was looked at."""
    return {each.check: each for each in asyncio.run(look_at_kafka(settings, limits_of(settings)))}


def test_a_kafka_as_it_should_be_is_well(settings: Settings) -> None:
    """Nothing is wrong; one broker is worth a word."""
    found = look(settings)
    assert {check for check, each in found.items() if each.state == "wrong"} == set()
    assert found["topics"].state == found["settings of topics"].state == found["leaders"].state == "ok"
    assert found["rights on topics"].state == found["session timeout"].state == "ok"
    assert "1 broker: topics have 1 copy" in found["brokers"].said


@pytest.mark.parametrize(
    ("changed", "check", "said"),
    [
        ({"prefix": "nobodys."}, "topics", "no maprun under the prefix 'nobodys.'"),
        ({"homes": 7}, "topics", "MAPRUN_HOMES is 7"),
        ({"record_bytes_max": 20 << 20}, "settings of topics", "max.message.bytes of maprun."),
        ({"session_timeout_seconds": 3_600.0}, "session timeout", "outside of the brokers' 6 to 300 s"),
        ({"kafka": "127.0.0.1:9"}, "brokers", "no broker of 127.0.0.1:9 can be reached"),
    ],
)
def test_a_wrong_set_up_is_named(settings: Settings, changed: dict[str, Any], check: str, said: str) -> None:
    """One thing is wrong, it is that one, and a cure is given."""
    found = look(msgspec.structs.replace(settings, **changed))
    assert {name for name, each in found.items() if each.state == "wrong"} == {check}
    assert said in found[check].said
    assert found[check].cure
