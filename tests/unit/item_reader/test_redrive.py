"""A redrive in the reader: first the children of earlier generations, from home, then what the source still holds."""

import random
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from maprun.mapruns.fold.home import decode_record
from schemas import topics
from schemas.asks import ItemsConfirmed, ItemsRequested, RedriveStage
from schemas.home import (
    ABORTED,
    FAILED,
    REJECTED,
    RETURNED,
    SUCCEEDED,
    TIMED_OUT,
    ItemsRead,
    SourceEnded,
    SourceFailed,
    TimerDue,
)
from schemas.lanes import Cause, ItemFrame, RedrivenChild
from schemas.plan import ItemReaderPlan, MapRunPlan
from schemas.wire import Decoder, Fact, encode
from services.item_reader.handlers import ReaderLimits
from services.item_reader.owner import Deps, own_asks
from tests.simulation.groups import Group
from tests.simulation.port import SimPort
from tests.simulation.process import Process
from tests.simulation.world import World
from tests.unit.item_reader.test_stream import ListSource, identity
from tests.unit.mapruns.generations import RUN, Child, of_kind, outcome

_frames: Decoder[ItemFrame] = Decoder(ItemFrame)
STATUSES = (SUCCEEDED, FAILED, TIMED_OUT, ABORTED, RETURNED, REJECTED)
PLAN = MapRunPlan("M", "L", "STANDARD", items=b"[]")
LISTED = MapRunPlan(
    "M", "L", "STANDARD", reader=ItemReaderPlan("arn:aws:states:::s3:listObjectsV2", "b"), max_concurrency=1
)
LIMITS = ReaderLimits(part_items_max=7, frame_bytes_max=400, home_bytes_max=200, home_records_max=3)


class Rig:
    """One reader's group over simulated topics; home holds what the test puts there."""

    def __init__(self, items: int = 0, seed: int = 1, limits: ReaderLimits = LIMITS) -> None:
        self.world = World(seed)
        self.world.calm = True
        self.items = [b'"item-%d"' % n for n in range(items)]
        deps = Deps(open_source=self._open, builder=lambda _ask: identity, limits=limits)

        def start(port: SimPort, number: int) -> list[Coroutine[Any, Any, None]]:
            return [own_asks(port, number, deps)]

        self.group = Group(self.world, "item-reader", topics.ITEM_ASKS.name, 1, start)
        self.process = Process(self.world, [self.group], "reader-0")
        self.asks = 0

    def _open(self, _ask: Any, checkpoint: bytes) -> tuple[ListSource, str]:
        return ListSource(self.items, checkpoint, [3, 5]), "s3://b/k"

    def home(self, *facts: Fact | bytes) -> int:
        """Records on home; the offset behind them."""
        log = self.world.log(topics.HOME.name, 0)
        for fact in facts:
            log.append(fact if isinstance(fact, bytes) else encode(fact))
        return len(log)

    def ask(self, windows: tuple[int, ...], stages: tuple[RedriveStage, ...], **over: Any) -> None:
        """What the scheduler asks for."""
        self.asks += 1
        given: dict[str, Any] = {"generation": 1, "plan": PLAN, "position": 0, "item_index": 0, "index_first": 0}
        given |= over
        ask = ItemsRequested(
            Cause(0, self.asks, 0),
            RUN,
            given["generation"],
            given["plan"],
            b"",
            windows,
            given["position"],
            given["item_index"],
            given.get("checkpoint", b""),
            b"v1",
            stages,
            given["index_first"],
        )
        self.world.log(topics.ITEM_ASKS.name, 0).append(encode(ask))

    def run(self, seconds: float = 3.0) -> None:
        """Time passes."""
        self.world.run(self.world.now + seconds)
        assert not self.world.violations, self.world.violations[0]

    def frames(self) -> list[tuple[int, ItemFrame]]:
        """(lane, frame) of all that was published."""
        return [
            (lane, _frames.decode(record.value or b""))
            for lane in range(3)
            for record in self.world.log(topics.ITEMS.name, lane).slice(0, 10**6)
        ]

    def said(self, behind: int) -> list[Any]:
        """What the reader said on home."""
        return [
            decode_record(record.value or b"") for record in self.world.log(topics.HOME.name, 0).slice(behind, 10**6)
        ]

    def published(self) -> dict[int, tuple[int, int, Any]]:
        """Position → (lane, index, content): every copy of a position must be the same."""
        out: dict[int, tuple[int, int, Any]] = {}
        for lane, frame in self.frames():
            numbers = iter(frame.indexes)
            indexes = [first + i for first, count in zip(numbers, numbers, strict=True) for i in range(count)]
            assert len(indexes) == len(frame.items)
            for i, item in enumerate(frame.items):
                content = (frame.redriven, frame.built, frame.counts[i] if frame.counts else 1, item)
                here = (lane, indexes[i], content)
                assert out.setdefault(frame.first + i, here) == here
        return out


def generation_zero(rig: Rig, children: list[Child], chance: random.Random | None = None) -> int:
    """Home with these children's ends, between records of others; the offset behind them."""
    end = rig.home(b"garbage", TimerDue("arn", "ref"))
    at = 0
    while at < len(children):
        size = chance.randint(1, 9) if chance else 4
        part = children[at : at + size]
        end = rig.home(outcome(0, {child.index: child for child in part}), TimerDue("arn", "ref"))
        if chance and chance.random() < 0.4:  # told again, otherwise: it doesn't count
            end = rig.home(outcome(0, {child.index: Child(child.index, TIMED_OUT) for child in part}))
        at += size
    return end


def stages(children: list[Child], end: int) -> tuple[RedriveStage, ...]:
    """What the fold asks for after generation 0."""
    lost, never = of_kind(children, lost=True), of_kind(children, lost=False)
    return (
        RedriveStage(0, 1, end, 10**6, True, 0, len(lost)),
        RedriveStage(0, 1, end, 10**6, False, 0, len(never)),
    )


def content(child: Child) -> tuple[bool, bool, int, bytes]:
    """(redriven, built, items, bytes) of a child that is published again."""
    if child.status in {RETURNED, REJECTED}:
        return False, child.status == RETURNED, child.items, b'{"i":%d}' % child.index
    past = RedrivenChild(child.status, child.redrive_count, msgspec.Raw(child.entry), child.remains)
    return True, False, child.items, encode(past)


def windows_of(total: int, chance: random.Random) -> list[tuple[int, int, int]]:
    """Windows of positions on three lanes."""
    out, at = [], 0
    while at < total:
        count = min(total - at, chance.randint(1, 12))
        out.append((at, count, chance.randrange(3)))
        at += count
    return out


def drawn(chance: random.Random, count: int) -> list[Child]:
    """Children as generation 0 left them."""
    return [
        Child(n, chance.choice(STATUSES), items=chance.randint(1, 3), remains=b"state" * chance.randint(0, 1))
        for n in range(count)
    ]


@pytest.mark.parametrize("seed", range(25))
def test_every_position_holds_its_child_whatever_is_cut_or_killed(seed: int) -> None:
    """Lost children first, then those never started, then the source's; killed and resumed it is all the same."""
    chance = random.Random(seed)
    rig = Rig(items=60, seed=seed)
    children = drawn(chance, chance.randint(0, 40))
    end = generation_zero(rig, children, chance)
    asked = stages(children, end)
    again = of_kind(children, lost=True) + of_kind(children, lost=False)
    source = 60 - len(children)
    todo = windows_of(len(again) + source + 5, chance)
    lane_of = {first + i: lane for first, count, lane in todo for i in range(count)}
    while todo:
        cut = chance.randint(1, 3)
        part, todo = todo[:cut], todo[cut:]
        rig.ask(
            tuple(n for window in part for n in window),
            asked,
            position=0,
            item_index=len(children),
            index_first=len(children),
            checkpoint=_at(len(children)),
        )
        rig.run(chance.random() * 0.2)
        if chance.random() < 0.2:
            rig.process.kill()
    rig.run(30)
    published = rig.published()
    expected = {position: (lane_of[position], child.index, content(child)) for position, child in enumerate(again)}
    for n in range(source):
        index = len(children) + n
        position = len(again) + n
        expected[position] = (lane_of[position], index, (False, False, 1, b'"item-%d"' % index))
    assert published == expected
    assert SourceEnded(RUN, 1, len(expected)) in rig.said(end)


def test_what_was_read_is_said_by_kind() -> None:
    """No ItemsRead spans a border; of lost children it says how they had ended, with their items."""
    rig = Rig(items=9)
    children = [Child(0, FAILED, items=2), Child(1, ABORTED), Child(2, FAILED), Child(3, RETURNED), Child(4)]
    end = generation_zero(rig, children)
    rig.ask((0, 10, 1), stages(children, end), item_index=5, index_first=5, checkpoint=_at(5))
    rig.run()
    said = [fact for fact in rig.said(end) if isinstance(fact, ItemsRead)]
    assert [(fact.first, fact.count, fact.items, fact.redriven) for fact in said] == [
        (0, 3, 4, (FAILED, 2, 3, ABORTED, 1, 1)),
        (3, 1, 1, ()),
        (4, 4, 4, ()),
    ]
    assert [fact.checkpoint for fact in said[:2]] == [_at(5)] * 2
    assert said[2].checkpoint != _at(5)


def test_a_refused_child_is_built_again() -> None:
    """Its item comes raw, with the index, key and source that ItemSelector reads, unless its input was there."""
    rig = Rig()
    children = [Child(0, RETURNED), Child(1, REJECTED), Child(2, REJECTED), Child(3, REJECTED, built=True)]
    end = generation_zero(rig, children)
    rig.ask((0, 4, 0), (RedriveStage(0, 0, end, 9, False, 0, 4),))
    rig.run()
    assert [(f.first, f.item_first, f.keys, f.source, f.built, f.indexes) for _, f in rig.frames()] == [
        (0, 0, (), "", True, (0, 1)),
        (1, 1, ("key-1",), "s3://b/k", False, (1, 1)),
        (2, 2, ("key-2",), "s3://b/k", False, (2, 1)),
        (3, 0, (), "", True, (3, 1)),
    ]


def test_children_of_two_generations_follow_each_other() -> None:
    """What generation 1 did not reach comes before what it lost; indexes are those of the children, not positions."""
    rig = Rig()
    end = rig.home(outcome(0, {n: Child(n, FAILED) for n in range(5)}))
    last = rig.home(outcome(1, {1: Child(1, FAILED, 1), 0: Child(0, SUCCEEDED, 1)}))
    asked = (RedriveStage(0, 0, end, 9, True, 2, 3), RedriveStage(1, end, last, 9, True, 0, 1))
    rig.ask((0, 4, 2), asked, generation=2)
    rig.run()
    published = rig.published()
    assert [(position, published[position][1]) for position in sorted(published)] == [(0, 2), (1, 3), (2, 4), (3, 1)]
    assert published[3][2][3] == content(Child(1, FAILED, 1))[3]


def test_a_listing_is_confirmed_behind_the_stages() -> None:
    """Children of earlier generations are published at once; those of a listing when the fold accepted them."""
    rig = Rig(items=6)
    end = generation_zero(rig, [Child(0, FAILED), Child(1)])
    asked = (RedriveStage(0, 0, end, 9, True, 0, 1),)
    rig.ask((0, 4, 0), asked, plan=LISTED, item_index=2, index_first=2, checkpoint=_at(2))
    rig.run()
    assert sorted(rig.published()) == [0]
    read = [fact for fact in rig.said(end) if isinstance(fact, ItemsRead)]
    assert [(fact.first, fact.count, bool(fact.digest)) for fact in read] == [(0, 1, False), (1, 3, True)]
    for turn in range(2):  # the second time by a reader that doesn't hold the items
        confirmed = ItemsConfirmed(
            Cause(0, 9, turn), RUN, 1, LISTED, b"", (1, 3, 0), 1, 3, 2, _at(2), read[1].digest, 2
        )
        rig.world.log(topics.ITEM_ASKS.name, 0).append(encode(confirmed))
        rig.run()
        if not turn:
            rig.process.kill()
            rig.run(20)
    assert {position: index for position, (_, index, _) in rig.published().items()} == {0: 0, 1: 2, 2: 3, 3: 4}


def test_a_source_with_nothing_left_ends_where_the_stages_do() -> None:
    """The total of a redrive that finds its source at the end is what the stages held."""
    rig = Rig(items=2)
    end = generation_zero(rig, [Child(0, FAILED), Child(1)])
    rig.ask(
        (0, 1, 0, 1, 3, 1), (RedriveStage(0, 0, end, 9, True, 0, 1),), item_index=2, index_first=2, checkpoint=_at(2)
    )
    rig.run()
    assert sorted(rig.published()) == [0]
    assert rig.said(end)[-1] == SourceEnded(RUN, 1, 1)


def test_a_new_generation_counts_from_0_again_and_an_older_one_is_over() -> None:
    """The reader that served generation 0 to its end serves generation 1; a late ask of generation 0 is void."""
    rig = Rig(items=3)
    rig.ask((0, 9, 0), (), generation=0)
    rig.run()
    assert [len(frame.items) for _, frame in rig.frames()] == [3]
    end = generation_zero(rig, [Child(0, FAILED), Child(1), Child(2)])
    rig.ask((0, 1, 1), (RedriveStage(0, 0, end, 9, True, 0, 1),))
    rig.ask((0, 9, 2), (), generation=0)
    rig.run()
    assert [(lane, frame.generation, frame.redriven) for lane, frame in rig.frames()][1:] == [(1, 1, True)]


def test_what_home_no_longer_holds_fails_the_source() -> None:
    """Outcomes deleted by age: States.ItemReaderFailed says so; a stage that holds less than it should does too."""
    for trimmed, words in ((3, "no longer kept"), (0, "Home holds 1 of the 2 child executions")):
        rig = Rig()
        end = generation_zero(rig, [Child(0, FAILED)])
        records = rig.world.log(topics.HOME.name, 0).records
        records[:trimmed] = [None] * trimmed
        rig.ask((0, 2, 0), (RedriveStage(0, 0, end, 9, True, 0, 2),))
        rig.run(12)
        [failed] = rig.said(end)
        assert isinstance(failed, SourceFailed)
        assert (failed.error, failed.generation) == ("States.ItemReaderFailed", 1)
        assert words in failed.cause


def test_a_past_that_fits_no_record_fails_the_source() -> None:
    """States.DataLimitExceeded names the child; nothing is published past the limit."""
    rig = Rig(limits=ReaderLimits(item_bytes_max=150))
    end = generation_zero(rig, [Child(0, FAILED), Child(1, FAILED, remains=b"r" * 200)])
    rig.ask((0, 2, 0), (RedriveStage(0, 0, end, 9, True, 0, 2),))
    rig.run()
    [failed] = rig.said(end)
    assert failed.error == "States.DataLimitExceeded"
    assert failed.cause.startswith("Child execution 1 has a history and state of ")


def test_a_damaged_page_fails_the_run_not_the_reader() -> None:
    """A frame that can't be unpacked is told as the source's failure, and the next run is served."""
    rig = Rig()
    broken = msgspec.structs.replace(outcome(0, {0: Child(0, FAILED)}), pages=(b"damaged",))
    end = rig.home(broken)
    rig.ask((0, 1, 0), (RedriveStage(0, 0, end, 9, True, 0, 1),))
    rig.run()
    [failed] = rig.said(end)
    assert "can't be read" in failed.cause


def _at(item: int) -> bytes:
    return msgspec.msgpack.encode((str(item).encode(), 0))
