"""Policies of operators on topics: what is refused is said, and the settings satisfy them."""

import asyncio
import contextlib
from pathlib import Path

import msgspec
import pytest

from maprun.bus import making, planning
from maprun.runtime.limits import limits_of
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings
from tests.integration.bus.policy import policed, why_not

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(why_not()), reason=why_not())]


def made(settings: Settings) -> None:
    """Topics are made."""
    asyncio.run(making.make_topics(settings, limits_of(settings)))


def test_a_policy_is_named_and_can_be_satisfied(tmp_path: Path) -> None:
    """Its own words on the size of records are given; with 8 MiB topics are made, and nothing is left to do."""
    with contextlib.closing(policed(tmp_path)) as broker:
        broker.start()
        refused = Settings(kafka=broker.address, instance="tests", homes=2, lanes=2)
        with pytest.raises(SetupError, match=r"max\.message\.bytes must be at most 8388608"):
            made(refused)
        small = msgspec.structs.replace(refused, record_bytes_max=8_388_608)
        made(small)
        made(small)
        assert asyncio.run(planning.plan_topics(small, limits_of(small))).settled
