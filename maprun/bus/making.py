"""The making of topics: marked as ours before anybody uses them, safe when killed half-way or done by two at once."""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence

import msgspec
from aiokafka.admin import NewTopic
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from maprun.bus import topics
from maprun.bus.administration import Administration, administering
from maprun.bus.limits import bus_limits_of
from maprun.bus.mark import Mark, differing, limits_of, not_ours, strange
from maprun.bus.port import BusError, Outgoing
from maprun.bus.sender import Sender
from maprun.bus.topics import Standing, TopicsDifferError, Wanted
from maprun.runtime import clock
from maprun.runtime.chance import secret
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings
from schemas.cluster import ClusterBegan, TokenSecretSet, TopicsIntended, TopicsNamed
from schemas.tokens import SECRET_BYTES
from schemas.topics import CLUSTER, TOPICS, Topic
from schemas.wire import Fact, encode

_WAIT_SECONDS_MAX = 30.0
_POLL_SECONDS = 0.1


class Made(msgspec.Struct, frozen=True):
    """What was done: topics made, deleted and mended, by their names on Kafka, and what the operator should hear of."""

    topics: list[str]
    deleted: list[str] = []
    mended: list[str] = []
    warnings: list[str] = []


async def make_topics(settings: Settings, limits: Limits, *, adopt: bool = False, begin_anew: bool = False) -> Made:
    """Makes the topics of the registry that aren't there, and marks them as ours.

    Of those that are ours it mends the settings on which correctness hangs; retention and the like are the operator's.
    `adopt` takes topics without the mark as ours if they hold no record. `begin_anew` deletes all topics that have our
    mark and makes them new. Raises SetupError on what a person must decide (nothing is changed then), BusError when
    Kafka can't be reached. Called again after a crash, and by several processes at once, it does no harm.
    """
    async with administering(settings, limits) as administration:
        sender = Sender(settings, limits, bus_limits_of(limits), lambda _error: None)
        try:
            await sender.start()
            return await _Maker(administration, sender, settings, limits).make(adopt=adopt, begin_anew=begin_anew)
        finally:
            await sender.close(limits.drain_seconds)


class _Maker:
    """One run of the making."""

    def __init__(self, administration: Administration, sender: Sender, settings: Settings, limits: Limits) -> None:
        self._administration = administration
        self._sender = sender
        self._settings = settings
        self._limits = limits
        self._appended = 0

    async def make(self, *, adopt: bool, begin_anew: bool) -> Made:
        """See `make_topics`."""
        settings = self._settings
        mark, found = await self._begun(adopt=adopt)
        deleted: list[str] = []
        if begin_anew:
            deleted = await self._delete(mark, found)
            await self._append(ClusterBegan(mark.began, settings.homes, settings.lanes))
            mark, found = await self._look()
        mark, found = await self._name_found(mark, found, adopt=adopt)
        said = strange(settings, mark, found) or differing(settings, mark, found)
        if said:
            raise TopicsDifferError(said)
        missing = [topic for topic in TOPICS if settings.prefix + topic.name not in found]
        judged = await self._administration.configs.mend([topic for topic in TOPICS if topic not in missing])
        made = await self._make(mark, missing) if missing else []
        limits = limits_of(settings, mark.began)
        if mark.limits != limits:
            await self._append(limits)
        if not mark.token_secret:
            await self._append(TokenSecretSet(mark.began, secret(SECRET_BYTES)))
        return Made(made, deleted, sorted(judged.changed), judged.warnings)

    # ------------------------------------------------------------------ the mark

    async def _look(self) -> tuple[Mark, dict[str, Standing]]:
        mark, found = await self._administration.look()
        assert mark is not None, "a mark is never taken back"
        return mark, found

    async def _begun(self, *, adopt: bool) -> tuple[Mark, dict[str, Standing]]:
        """The mark, begun now if it wasn't."""
        settings = self._settings
        mark, found = await self._administration.look()
        if mark is not None:
            return mark, found
        said = "" if adopt else strange(settings, None, found)
        if said:
            raise TopicsDifferError(said)
        if settings.prefix + CLUSTER.name not in found:
            await self._create([CLUSTER])
            found |= await self._until_there([CLUSTER])
            await self._administration.client.set_topics(list(found))
        elif not adopt and not await self._administration.configs.made_by_us():
            raise TopicsDifferError(not_ours(settings))
        await self._append(ClusterBegan(-1, settings.homes, settings.lanes))
        return await self._look()

    async def _append(self, record: Fact) -> None:
        self._appended += 1
        key = f"mark/{socket.gethostname()}/{os.getpid()}/{clock.wall_ms()}/{self._appended}"  # none is compacted away
        await self._sender.send([Outgoing(CLUSTER.name, 0, encode(record), key.encode())])

    async def _name_found(
        self, mark: Mark, found: dict[str, Standing], *, adopt: bool
    ) -> tuple[Mark, dict[str, Standing]]:
        """Marks topics that a killed maker left behind (or, to adopt, all without the mark), if they hold no record.

        What comes back was looked at here: other makers may be at work, and make more at any moment.
        """
        while True:
            ids: dict[str, str] = {}
            for topic in TOPICS:
                stands = found.get(self._settings.prefix + topic.name)
                meant = adopt or topic.name in mark.intended
                if stands is None or topic is CLUSTER or not meant or mark.topics.get(topic.name) == stands.id:
                    continue
                if topic.name in mark.topics and not topic.replaceable:
                    continue  # made anew, which is another matter
                if await self._empty(topic, stands.partitions):
                    ids[topic.name] = stands.id
            if not ids:
                return mark, found
            await self._append(TopicsNamed(mark.began, ids))
            mark, found = await self._look()

    async def _empty(self, topic: Topic, partitions: int) -> bool:
        """Whether a topic never held a record."""
        return not any(
            [await self._administration.fetcher.end_offset(topic.name, number) for number in range(partitions)]
        )

    # ------------------------------------------------------------------ topics

    async def _make(self, mark: Mark, missing: Sequence[Topic]) -> list[str]:
        """Makes topics: first it is written that they will be, then they are made, then they are marked."""
        names = tuple(topic.name for topic in missing)
        await self._append(TopicsIntended(mark.began, names))
        made = await self._create(missing)
        found = await self._until_there(missing)
        ids = {name: found[self._settings.prefix + name].id for name in names}
        await self._append(TopicsNamed(mark.began, ids))
        return made

    async def _create(self, missing: Sequence[Topic]) -> list[str]:
        """Has Kafka make topics; those that another maker made meanwhile are as good. Names every refused one."""
        brokers = await self._administration.brokers()
        wanted = topics.wanted(self._settings, self._limits, brokers, missing)
        new = [_new_topic(each) for each in wanted]
        answer = await self._administration.admin.create_topics(new, timeout_ms=int(_WAIT_SECONDS_MAX * 1000))
        refused: dict[str, list[str]] = {}
        made = []
        for name, code, *said in answer.topic_errors:
            if not code:
                made.append(name)
            elif for_code(code) is not TopicAlreadyExistsError:
                why = f"{for_code(code).__name__} {said[0] if said and said[0] else ''}".strip()
                refused.setdefault(why, []).append(name)
        if refused:
            told = "; ".join(f"{', '.join(names)} ({why})" for why, names in refused.items())
            raise SetupError(f"Kafka at {self._settings.kafka} refuses to make {told}: it takes the right Create")
        return made

    async def _until_there(self, made: Sequence[Topic]) -> dict[str, Standing]:
        """The topics once a broker shows them all: it takes a moment."""
        names = {self._settings.prefix + topic.name for topic in made}
        until = clock.monotonic_seconds() + _WAIT_SECONDS_MAX
        while True:
            _, found = await self._administration.look()
            if names <= found.keys():
                return found
            if clock.monotonic_seconds() > until:
                raise BusError(f"topics {', '.join(sorted(names - found.keys()))} were made and are not shown")
            await asyncio.sleep(_POLL_SECONDS)

    async def _delete(self, mark: Mark, found: Mapping[str, Standing]) -> list[str]:
        """Deletes the topics that have our mark, but for `cluster`; refuses if there are others of our names."""
        prefix = self._settings.prefix
        ours = {prefix + name for name, known in mark.topics.items() if found.get(prefix + name, _NONE).id == known}
        others = sorted(found.keys() - ours - {prefix + CLUSTER.name})
        if others:
            raise TopicsDifferError(
                f"on Kafka at {self._settings.kafka} {', '.join(others)} is not what maprun made under this name, so it"
                " is left alone: delete it yourself if it is of no worth to anybody, then begin anew"
            )
        if ours:
            answer = await self._administration.admin.delete_topics(sorted(ours))
            refused = [
                f"{name} ({for_code(code).__name__})"
                for name, code, *_ in answer.topic_error_codes
                if code and for_code(code) is not UnknownTopicOrPartitionError
            ]
            if refused:
                raise SetupError(f"Kafka at {self._settings.kafka} refuses to delete {', '.join(refused)}")
        until = clock.monotonic_seconds() + _WAIT_SECONDS_MAX
        while ours & (await self._administration.look())[1].keys():
            if clock.monotonic_seconds() > until:
                raise BusError("topics were deleted and are still shown")
            await asyncio.sleep(_POLL_SECONDS)
        return sorted(ours)


def _new_topic(wanted: Wanted) -> NewTopic:
    # Only beside an assignment of copies does aiokafka's class take -1 as their number; an empty one is none.
    own_assignment: dict[int, list[int]] | None = {} if wanted.copies < 0 else None
    return NewTopic(wanted.name, wanted.partitions, wanted.copies, own_assignment, wanted.config)


_NONE = Standing("", 0, frozenset())
