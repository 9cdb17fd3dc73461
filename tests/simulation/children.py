"""What must be true of children at the end: histories, over all redrives; items, outputs, Map Runs of their own."""

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from schemas import topics
from schemas.effects import TaskSucceeded
from schemas.history import EventType, HistoryEvent, decode_events
from schemas.history_pages import HistoryPage
from schemas.home import FAILED, PAGE_SLOTS, STATUS_NAMES, SUCCEEDED, ChildrenEnded
from schemas.pages import Pages
from schemas.ranges import pairs
from tests.simulation.books import Answer, Book
from tests.simulation.callee import calls_in
from tests.simulation.plays import Play, identify, inner_id

if TYPE_CHECKING:
    from tests.simulation.house import House

Violated = Callable[[str], None]
_LAST = {
    "SUCCEEDED": EventType.EXECUTION_SUCCEEDED,
    "FAILED": EventType.EXECUTION_FAILED,
    "TIMED_OUT": EventType.EXECUTION_TIMED_OUT,
    "ABORTED": EventType.EXECUTION_ABORTED,
}
_SUCCEEDED = {EventType.LAMBDA_FUNCTION_SUCCEEDED, EventType.TASK_SUCCEEDED, EventType.ACTIVITY_SUCCEEDED}
_BEGINS = {EventType.MAP_RUN_STARTED, EventType.MAP_RUN_REDRIVEN}
_ENDS = {EventType.MAP_RUN_SUCCEEDED, EventType.MAP_RUN_FAILED, EventType.MAP_RUN_ABORTED}
_frames = msgspec.msgpack.Decoder(ChildrenEnded)
_pages = msgspec.msgpack.Decoder(HistoryPage)


def check_history(events: list[HistoryEvent], status: str, violated: Violated) -> None:
    """From start to the end that the status says, each event behind an earlier one, time never going back."""
    if not events or events[0].type != EventType.EXECUTION_STARTED or events[-1].type != _LAST[status]:
        violated(f"history of {len(events)} events does not go from start to {status}")
    for i, event in enumerate(events, 1):
        if not 0 <= event.previous_id < i:
            violated(f"event {i} follows {event.previous_id}")
    for earlier, later in pairwise(events):
        if later.at_ms < earlier.at_ms:
            violated(f"time goes back in a history: {earlier} {later}")


class Entries:
    """What the frames on home hold."""

    def __init__(self, house: "House") -> None:
        self._house = house
        self._pages = Pages()
        self._frames: dict[tuple[int, int], ChildrenEnded] = {}
        self._unpacked: dict[tuple[int, int, int], list[msgspec.Raw]] = {}

    def frame(self, book: Book, answer: Answer) -> ChildrenEnded:
        """The frame that an answer stands in."""
        home = int(book.run.run[15:18], 16)
        found = self._frames.get((home, answer.offset))
        if found is None:
            record = self._house.world.log(topics.HOME.name, home).records[answer.offset]
            assert record is not None
            found = self._frames[home, answer.offset] = _frames.decode(record.value or b"")
        return found

    def entry(self, book: Book, answer: Answer) -> bytes:
        """Its entry: the history, or what a child that never started left."""
        page = (int(book.run.run[15:18], 16), answer.offset, answer.slot // PAGE_SLOTS)
        if page not in self._unpacked:
            self._unpacked[page] = self._pages.unpack(self.frame(book, answer).pages[page[2]])
        return bytes(self._unpacked[page][answer.slot % PAGE_SLOTS])

    def history(self, book: Book, answer: Answer) -> list[HistoryEvent]:
        """All events of a child: those of its entry, or of the pages that its frame names."""
        events = decode_events(self.entry(book, answer))
        pages = {paged.slot: paged.pages for paged in self.frame(book, answer).paged}.get(answer.slot)
        if pages is None:
            return events
        log = self._house.world.log(topics.HOME.name, int(book.run.run[15:18], 16))
        whole: list[HistoryEvent] = []
        for offset, count in pairs(pages):
            record = log.records[offset]
            page = _pages.decode(record.value or b"") if record is not None and offset < answer.offset else None
            if page is None or (page.run, page.first_id, page.count) != (book.run.run, len(whole) + 1, count):
                self._house.world.violated(f"page {offset} of the history of {answer} is {page}")
                return events
            whole += self._pages.unpack_history(page)
        redriven = [event for event in whole if event.type == EventType.EXECUTION_REDRIVEN][-1:]
        if events != [whole[0], *redriven, whole[-1]]:
            self._house.world.violated(f"the entry of {answer} says {events}, its pages {whole}")
        return whole

    def redrives(self, book: Book, answer: Answer) -> int:
        """How often the child was redriven."""
        afterlife = self._pages.unpack_afterlives(self.frame(book, answer).afterlives).get(answer.slot)
        return 0 if afterlife is None else afterlife.redrive_count

    def payload(self, book: Book, answer: Answer) -> bytes:
        """The output of a child that succeeded, the input of one that never started."""
        entry = self.entry(book, answer)
        payload: bytes = (
            decode_events(entry)[-1].details[0] if answer.status in STATUS_NAMES else msgspec.msgpack.decode(entry)[0]
        )
        return payload


class Children:
    """The children of one execution, nested ones too."""

    def __init__(self, house: "House", play: Play, entries: Entries, books: list[Book], violated: Violated) -> None:
        self.house = house
        self.play = play
        self.entries = entries
        self.violated = violated
        self.heard: set[int] = set()  # calls whose results stand in histories
        self.books = {book.run.arn: book for book in books}

    def check(self, book: Book) -> None:
        """All answers of all generations."""
        for generation in book.generations:
            for answer in generation.accepted.values():
                self._answer(book, answer, generation.before.get(answer.index), generation.good)

    def _answer(self, book: Book, answer: Answer, before: Answer | None, good: set[int]) -> None:
        entry = self.entries.entry(book, answer)
        name = f"child {answer.index} of {book.run.run} (generation {answer.generation})"
        if answer.status not in STATUS_NAMES:
            self._items_of(book, answer.index, msgspec.msgpack.decode(entry)[0], name)
            if before is not None and before.status in STATUS_NAMES:
                self.violated(f"{name} never started, it was {before}")
            return
        events = self.entries.history(book, answer)
        check_history(events, STATUS_NAMES[answer.status], lambda what: self.violated(f"{name}: {what}"))
        self._results_follow(name, events)
        self._items_of(book, answer.index, events[0].details[0], name)
        if before is not None and before.status in STATUS_NAMES:
            self._redriven(book, answer, before, events, name)
        elif any(event.type == EventType.EXECUTION_REDRIVEN for event in events) or self.entries.redrives(book, answer):
            self.violated(f"{name} was never redriven, its history says it was")
        if answer.status == SUCCEEDED:
            self._output(book, answer.index, events[-1].details[0], name)
        had_ended = before is not None and before.status in STATUS_NAMES
        unchanged = before is not None and had_ended and self.entries.history(book, before) == events
        may_fail = unchanged or self.play.changes_at is not None or self._may_fail(book, answer.index, good)
        if answer.status == FAILED and not may_fail:
            self.violated(f"{name} failed, and its items are good: {events[-1]}")
        if self.play.nest is not None and book.run.parent is None:
            self._nested(book, answer, events, name)

    # ------------------------------------------------------------------ over generations

    def _redriven(self, book: Book, answer: Answer, before: Answer, events: list[HistoryEvent], name: str) -> None:
        """It goes on where it was (STANDARD), begins anew (EXPRESS), or is answered as it was, if never started."""
        was = self.entries.history(book, before)
        had, has = self.entries.redrives(book, before), self.entries.redrives(book, answer)
        if has == had:
            if events != was or answer.status != before.status:
                self.violated(f"{name} was not redriven and differs from what it was")
            verdict = book.run.verdict if answer.generation == book.run.generation else None
            if verdict is not None and verdict.status == "SUCCEEDED":
                self.violated(f"{name} was not redriven in a run that succeeded")
            return
        if has != had + 1:
            self.violated(f"{name} was redriven {has} times, {had} before")
        if book.run.plan.child_type == "EXPRESS":
            if any(event.type == EventType.EXECUTION_REDRIVEN for event in events) or len(events) < 2:
                self.violated(f"{name} is EXPRESS and did not begin anew")
            return
        if events[: len(was)] != was:
            self.violated(f"{name} has another past than it had")
            return
        first = events[len(was)]
        if first.type != EventType.EXECUTION_REDRIVEN or first.details != (has,) or first.previous_id != len(was):
            self.violated(f"{name} goes on with {first} in its redrive {has}")
        self._done_once(book, answer, was, name)

    def _done_once(self, book: Book, answer: Answer, was: list[HistoryEvent], name: str) -> None:
        """A Task whose result stands in the past that home holds is not done again."""
        done = {event.details[0] for event in was if event.type == EventType.TASK_STATE_EXITED}
        for state in done:
            for call in self.house.lanes_work.of.get((book.run.run, answer.index, state), ()):
                if call.generation >= answer.generation:
                    self.violated(f"{name}: {state} was done, and call {call.number} does it again")

    # ------------------------------------------------------------------ of one generation

    def _results_follow(self, name: str, events: list[HistoryEvent]) -> None:
        """Each Task's result carries those before it: one history, not a mixture of two owners'."""
        ends = [event.details[-1] for event in events if event.type in _SUCCEEDED]
        self.heard.update(call for end in ends for call in calls_in(end)[-1:])
        if self.play.nest is not None and self.play.nest.parallel:
            return
        carried: list[int] = []
        for event in events:
            if event.type in _SUCCEEDED:
                calls = calls_in(event.details[-1])
                if calls[:-1] != carried:
                    self.violated(f"{name}: a result of calls {calls} follows one of {carried}")
                carried = calls

    def _may_fail(self, book: Book, index: int, good: set[int]) -> bool:
        if book.run.parent is not None:
            outer, nest = book.run.parent.index, self.play.nest
            assert nest is not None
            return nest.kinds[outer][index] == "bad" and inner_id(outer, index) not in good
        size = self.play.batch or 1
        items = range(index * size, min(len(self.play.kinds), index * size + size))
        return any(self.play.fails(item, good) for item in items)

    def _expected_ids(self, book: Book, index: int) -> list[int]:
        if book.run.parent is not None:
            return [inner_id(book.run.parent.index, index)]
        size = self.play.batch or 1
        return list(range(index * size, min(len(self.play.kinds), index * size + size)))

    def _items_of(self, book: Book, index: int, payload: Any, name: str) -> None:
        """The child has the items of its index, and no others."""
        if self.play.changes_at is not None:
            return
        value = msgspec.json.decode(payload)
        items = value["Items"] if isinstance(value, dict) and "Items" in value else [value]
        ids = [identify(item)[0] for item in items]
        if ids != self._expected_ids(book, index):
            self.violated(f"{name} has items {ids}")

    def _output(self, book: Book, index: int, payload: bytes, name: str) -> None:
        """The output came from calls that were made for this very child, the last of which succeeded."""
        work = self.play.work
        if self.play.nest is not None:
            if book.run.parent is None:
                return  # see `_nested`
            work = self.play.nest.work
        self._items_of(book, index, payload, name)
        value = msgspec.json.decode(payload)
        calls = value.get("calls", []) if isinstance(value, dict) else []
        if len(calls) != {"pass": 0, "task": 1, "chain": 2}[work]:
            self.violated(f"{name} ended after calls {calls}")
        for number in calls:
            call = self.house.lanes_work.calls[number]
            of = self.house.judge.keys[call.key]
            if of[:2] != (book.run.run, index) or not isinstance(call.answer, TaskSucceeded):
                self.violated(f"{name} carries the result of call {number}, made for {of}")

    # ------------------------------------------------------------------ Map Runs of children

    def _nested(self, book: Book, answer: Answer, events: list[HistoryEvent], name: str) -> None:
        """The Map Run of a child is its own; how it ended stands in its history once for each time it ran."""
        open_arn, ended = "", ""
        expected: dict[str, int] = {}  # Map Run → the redrive that comes next
        for event in events:
            if event.type in _BEGINS:
                if open_arn:
                    self.violated(f"{name} is told of {event.details}, and {open_arn} goes on")
                open_arn = event.details[0]
                nested = self.books.get(open_arn)
                redrives = event.details[1] if event.type == EventType.MAP_RUN_REDRIVEN else 0
                if redrives < expected.get(open_arn, 0):  # one may be left out: it was stopped before it heard of it
                    self.violated(f"{name} is told of redrive {redrives}, not {expected.get(open_arn, 0)}")
                expected[open_arn] = redrives + 1
                mine = nested is not None and nested.run.parent is not None and nested.run.parent.run == book.run.run
                if nested is not None and not (mine and nested.run.parent.index == answer.index):  # type: ignore[union-attr]
                    self.violated(f"{name} is told of {open_arn}, which belongs to {nested.run.parent}")
            elif event.type in _ENDS:
                if not open_arn and event.type != EventType.MAP_RUN_ABORTED:
                    self.violated(f"{name} is told of the end of no Map Run")
                ended, open_arn = open_arn, ""
                if event.type == EventType.MAP_RUN_SUCCEEDED and ended not in self.books:
                    self.violated(f"{name} is told that {ended} succeeded, which never was")
            elif event.type == EventType.EXECUTION_REDRIVEN:
                open_arn = ""
        for arn, redrives in expected.items():
            if arn not in self.books:
                self.violated(f"{name} is told of {arn}, of which home knows nothing")
            if answer is book.latest[answer.index] and arn in self.books and self.books[arn].now.number != redrives - 1:
                self.violated(f"{name} knows of {redrives - 1} redrives of {arn}: {self.books[arn].now.number}")
        if answer.status == SUCCEEDED:
            self._nested_output(events, ended, name)

    def _nested_output(self, events: list[HistoryEvent], arn: str, name: str) -> None:
        nest = self.play.nest
        assert nest is not None
        value = msgspec.json.decode(events[-1].details[0])
        if nest.parallel:
            value = value[0]
        if value != "caught" and value != self.outputs(arn):
            self.violated(f"{name} has the output {str(value)[:150]}, not {str(self.outputs(arn))[:150]}")
        if value == "caught" and not nest.catch:
            self.violated(f"{name} caught what it doesn't catch")

    def outputs(self, arn: str) -> list[Any]:
        """The outputs of a run's children that succeeded, in item order."""
        book = self.books[arn]
        good = sorted(index for index, answer in book.latest.items() if answer.status == SUCCEEDED)
        return [msgspec.json.decode(self.entries.payload(book, book.latest[index])) for index in good]
