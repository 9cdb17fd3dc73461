"""GetExecutionHistory of children whose history stands in pages on home, and of children that run."""

from typing import Any

import msgspec
import pytest

from maprun.requests.checks import Refusal
from schemas.history import EventType, HistoryEvent, encode_events
from schemas.history_pages import ChildHistoryShown, HistoryPage, PagedHistory
from schemas.home import SUCCEEDED, ItemsRead, LaneProgress, SourceEnded
from schemas.pages import Pages
from schemas.wire import encode
from services.maprun_tracker.api.executions import arn_of_child
from tests.unit.mapruns.generations import Child, outcome
from tests.unit.tracker.stories import Story
from tests.unit.tracker.test_api_redrive import World

EVENTS, PAGE_EVENTS = 250, 70


def long_history() -> list[HistoryEvent]:
    """A child that passed through many states."""
    first = HistoryEvent(EventType.EXECUTION_STARTED, 0, 1_000, (b'{"i":0}', "role"))
    last = HistoryEvent(EventType.EXECUTION_SUCCEEDED, EVENTS - 1, 1_000 + EVENTS, (b'{"o":0}',))
    passed = [
        HistoryEvent(EventType.PASS_STATE_ENTERED, n, 1_000 + n, (f"S{n}", b"%d" % n)) for n in range(1, EVENTS - 1)
    ]
    return [first, *passed, last]


class Paged:
    """A run of two children, of which one has a long history; its pages do not stand side by side."""

    def __init__(self) -> None:
        story, pages = Story(1), Pages()
        self.world = World(story)
        run = story.begin(0)
        story.put(ItemsRead(run, 0, 0, 2, 2, 2, b"c"))
        history = long_history()
        named: list[int] = []
        for first in range(0, EVENTS, PAGE_EVENTS):
            part = history[first : first + PAGE_EVENTS]
            named += (len(story.log), len(part))
            packed = pages.pack_events([encode(event) for event in part])
            story.put(HistoryPage(run, 0, 0, 3, first + 1, len(part), packed))
            story.rest(1)
        self.last_page = named[-2]
        frame = outcome(0, {0: Child(0, SUCCEEDED), 1: Child(1, SUCCEEDED)}, run=run)
        short = pages.unpack(frame.pages[0])[1]
        slots = pages.pack([encode_events([history[0], history[-1]]), bytes(short)])
        story.put(msgspec.structs.replace(frame, pages=slots, paged=(PagedHistory(0, tuple(named)),)))
        story.put(SourceEnded(run, 0, 2))
        self.world.fold()
        row = self.world.flusher.part.run(run)
        assert row is not None
        self.children = [arn_of_child(self.world.service, row, index) for index in (0, 1)]

    def events(self, child: int = 0, **members: Any) -> list[dict[str, Any]]:
        """All pages of the answer."""
        found: list[dict[str, Any]] = []
        token = None
        while True:
            arn = self.children[child]
            page = self.world.ask("GetExecutionHistory", execution_arn=arn, next_token=token, **members)
            found += page["events"]
            token = page.get("nextToken")
            if not token:
                return found


@pytest.mark.parametrize("size", [1, 37, 70, 1_000])
def test_all_events_are_given_whatever_the_sizes(size: int) -> None:
    """Pages of home and pages of answers have edges of their own; ids count through, forwards and backwards."""
    paged = Paged()
    events = paged.events(max_results=size)
    assert [event["id"] for event in events] == list(range(1, EVENTS + 1))
    assert events[0]["type"] == "ExecutionStarted"
    assert events[123]["stateEnteredEventDetails"]["name"] == "S123"
    assert events[-1]["executionSucceededEventDetails"]["output"] == '{"o":0}'
    assert paged.events(max_results=size, reverse_order=True) == events[::-1]


def test_a_neighbour_with_a_short_history_is_untouched() -> None:
    """Only the slot that is named has pages."""
    assert [event["type"] for event in Paged().events(1)] == ["ExecutionStarted", "ExecutionSucceeded"]


def test_the_rest_is_told_from_the_frame_alone() -> None:
    """DescribeExecution and lists read no page."""
    paged = Paged()
    described = paged.world.ask("DescribeExecution", execution_arn=paged.children[0])
    assert (described["status"], described["input"], described["output"]) == ("SUCCEEDED", '{"i":0}', '{"o":0}')


def test_a_page_that_home_no_longer_holds_is_a_clear_error() -> None:
    """Pages are older than their frame: they may be gone when it is still there."""
    paged = Paged()
    paged.world.fold()
    paged.world.port.cut = paged.last_page + 1
    assert paged.world.ask("DescribeExecution", execution_arn=paged.children[0])["status"] == "SUCCEEDED"
    with pytest.raises(Refusal, match="history of this execution is no longer kept"):
        paged.events()


# ---------------------------------------------------------------------- children that run


class Running:
    """A run of two children that run on one lane."""

    def __init__(self) -> None:
        self.story = story = Story(1)
        self.world = World(story)
        self.run = story.begin(0)
        story.put(ItemsRead(self.run, 0, 0, 2, 2, 2, b"c"), LaneProgress(self.run, 0, 0, (0, 2)))
        self.world.fold()
        row = self.world.flusher.part.run(self.run)
        assert row is not None
        self.child = arn_of_child(self.world.service, row, 0)

    def shows(self, events: list[HistoryEvent], pages: tuple[int, ...] = ()) -> None:
        """What the lane knows of the first child."""
        self.world.port.live[0] = ChildHistoryShown(self.run, "", pages, encode_events(events))

    def types(self) -> list[str]:
        """The types of its events."""
        return [e["type"] for e in self.world.ask("GetExecutionHistory", execution_arn=self.child)["events"]]


def test_a_child_that_runs_shows_its_input_and_what_has_happened_so_far() -> None:
    """Its lane is asked, each time anew; nothing of it stands on home before."""
    running = Running()
    running.shows(long_history()[:2])
    assert running.types() == ["ExecutionStarted", "PassStateEntered"]
    running.shows(long_history()[:4])
    assert len(running.types()) == 4
    described = running.world.ask("DescribeExecution", execution_arn=running.child)
    assert (described["status"], described["input"], described["startDate"]) == ("RUNNING", '{"i":0}', 1.0)
    assert described["inputDetails"] == {"included": True}
    assert described.get("output") is None
    short = running.world.ask("DescribeExecution", execution_arn=running.child, included_data="METADATA_ONLY")
    assert short.get("input") is None


def test_pages_and_what_is_behind_them_make_one_history() -> None:
    """A child that has run long has pages on home; the newest events come from its lane."""
    running = Running()
    history, pages = long_history(), Pages()
    packed = pages.pack_events([encode(event) for event in history[:100]])
    running.story.put(HistoryPage(running.run, 0, 0, 3, 1, 100, packed))
    running.shows(history[100:130], (len(running.story.log) - 1, 100))
    found: list[dict[str, Any]] = []
    token = None
    while token or not found:
        page = running.world.ask("GetExecutionHistory", execution_arn=running.child, next_token=token, max_results=60)
        found += page["events"]
        token = page.get("nextToken")
    assert [event["id"] for event in found] == list(range(1, 131))
    assert found[120]["stateEnteredEventDetails"]["name"] == "S120"
    assert running.world.ask("DescribeExecution", execution_arn=running.child)["input"] == '{"i":0}'


def test_a_lane_that_knows_of_no_such_child_leaves_what_home_says() -> None:
    """It may have ended meanwhile, or not begun again yet: then there is what there was."""
    running = Running()
    assert running.types() == []
    described = running.world.ask("DescribeExecution", execution_arn=running.child)
    assert (described["status"], described["inputDetails"]) == ("RUNNING", {"included": False})
