"""What a cluster's topics should be, what they are, and what is to be done about it. Changes nothing."""

from collections.abc import Mapping

import msgspec

from maprun.bus import topics
from maprun.bus.administration import Administration, administering
from maprun.bus.configs import Difference, Setting, differences, hidden_settings, warnings_of
from maprun.bus.mark import Mark, changed_limits, differing, not_ours, strange
from maprun.bus.topics import Standing, Wanted
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.topics import CLUSTER


class PlannedTopic(msgspec.Struct, frozen=True):
    """One topic: as it should stand, whether it is there, and in what it differs."""

    name: str  # on Kafka, with the prefix
    partitions: int
    copies: int  # -1 = the cluster's own default
    config: dict[str, str]
    there: bool = False
    differences: tuple[Difference, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """All topics of one maprun on one Kafka."""

    kafka: str
    prefix: str
    brokers: int
    topics: tuple[PlannedTopic, ...]
    stops: str = ""  # what a person must decide before anything can be done
    changes: tuple[str, ...] = ()  # what is written beside topics
    warnings: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether there is nothing to do, and nothing to decide."""
        open_ = any(each.action != "kept" for topic in self.topics for each in topic.differences)
        return not (self.stops or self.changes or open_) and all(topic.there for topic in self.topics)


def plan_unasked(settings: Settings, limits: Limits, brokers: int) -> Plan:
    """The plan for a Kafka of so many brokers that holds nothing yet."""
    wanted = topics.wanted(settings, limits, brokers)
    return Plan(settings.kafka, settings.prefix, brokers, tuple(_planned(each, None, {}) for each in wanted))


async def plan_topics(settings: Settings, limits: Limits) -> Plan:
    """The plan for the Kafka of the settings. Raises BusError when it can't be asked, SetupError when it refuses."""
    async with administering(settings, limits) as administration:
        mark, found = await administration.look()
        brokers = await administration.brokers()
        wanted = topics.wanted(settings, limits, brokers)
        there = [each.name for each in wanted if each.name in found]
        configs, hidden = await administration.configs.found(there) if there else ({}, [])
        stops = await _stops(administration, settings, mark, found)
    warnings = [hidden_settings(hidden)] if hidden else []
    return Plan(
        settings.kafka,
        settings.prefix,
        brokers,
        tuple(_planned(each, found.get(each.name), configs.get(each.name, {})) for each in wanted),
        stops,
        tuple(_changes(settings, mark, found)),
        tuple(warnings + warnings_of(wanted, configs)),
    )


async def _stops(
    administration: Administration, settings: Settings, mark: Mark | None, found: Mapping[str, Standing]
) -> str:
    """Why nothing can be applied; empty if it can."""
    if mark is None:
        if settings.prefix + CLUSTER.name in found and not await administration.configs.made_by_us():
            return not_ours(settings)
        return strange(settings, None, found)
    unfinished = _unfinished(settings, mark, found)
    marked = {name: stands for name, stands in found.items() if name not in unfinished}
    return strange(settings, mark, marked) or differing(settings, mark, marked)


def _unfinished(settings: Settings, mark: Mark, found: Mapping[str, Standing]) -> list[str]:
    """Topics that a maker left behind: it said that it would make them, and was ended before it marked them."""
    return [
        settings.prefix + name for name in sorted(mark.intended - mark.topics.keys()) if settings.prefix + name in found
    ]


def _planned(wanted: Wanted, stands: Standing | None, config: Mapping[str, Setting]) -> PlannedTopic:
    found = differences(wanted, config)
    if stands is not None and stands.copies and 0 < wanted.copies != stands.copies:
        found.append(Difference("copies", str(stands.copies), str(wanted.copies), "kept"))
    return PlannedTopic(wanted.name, wanted.partitions, wanted.copies, wanted.config, stands is not None, tuple(found))


def _changes(settings: Settings, mark: Mark | None, found: Mapping[str, Standing]) -> list[str]:
    """What is written beside topics, in words."""
    if mark is None:
        return []
    left = _unfinished(settings, mark, found)
    return [
        *([f"{', '.join(left)} get maprun's mark, if they hold no record"] if left else []),
        *(
            f"{name} of all services is set from {before} to {asked}"
            for name, before, asked in changed_limits(settings, mark)
        ),
        *([] if mark.token_secret else ["a secret for task tokens is drawn"]),
    ]
