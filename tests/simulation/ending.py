"""What must be true when a world has ended: outcomes, results, histories, answers."""

from functools import partial
from itertools import pairwise
from typing import Any

import msgspec

from schemas import topics
from schemas.effects import TaskSucceeded
from schemas.history import EventType, HistoryEvent, decode_events
from schemas.home import FAILED, PAGE_SLOTS, STATUS_NAMES, SUCCEEDED, ChildrenEnded
from schemas.pages import Pages
from schemas.requests import RequestAnswered
from tests.simulation.house import House
from tests.simulation.judge import Book
from tests.simulation.results import check_results
from tests.simulation.scenario import Play, identify

_LAST = {
    "SUCCEEDED": EventType.EXECUTION_SUCCEEDED,
    "FAILED": EventType.EXECUTION_FAILED,
    "TIMED_OUT": EventType.EXECUTION_TIMED_OUT,
    "ABORTED": EventType.EXECUTION_ABORTED,
}
_frames = msgspec.msgpack.Decoder(ChildrenEnded)
_answers = msgspec.msgpack.Decoder(RequestAnswered)


def check(house: House) -> None:
    """Looks at everything once more; adds to the world's violations."""
    if house.world.violations:
        return
    for message in house.judge.never_sent():
        house.world.violated(f"the fold demands it and nobody sent it: {message}")
    for play in house.scenario.plays:
        _Ending(house, play).check()
    _requests_answered(house)
    house.tracker.check()


def _requests_answered(house: House) -> None:
    asked = {f"request-{play.name}" for play in house.scenario.plays if play.door == "home"}
    asked |= {f"stop-{play.name}" for play in house.scenario.plays if play.stop_at is not None}
    answered = {
        _answers.decode(record.value or b"").request_id
        for home in range(house.scenario.homes)
        for record in house.world.log(topics.ANSWERS.name, home).slice(0, 1 << 40)
    }
    if asked - answered:
        house.world.violated(f"requests without an answer: {sorted(asked - answered)}")


class _Ending:
    """One execution's."""

    def __init__(self, house: House, play: Play) -> None:
        self.house = house
        self.play = play
        self.pages = Pages()
        self.unpacked: dict[tuple[int, int], list[msgspec.Raw]] = {}

    def violated(self, what: str) -> None:
        self.house.world.violated(f"{self.play.name}: {what}")

    def check(self) -> None:
        """Status, output and histories of the execution and of its children."""
        ended = self.house.judge.ended.get(self.play.arn)
        if ended is None:
            self.violated("no end was seen")
            return
        status, output, error = ended
        self._history(self.house.judge.histories[self.play.arn], status)
        for book in self.house.judge.books.values():
            if book.run.root_arn == self.play.arn:
                self._children(book)
                if status == "SUCCEEDED" and not self.play.writer:
                    self._inline(book, output)
                if self.play.writer and not self.play.store_missing:
                    folder = f"results-{self.play.name}"
                    check_results(self.house.store, book, folder, partial(self._payload_of, book), self.violated)
        self._one_version()
        undecided = self.play.stop_at is not None or self.play.changes_at is not None
        if status == "ABORTED" and self.play.stop_at is None:
            self.violated("aborted, and nobody stopped it")
        if not undecided and (status, error) not in self._expected():
            self.violated(f"ended {status} {error}, expected one of {self._expected()}")

    def _one_version(self) -> None:
        """An object that changed while it was read is never mixed with what it was."""
        for book in self.house.judge.books.values():
            if book.run.root_arn == self.play.arn and self.play.source == "object":
                versions = {b'"new":1' in content for content in book.published.values() if content}
                if len(versions) > 1:
                    self.violated("items of two versions of the object were published")

    def _payload_of(self, book: Book, position: int) -> bytes:
        """The output of a child that succeeded, the input of one that never started."""
        entry = self._entry(book, position)
        status = book.accepted[position][2]
        payload: bytes = (
            decode_events(entry)[-1].details[0] if status in STATUS_NAMES else msgspec.msgpack.decode(entry)[0]
        )
        return payload

    def _expected(self) -> list[tuple[str, str | None]]:
        """How it may end; of two reasons to fail the first one on home stands."""
        count, percentage = self.play.tolerance
        size = self.play.batch or 1
        kinds = self.play.kinds
        batches = [kinds[i : i + size] for i in range(0, len(kinds), size)]
        failed = sum(len(batch) for batch in batches if "bad" in batch)
        over = bool(failed) and count is None and percentage is None
        over |= count is not None and failed > count
        if percentage is not None and percentage > 0:
            over |= failed * 100 > percentage * len(kinds)
        elif percentage is not None and count is None:
            over |= failed > 0
        ends: list[tuple[str, str | None]] = []
        if self.play.store_missing:
            ends.append(("FAILED", "States.ResultWriterFailed"))
        if over:
            ends.append(("FAILED", "States.ExceedToleratedFailureThreshold"))
        return ends or [("SUCCEEDED", None)]

    # ------------------------------------------------------------------ histories

    def _history(self, events: list[HistoryEvent], status: str) -> None:
        if not events or events[0].type != EventType.EXECUTION_STARTED or events[-1].type != _LAST[status]:
            self.violated(f"history of {len(events)} events does not go from start to {status}")
        for i, event in enumerate(events, 1):
            if not 0 <= event.previous_id < i:
                self.violated(f"event {i} follows {event.previous_id}")
        for earlier, later in pairwise(events):
            if later.at_ms < earlier.at_ms:
                self.violated(f"time goes back in a history: {earlier} {later}")

    def _entry(self, book: Book, position: int) -> bytes:
        offset, slot, _ = book.accepted[position]
        home = int(book.run.run[15:18], 16)
        page = (offset, slot // PAGE_SLOTS)
        if page not in self.unpacked:
            frame = _frames.decode(self.house.world.log(topics.HOME.name, home).records[offset].value or b"")  # type: ignore[union-attr]
            self.unpacked[page] = self.pages.unpack(frame.pages[page[1]])
        return bytes(self.unpacked[page][slot % PAGE_SLOTS])

    def _children(self, book: Book) -> None:
        for position, (_, _, status) in book.accepted.items():
            entry = self._entry(book, position)
            if status not in STATUS_NAMES:
                child_input, *_ = msgspec.msgpack.decode(entry)
                self._items_of(book, position, child_input, raw=True)
                continue
            events = decode_events(entry)
            self._history(events, STATUS_NAMES[status])
            self._results_follow(position, events)
            self._items_of(book, position, events[0].details[0])
            if status == SUCCEEDED:
                self._output(book, position, events[-1].details[0])
            if status == FAILED and self.play.changes_at is None and "bad" not in self._kinds(position):
                self.violated(f"child {position} failed, and its items are {self._kinds(position)}")

    def _results_follow(self, position: int, events: list[HistoryEvent]) -> None:
        """Each Task's result carries those before it: one history, not a mixture of two owners'."""
        carried: list[int] = []
        for event in events:
            if event.type == EventType.LAMBDA_FUNCTION_SUCCEEDED:
                calls = msgspec.json.decode(event.details[0])["calls"]
                if calls[:-1] != carried:
                    self.violated(f"child {position}: a result of calls {calls} follows one of {carried}")
                carried = calls

    def _kinds(self, position: int) -> tuple[str, ...]:
        size = self.play.batch or 1
        return self.play.kinds[position * size : position * size + size]

    def _ids(self, payload: Any) -> list[int]:
        value = msgspec.json.decode(payload)
        items = value["Items"] if isinstance(value, dict) and "Items" in value else [value]
        return [identify(item)[0] for item in items]

    def _items_of(self, book: Book, position: int, payload: Any, *, raw: bool = False) -> None:
        """The child has the items of its position, and no others."""
        if self.play.changes_at is not None:
            return
        size = self.play.batch or 1
        expected = list(range(position * size, min(len(self.play.kinds), position * size + size)))
        if self._ids(payload) != expected:
            self.violated(f"child {position} of {book.run.run} has items {self._ids(payload)} (never started: {raw})")

    def _output(self, book: Book, position: int, payload: Any) -> None:
        """The output came from calls that were made for this very child, the last of which succeeded."""
        self._items_of(book, position, payload)
        value = msgspec.json.decode(payload)
        calls = value.get("calls", []) if isinstance(value, dict) else []
        if len(calls) != {"pass": 0, "task": 1, "chain": 2}[self.play.work]:
            self.violated(f"child {position} ended after calls {calls}")
        for number in calls:
            call = self.house.lanes_work.calls[number]
            of = self.house.judge.keys[call.key]
            if of[:2] != (book.run.run, position) or not isinstance(call.answer, TaskSucceeded):
                self.violated(f"child {position} carries the result of call {number}, made for {of}")

    def _inline(self, book: Book, output: bytes) -> None:
        """The Map state's result: the outputs of the children that succeeded, in order."""
        outputs = [
            decode_events(self._entry(book, position))[-1].details[0]
            for position in sorted(book.accepted)
            if book.accepted[position][2] == SUCCEEDED
        ]
        expected = b"[" + b",".join(o for o in outputs if isinstance(o, bytes)) + b"]"
        value = msgspec.json.decode(output)
        if isinstance(value, dict):
            value = value["result"]
        if value != msgspec.json.decode(expected):
            self.violated(f"the result is {output[:200]!r}, the children's outputs are {expected[:200]!r}")
