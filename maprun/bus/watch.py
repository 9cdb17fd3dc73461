"""Whether the topics are still the ones a process began with, asked again and again while it lives.

Positions that were kept lead nowhere in a log that was made anew, and a producer that outlives its broker's data shares
its id with new ones. So a process ends as soon as it sees that.
"""

import asyncio
from collections.abc import Mapping

import msgspec
from aiokafka import AIOKafkaClient

from maprun.bus.cluster import Known
from maprun.bus.mark import CREATE, differing
from maprun.bus.port import BusError
from maprun.bus.rights import refused
from maprun.bus.standing import topics_as_they_stand
from maprun.bus.topics import Standing, TopicsDifferError
from maprun.runtime import clock, logs
from maprun.runtime.settings import Settings
from schemas.topics import TOPICS

WATCH_SECONDS = 1.0
GONE_SECONDS = 10.0
"""A broker that starts may show a topic a little late; one not shown for so long is gone."""
_LEADERLESS_NAMED_MAX = 5


class Judgement(msgspec.Struct, frozen=True):
    """What is to be said of topics: `ends` why the process must end for good, `again` why it must begin again."""

    ends: str = ""
    again: str = ""
    trouble: str = ""  # what keeps it from being ready


class TopicsWatch:
    """One process's look at its topics. `trouble` says what is wrong with them at present."""

    def __init__(self, client: AIOKafkaClient, settings: Settings, known: Known, service: str) -> None:
        self._client = client
        self._service = service  # whose rights are looked at
        self._settings = settings
        self._known = known
        self._missing: dict[str, float] = {}  # topic → since when (monotonic)
        self.trouble = ""

    async def run(self) -> None:
        """Ends only by raising: TopicsDifferError, or BusError where beginning again helps."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                found = await topics_as_they_stand(self._client, list(self._known.topics))
            except BusError:
                continue  # no broker, or none that knows: nothing is said by that
            self._missing = {
                name: self._missing.get(name, clock.monotonic_seconds())
                for name in self._known.topics
                if name not in found
            }
            lately = [n for n, since in self._missing.items() if clock.monotonic_seconds() - since < GONE_SECONDS]
            judged = judge(self._settings, self._known, found, lately, self._service)
            if judged.ends:
                raise TopicsDifferError(judged.ends)
            if judged.again:
                raise BusError(judged.again)
            if judged.trouble and judged.trouble != self.trouble:
                logs.logger("bus").warning("topics_in_trouble", trouble=judged.trouble)
            self.trouble = judged.trouble


def judge(
    settings: Settings, known: Known, found: Mapping[str, Standing], lately: list[str], service: str
) -> Judgement:
    """Compares topics with those of the start; what is missing since `lately` only counts as there."""
    # A topic that may not be looked at any more says nothing about itself but that.
    seen = {name: stands for name, stands in found.items() if stands.id}
    hidden = {name: known.topics[name] for name in found.keys() - seen.keys()}
    stands = {**{name: known.topics[name] for name in lately}, **hidden, **seen}
    ends = differing(settings, known.mark, stands)
    if ends:
        return Judgement(ends=ends)
    replaceable = [settings.prefix + topic.name for topic in TOPICS if topic.replaceable]
    anew = [name for name in replaceable if name in stands and stands[name].id != known.topics[name].id]
    if anew:
        return Judgement(again=f"made anew, so this process begins again with them: {', '.join(anew)}")
    gone = [name for name in replaceable if name not in stands]
    if gone:
        return Judgement(trouble=f"gone, and made again by {CREATE}: {', '.join(gone)}")
    if said := refused(settings, service, found):
        return Judgement(trouble=said)
    leaderless = [f"{name}/{partition}" for name, each in seen.items() for partition in each.leaderless]
    if leaderless:
        more = f" and {len(leaderless) - _LEADERLESS_NAMED_MAX} more" if len(leaderless) > _LEADERLESS_NAMED_MAX else ""
        return Judgement(trouble=f"no broker leads {', '.join(leaderless[:_LEADERLESS_NAMED_MAX])}{more}")
    return Judgement()
