"""What must be true when a world has ended: outcomes, results, histories of executions, answers."""

from functools import partial

import msgspec

from maprun.mapruns.verdicts import LOST, NEVER_STARTED
from schemas.effects import REDRIVEN_IN_PART, TaskSucceeded
from schemas.history import EventType, HistoryEvent
from tests.simulation.books import Book
from tests.simulation.callee import calls_in
from tests.simulation.children import Children, Entries, check_history
from tests.simulation.house import House
from tests.simulation.plays import Play
from tests.simulation.results import Results

_UNSUCCESSFUL = {EventType.EXECUTION_FAILED, EventType.EXECUTION_ABORTED, EventType.EXECUTION_TIMED_OUT}


def check(house: House) -> None:
    """Looks at everything once more; adds to the world's violations."""
    if house.world.violations:
        return
    for message in house.judge.never_sent():
        house.world.violated(f"the fold demands it and nobody sent it: {message}")
    entries = Entries(house)
    heard: set[int] = set()
    for play in house.scenario.plays:
        heard |= _Ending(house, play, entries).check()
    _callbacks_heard(house, heard)
    _requests_answered(house)
    house.jobs.check()
    house.tracker.check()


def _callbacks_heard(house: House, heard: set[int]) -> None:
    """A success that was taken stands in its child's history, or its execution's: nothing that was answered is lost.

    But with a child that home never heard of.
    """
    cut = {play.arn for play in house.scenario.plays if play.bad_chars or play.flaky_chars}
    in_roots = {
        call
        for history in house.judge.histories.values()
        for event in history
        if event.type in {EventType.TASK_SUCCEEDED, EventType.ACTIVITY_SUCCEEDED}
        for call in calls_in(event.details[-1])
    }
    for call in house.callee.taken():
        whose = call.whose
        known = in_roots if whose.run == "" else heard
        if not isinstance(call.answer, TaskSucceeded) or whose.root in cut or call.number in known:
            continue
        if whose.run == "" or not house.judge.books[whose.run].unheard_of(whose.generation, whose.index):
            house.world.violated(f"a callback of call {call.number} for {whose} was taken, and lost")


def _requests_answered(house: House) -> None:
    """Each request has an answer, and always the same one, or a refusal before it was accepted."""
    answers = house.judge.answers
    if house.doors.unanswered():
        house.world.violated(f"requests without an answer: {house.doors.unanswered()}")
    for request_id, given in answers.items():
        accepted = {answer.body for answer in given if not answer.error}
        if len(accepted) > 1 and request_id.startswith(("redrive-", "untimely-", "request-")):
            house.world.violated(f"{request_id} was answered {accepted}")


class _Ending:
    """One execution's."""

    def __init__(self, house: House, play: Play, entries: Entries) -> None:
        self.house = house
        self.play = play
        self.entries = entries

    def violated(self, what: str) -> None:
        self.house.world.violated(f"{self.play.name}: {what}")

    def check(self) -> set[int]:
        """Status, output and histories of the execution and of its children. The calls that children heard of."""
        ended = self.house.judge.ended.get(self.play.arn)
        if ended is None:
            self.violated("no end was seen")
            return set()
        status, output, error = ended
        history = self.house.judge.histories[self.play.arn]
        check_history(history, status, self.violated)
        self._redrives(history)
        books = [book for book in self.house.judge.books.values() if book.run.root_arn == self.play.arn]
        children = Children(self.house, self.play, self.entries, books, self.violated)
        for book in books:
            children.check(book)
            if book.run.parent is None and self.play.writer:
                self._results(book)
        if status == "SUCCEEDED" and not self.play.writer:
            self._inline(children, history, output)
        self._one_version(books)
        self._status(status, error)
        return children.heard

    def _results(self, book: Book) -> None:
        payload_of = partial(self.entries.payload, book)
        redrives_of = partial(self.entries.redrives, book)
        Results(self.house.store, book, payload_of, redrives_of, self.violated).check(f"results-{self.play.name}")

    def _status(self, status: str, error: str | None) -> None:
        stopped = self.play.stop_at is not None or any(r.stop_after is not None for r in self.play.redrives)
        if status == "ABORTED":
            if not stopped:
                self.violated("aborted, and nobody stopped it")
            return
        undecided = self.play.changes_at is not None
        undecided |= bool(self.play.redrives) and self.play.untimely_at is not None  # repaired while it went on
        if error == REDRIVEN_IN_PART and any(redrive.chosen for redrive in self.play.redrives):
            self._in_part()
            return
        updated = any(update.tolerated_count is not None for update in self.play.updates)
        updated |= any(update.tolerated_percentage is not None for update in self.play.updates)
        if not undecided and not updated and (status, error) not in self._expected():
            self.violated(f"ended {status} {error}, expected one of {self._expected()}")

    def _in_part(self) -> None:
        """A run whose chosen children have all run again fails, while others stand as they were."""
        book = [book for book in self.house.judge.books.values() if book.run.execution_arn == self.play.arn][-1]
        if not book.run.chosen or len(book.now.accepted) != book.now.staged:
            self.violated(f"ended {REDRIVEN_IN_PART} with {len(book.now.accepted)} of {book.now.staged} answered")
        if book.run.source_over and not book.ended(*LOST, *NEVER_STARTED):
            self.violated(f"ended {REDRIVEN_IN_PART}, and all have succeeded")

    def _expected(self) -> list[tuple[str, str | None]]:
        """How it may end; of two reasons to fail the first one on home stands."""
        if self.play.plan_too_large:
            return [("FAILED", "States.DataLimitExceeded")]
        count, percentage = self.play.tolerance
        size = self.play.batch or 1
        good = self.house.lanes_work.good.get(self.play.arn, set())
        fails = [self.play.fails(i, good) for i in range(len(self.play.kinds))]
        batches = [fails[i : i + size] for i in range(0, len(fails), size)]
        failed = sum(len(batch) for batch in batches if any(batch))
        over = bool(failed) and count is None and percentage is None
        over |= count is not None and failed > count
        if percentage is not None and percentage > 0:
            over |= failed * 100 > percentage * len(fails)
        elif percentage is not None and count is None:
            over |= failed > 0
        ends: list[tuple[str, str | None]] = []
        if f"results-{self.play.name}" in self.house.store.missing:
            ends.append(("FAILED", "States.ResultWriterFailed"))
        if self.house.shelf.raising.get(self.play.name, ("close",))[0] != "close" and self.play.source != "state":
            ends.append(("FAILED", "States.ItemReaderFailed"))
        if over:
            ends.append(("FAILED", "States.ExceedToleratedFailureThreshold"))
        return ends or [("SUCCEEDED", None)]

    def _redrives(self, history: list[HistoryEvent]) -> None:
        """The history goes on behind each unsuccessful end with ExecutionRedriven, once for each request."""
        at = [i for i, event in enumerate(history) if event.type == EventType.EXECUTION_REDRIVEN]
        for n, i in enumerate(at, 1):
            event = history[i]
            if event.details != (n,) or history[i - 1].type not in _UNSUCCESSFUL or event.previous_id != i:
                self.violated(f"{event} follows {history[i - 1]}")
        answers = self.house.judge.answers
        accepted = [
            request_id
            for request_id in self.house.users.asked
            if request_id.startswith(("redrive-", "untimely-"))
            and request_id.split("-")[1] == self.play.name
            and any(not answer.error for answer in answers.get(request_id, ()))
        ]
        if len(accepted) != len(at):
            self.violated(f"{len(at)} redrives, accepted were {sorted(accepted)}")

    def _one_version(self, books: list[Book]) -> None:
        """An object that changed while it was read is never mixed with what it was."""
        for book in books:
            contents = [c for g in book.generations for p, c in g.published.items() if c and p >= g.staged]
            if self.play.source == "object" and len({b'"new":1' in content for content in contents}) > 1:
                self.violated("items of two versions of the object were published")

    def _inline(self, children: Children, history: list[HistoryEvent], output: bytes) -> None:
        """The Map state's result: the outputs of the children that succeeded, in order, of the run that came last."""
        arns = [e.details[0] for e in history if e.type in {EventType.MAP_RUN_STARTED, EventType.MAP_RUN_REDRIVEN}]
        value = msgspec.json.decode(output)
        if isinstance(value, dict):
            value = value["result"]
        expected = children.outputs(arns[-1])
        if value != expected:
            self.violated(f"the result is {output[:200]!r}, the children's outputs are {str(expected)[:200]}")
