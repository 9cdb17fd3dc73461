"""The store of inputs alone: what waits, what the journal holds, what memory lets go of. No lane is needed."""

from typing import Any

import msgspec

from maprun.mapruns.slices import NoPace
from schemas.lanes import ItemFrame, LaneAdvanced, RunOpened
from services.child_runner.input_store import InputsRead, InputStore, input_in_memory
from services.child_runner.journal import LaneMemory
from services.child_runner.journal_draft import JournalDraft
from services.child_runner.lane_run import LaneRun
from services.child_runner.limits import LaneLimits
from tests.unit.child_runner.driver import RUN, TASK, opened

LIMITS = LaneLimits(adopt_after_seconds=1.0, spill_bytes_max=1_000, inputs_read_bytes_max=400, input_bytes_max=500)


class Machine:
    """Builds inputs that are the items."""

    def build(self, _index: int, _key: str | None, item: bytes, _source: str) -> bytes:
        """The item."""
        return item


class Stored:
    """A store with one run, and its journal."""

    def __init__(self) -> None:
        self.memory = LaneMemory()
        self.draft = JournalDraft(-1, (0, 0), LIMITS)
        self.store = InputStore(self.memory, self.draft, LIMITS, NoPace())
        message: RunOpened = opened({"A": TASK})
        machine: Any = Machine()
        self.run = LaneRun(message, 0, machine, self.memory.run((RUN, 0)))
        self.runs = {RUN: self.run}
        self.log: list[LaneAdvanced] = []

    def frame(self, first: int, *items: bytes) -> None:
        """Items come in, as the frame behind the last one."""
        self.store.take_in(self.run, first, ItemFrame(RUN, 0, first, items, "s"), 0.0)

    def adopt(self) -> None:
        """A second later: the journal takes what waits."""
        self.store.adopt_old(1.0)
        self.store.settle_frames(self.runs)
        for record in self.draft.take(self.store.position(1_000), 0):
            self.log.append(record)
            self.store.written(len(self.log) - 1, record, 1, self.runs)

    def answer_requests(self) -> None:
        """What is asked for is read from the journal."""
        for request in self.store.take_requests():
            found = {position: self.log[offset].adopted[place] for position, offset, place in request.places}
            assert self.store.received(self.run, InputsRead(request, found))

    def dequeued(self) -> list[tuple[int, bytes]]:
        """All that wait, each with its input, one after the other."""
        out = []
        while self.run.queue:
            waiting = self.run.queue[0]
            if waiting.position >= waiting.end:
                self.run.queue.popleft()
                continue
            if not input_in_memory(self.run, waiting):
                self.store.request(self.run)
                self.answer_requests()
                continue
            out.append(self.store.dequeue(self.run, waiting)[:2])
        return out


def text(number: int) -> bytes:
    """An input of 100 bytes."""
    return b'"%098d"' % number


def test_a_position_waits_in_one_place() -> None:
    """A frame that comes again, or overlaps one that came, adds only what is new."""
    stored = Stored()
    stored.frame(0, text(0), text(1))
    stored.frame(0, text(0), text(1))
    stored.frame(1, text(1), text(2))
    assert stored.run.bytes_queued == 300
    assert stored.dequeued() == [(n, text(n)) for n in range(3)]
    assert stored.run.bytes_queued == 0


def test_a_frame_holds_the_position_until_its_children_are_adopted() -> None:
    """A successor reads from the first frame that is not wholly finished or adopted."""
    stored = Stored()
    stored.frame(0, text(0), text(1))
    assert stored.store.position(7) == 0
    assert stored.store.adopts_in_seconds(0.25) == 0.75
    stored.adopt()
    assert stored.store.position(7) == 7
    assert stored.store.adopts_in_seconds(1.0) is None
    assert [child.input for record in stored.log for child in record.adopted] == [text(0), text(1)]


def test_who_can_not_be_built_holds_the_position_until_it_is_refused() -> None:
    """An item that is too large is not adopted: the frame is passed only once the child is answered."""
    stored = Stored()
    stored.frame(0, b'"' + b"x" * 600 + b'"', text(1))
    stored.adopt()
    assert stored.store.position(7) == 0
    stored.run.finished.add(0, 1)
    stored.store.settle_frames(stored.runs)
    assert stored.store.position(7) == 7


def test_a_closed_run_holds_no_position() -> None:
    """Nobody reads its frames again."""
    stored = Stored()
    stored.frame(0, text(0))
    stored.run.over = True
    stored.store.settle_frames({})
    assert stored.store.position(7) == 7


def test_inputs_leave_memory_and_come_back_in_order() -> None:
    """Above the limit the last to start go first, down to half of it; each comes back with its own input."""
    stored = Stored()
    stored.frame(0, *(text(n) for n in range(30)))
    stored.adopt()
    stored.store.spill(stored.runs.values(), can_start=True)
    assert stored.run.bytes_queued <= LIMITS.spill_bytes_max // 2
    assert stored.memory.inputs_bytes == stored.run.bytes_queued == stored.run.bytes_adopted
    assert stored.dequeued() == [(n, text(n)) for n in range(30)]
    assert (stored.run.bytes_queued, stored.run.bytes_adopted, stored.memory.inputs_bytes) == (0, 0, 0)


def test_the_next_to_start_stays_if_it_can_start() -> None:
    """It would be read from the journal again and again; where nothing can start it goes like all others."""
    for can_start in (True, False):
        stored = Stored()
        for first in range(0, 9, 3):
            stored.frame(first, *(b'"%0398d"' % n for n in range(3)))
        stored.adopt()
        for adopted in list(stored.run.memory.adopted.values())[1:]:
            stored.memory.leave(adopted)  # only the first is in memory, and it is too much
        stored.run.bytes_queued = stored.run.bytes_adopted = LIMITS.spill_bytes_max * 2
        stored.store.spill(stored.runs.values(), can_start=can_start)
        assert input_in_memory(stored.run, stored.run.queue[0]) == can_start


def test_requests_are_bounded_and_one_at_a_time() -> None:
    """So many bytes are read at once; while they are read nothing else of the run is asked for."""
    stored = Stored()
    stored.frame(0, *(text(n) for n in range(30)))
    stored.adopt()
    for adopted in stored.run.memory.adopted.values():
        stored.memory.leave(adopted)
    stored.store.request(stored.run)
    stored.store.request(stored.run)
    [request] = stored.store.take_requests()
    assert [position for position, _, _ in request.places] == [0, 1, 2, 3]


def test_an_input_that_is_nowhere_was_deleted_by_a_newer_owner() -> None:
    """One that moved meanwhile is asked for again; one that did not move and is not there is gone."""
    stored = Stored()
    stored.frame(0, text(0))
    stored.adopt()
    stored.memory.leave(stored.run.memory.adopted[0])
    stored.store.request(stored.run)
    [request] = stored.store.take_requests()
    assert not stored.store.received(stored.run, InputsRead(request, {}))
    stored.run.memory.adopted[0].offset = 5
    assert stored.store.received(stored.run, InputsRead(request, {}))
    stored.store.request(stored.run)
    assert stored.store.take_requests() == [msgspec.structs.replace(request, places=((0, 5, 0),))]


def test_a_new_owner_queues_what_the_journal_holds() -> None:
    """Adopted children wait again, those that ran before first, each once."""
    before = Stored()
    before.frame(0, *(text(n) for n in range(4)))
    before.adopt()
    after = Stored()
    after.log = before.log
    for offset, record in enumerate(before.log):
        after.memory.apply(offset, record, 1)
    after.run.past[2] = []
    after.store.restore(after.run)
    after.store.restore(after.run)
    assert [position for position, _ in after.dequeued()] == [2, 0, 1, 3]
