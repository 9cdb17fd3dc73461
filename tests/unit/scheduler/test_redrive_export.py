"""Result export over generations: what each redrive writes, whoever writes it; and what is left when writing fails."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from maprun.mapruns.fold.home import decode_record
from maprun.mapruns.results.stages import LOST
from schemas import topics
from schemas.arns import parse_child_name
from schemas.home import (
    ABORTED,
    FAILED,
    RETURNED,
    SUCCEEDED,
    TIMED_OUT,
    ItemsRead,
    RedriveRequested,
    ResultsWritten,
    SourceEnded,
    SourceFailed,
)
from schemas.plan import ResultWriterPlan
from services.scheduler.deps import ResultTroubleError
from services.scheduler.limits import SchedulerLimits
from services.scheduler.owner import own_home
from tests.unit.mapruns.generations import Child, of_kind, outcome
from tests.unit.mapruns.programs import HOMES, plan, request
from tests.unit.scheduler.rig import Rig

SMALL = SchedulerLimits(part_bytes=700, file_bytes_max=3_000, export_read_records=3)
Make = Callable[..., Rig]


class Story:
    """One execution with a Map Run whose generations the test tells, record by record."""

    def __init__(self, rig: Rig, **over: Any) -> None:
        self.rig = rig
        self.group = rig.group(topics.HOME, own_home, HOMES)
        self.process = rig.process(self.group)
        writer = ResultWriterPlan(bucket="b", prefix="p")
        self.asked = request("map", [["map", plan(writer=writer, max_concurrency=600, **over)]])
        rig.put(topics.HOME, 0, self.asked)
        rig.until(lambda: bool(self.runs()))
        [self.run] = self.runs()
        self.redrives = 0

    def runs(self) -> dict[str, Any]:
        """The open runs."""
        found: dict[str, Any] = self.rig.watched[-1].state.runs if self.rig.watched else {}
        return found

    def redrive(self) -> None:
        """The next generation begins."""
        self.redrives += 1
        self.rig.put(topics.HOME, 0, RedriveRequested(f"redrive-{self.redrives}", self.asked.arn))
        self.rig.until(lambda: self.run in self.runs() and self.runs()[self.run].generation == self.redrives)

    def read(self, first: int, count: int, redriven: tuple[int, ...] = (), *, ended: bool = False) -> None:
        """Positions were read; with the last one the source has ended."""
        self.rig.put(
            topics.HOME, 0, ItemsRead(self.run, self.redrives, first, count, count, 9, b"c", redriven=redriven)
        )
        if ended:
            self.rig.put(topics.HOME, 0, SourceEnded(self.run, self.redrives, first + count))

    def end(self, answers: dict[int, Child]) -> None:
        """Children ended."""
        self.rig.put(topics.HOME, 0, outcome(self.redrives, answers, run=self.run))

    def over(self) -> None:
        """Waits until the run is over."""
        self.rig.until(lambda: self.run not in self.runs(), 200)

    @property
    def folder(self) -> str:
        """Where this generation's files are."""
        return f"p/{self.run}/" + (f"Redrive-{self.redrives}/" if self.redrives else "")

    def manifest(self) -> dict[str, list[Any]]:
        """The files that this generation's manifest lists."""
        body = msgspec.json.decode(self.rig.s3.objects[f"b/{self.folder}manifest.json"])
        found: dict[str, list[Any]] = body["ResultFiles"]
        return found

    def children(self, status: str) -> list[tuple[int, int]]:
        """(index, RedriveCount) of the records in the files of a status."""
        out = []
        for file in self.manifest()[status]:
            body = self.rig.s3.objects[f"b/{file['Key']}"]
            assert len(body) == file["Size"]
            for record in msgspec.json.decode(body):
                child = parse_child_name(record["Name"])
                assert child is not None
                out.append((child.index, record["RedriveCount"]))
        return out

    def pending(self) -> list[str]:
        """The inputs in the files of those that never started."""
        files = [self.rig.s3.objects[f"b/{file['Key']}"] for file in self.manifest()["PENDING"]]
        return [record["Input"] for body in files for record in msgspec.json.decode(body)]


def test_three_generations(make_rig: Make) -> None:
    """Each redrive has its folder; its manifest lists the successes of all, and what is still unsuccessful."""
    story = Story(make_rig(), tolerated_failure_count=0)
    first = {0: Child(0), 1: Child(1, FAILED), 2: Child(2, ABORTED), 3: Child(3, RETURNED), 4: Child(4, RETURNED)}
    story.read(0, 5, ended=True)
    story.end(first)
    story.over()
    before = dict(story.rig.s3.objects)
    assert story.children("SUCCEEDED") == [(0, 0)]
    assert story.children("FAILED") == [(1, 0), (2, 0)]

    story.redrive()  # 1 fails again, which closes the run; 2 and the others are not reached
    story.read(0, 1, (FAILED, 1, 1))
    story.end({0: Child(1, FAILED, 1)})
    story.rig.put(topics.HOME, 0, SourceFailed(story.run, 1, "States.ItemReaderFailed", "no more is read"))
    story.over()
    assert story.folder.endswith("/Redrive-1/")
    assert [file["Key"].rsplit("/", 2)[1:] for file in story.manifest()["SUCCEEDED"]] == [
        [story.run, "SUCCEEDED_0.json"],
        ["Redrive-1", "SUCCEEDED_0.json"],
    ]
    assert story.children("SUCCEEDED") == [(0, 0)]  # the second file is empty, as on AWS
    assert story.children("FAILED") == [(1, 1), (2, 0)]
    assert story.pending() == ['{"i":3}', '{"i":4}']

    story.redrive()
    story.read(0, 2, (FAILED, 1, 1, ABORTED, 1, 1))
    story.read(2, 2)
    story.end({1: Child(2, SUCCEEDED, 1), 0: Child(1, SUCCEEDED, 2), 2: Child(3), 3: Child(4)})
    story.over()
    assert story.children("SUCCEEDED") == [(0, 0), (2, 1), (1, 2), (3, 0), (4, 0)]
    assert story.children("FAILED") == []
    assert story.manifest()["PENDING"] == []
    assert {key: body for key, body in story.rig.s3.objects.items() if key in before} == before
    story.rig.run(1)
    event = msgspec.json.decode(story.rig.records(topics.EXECUTION_EVENTS)[-1].value or b"")["detail"]
    assert event["status"] == "SUCCEEDED"
    assert msgspec.json.decode(event["output"])["ResultWriterDetails"]["Key"] == f"{story.folder}manifest.json"


def test_a_redrive_that_fails_at_once_copies_what_is_unsuccessful(make_rig: Make) -> None:
    """Nothing was read: FAILED and PENDING are written again, and an empty file of successes."""
    story = Story(make_rig())
    story.read(0, 3, ended=True)
    story.end({0: Child(0), 1: Child(1, FAILED), 2: Child(2, RETURNED)})
    story.over()
    story.redrive()
    story.rig.put(topics.HOME, 0, SourceFailed(story.run, 1, "States.Runtime", "no"))
    story.over()
    assert story.children("FAILED") == [(1, 0)]
    assert story.pending() == ['{"i":2}']
    assert story.rig.s3.objects[f"b/{story.folder}SUCCEEDED_0.json"] == b"[]"
    assert story.rig.s3.uploads == {}


def test_results_that_could_not_be_written_are_written_by_the_redrive(make_rig: Make) -> None:
    """S3 refuses generation 0: its uploads are dropped, and its successes stand in generation 1's file."""
    story = Story(make_rig(SMALL), tolerated_failure_percentage=100.0)
    refused = [False]

    def fail(call: str) -> None:
        if call == "part" and len(story.rig.s3.calls) > 4:
            refused[0] = True
        if refused[0] and call != "abort":
            raise ResultTroubleError("Access Denied")

    story.rig.s3.fail = fail
    story.read(0, 9, ended=True)
    story.end({n: Child(n, FAILED if n == 4 else SUCCEEDED) for n in range(9)})
    story.over()
    assert story.rig.s3.uploads == {}
    assert [call[0] for call in story.rig.s3.calls].count("create") >= 1
    assert f"b/{story.folder}manifest.json" not in story.rig.s3.objects
    story.rig.s3.fail = lambda _call: None
    story.redrive()
    story.read(0, 1, (FAILED, 1, 1))
    story.end({0: Child(4, SUCCEEDED, 1)})
    story.over()
    assert {file["Key"].rsplit("/", 2)[1] for file in story.manifest()["SUCCEEDED"]} == {"Redrive-1"}
    assert story.children("SUCCEEDED") == [*((n, 0) for n in range(9) if n != 4), (4, 1)]


def test_uploads_stay_where_s3_is_away_for_good(make_rig: Make) -> None:
    """Where even dropping an upload fails, the run ends all the same."""
    story = Story(make_rig(SMALL))
    story.rig.s3.fail = lambda call: None if call == "create" else _refuse()
    story.read(0, 5, ended=True)
    story.end({n: Child(n) for n in range(5)})
    story.over()
    assert "abort" in {call[0] for call in story.rig.s3.calls}


def _refuse() -> None:
    raise ResultTroubleError("Access Denied")


def test_a_generation_begins_while_the_last_ones_export_still_ends(make_rig: Make) -> None:
    """RedriveRequested right behind the last record of a generation: two exports never mix their files."""
    story = Story(make_rig(SMALL))
    story.read(0, 9, ended=True)
    story.end({n: Child(n, FAILED if n == 8 else SUCCEEDED) for n in range(9)})
    story.rig.until(lambda: isinstance(decode_record(story.rig.records(topics.HOME)[-1].value or b""), ResultsWritten))
    story.redrives = 1
    story.rig.put(topics.HOME, 0, RedriveRequested("redrive-1", story.asked.arn))
    story.read(0, 1, (FAILED, 1, 1))
    story.end({0: Child(8, SUCCEEDED, 1)})
    story.rig.until(lambda: f"b/{story.folder}manifest.json" in story.rig.s3.objects)
    assert story.children("SUCCEEDED") == [*((n, 0) for n in range(8)), (8, 1)]
    assert story.rig.s3.uploads == {}


def test_an_export_whose_generation_is_over_stops(make_rig: Make) -> None:
    """Somebody else wrote generation 0's results, and the next one began: who is still at it begins no file of either.

    Parts that were on their way may come, and complete what they belong to: it is looked at before that.
    """
    story = Story(make_rig(SMALL))
    taken_over: list[int] = []

    def overtake(call: str) -> None:
        run = story.runs().get(story.run)
        if not taken_over and call == "part" and run is not None and run.phase == "writing":
            taken_over.append(len(story.rig.s3.calls))
            story.rig.put(topics.HOME, 0, ResultsWritten(story.run, 0, "b", "manifest", ("p/0", 7)))
            story.rig.put(topics.HOME, 0, RedriveRequested("redrive-1", story.asked.arn))
            story.redrives = 1
            story.read(0, 20, (FAILED, 20, 20))
            story.end({n: Child(n, SUCCEEDED, 1) for n in range(20)})

    story.rig.s3.fail = overtake
    story.read(0, 20, ended=True)
    story.end({n: Child(n, FAILED) for n in range(20)})
    story.rig.until(lambda: bool(taken_over) and f"b/{story.folder}manifest.json" in story.rig.s3.objects)
    assert story.manifest()["SUCCEEDED"][0] == {"Key": "p/0", "Size": 7}
    late = [call for call in story.rig.s3.calls[taken_over[0] :] if "Redrive-1" not in call[1]]
    assert {call[0] for call in late} <= {"part", "complete"}


@pytest.mark.parametrize("seed", range(12))
def test_killed_anywhere_the_files_of_every_generation_are_whole(make_rig: Make, seed: int) -> None:
    """Owners killed and paused at random over three generations: each child stands where its last end says, once."""
    chance = random.Random(seed)
    limits = SchedulerLimits(
        part_bytes=700, file_bytes_max=5_000, export_read_records=3, export_inbox_bytes_max=chance.choice([1, 10**7])
    )
    rig = make_rig(limits, seed)
    story = Story(rig)
    rig.process(story.group)
    again = [Child(n, RETURNED) for n in range(40)]  # as if it had never started: generation 0 reads it all
    now: dict[int, Child] = {}
    for generation in range(3):
        if generation:
            story.redrive()
        ends = {position: _drawn(chance, child, generation) for position, child in enumerate(again)}
        order = _answer_all(story, chance, again, ends)
        now |= {child.index: child for child in order}
        for statuses, name in ((frozenset({SUCCEEDED}), "SUCCEEDED"), (LOST, "FAILED")):
            wanted = [(i, child.redrive_count) for i, child in now.items() if child.status in statuses]
            assert sorted(story.children(name)) == sorted(wanted)
        assert len(story.pending()) == sum(child.status == RETURNED for child in now.values())
        again = of_kind(order, lost=True) + of_kind(order, lost=False)
    assert rig.s3.uploads == {}


def _drawn(chance: random.Random, child: Child, generation: int) -> Child:
    """How a child ends in a generation; the first one fails, so that there is something to redrive."""
    count = child.redrive_count + (generation > 0 and child.status != RETURNED)
    status = FAILED if not child.index else chance.choice([SUCCEEDED, SUCCEEDED, FAILED, TIMED_OUT])
    if not generation and child.index and chance.random() < 0.3:
        status = RETURNED
    return Child(child.index, status, count)


def _answer_all(story: Story, chance: random.Random, again: list[Child], ends: dict[int, Child]) -> list[Child]:
    """Tells a generation in small frames while owners die and pause; the children in the order of their answers."""
    lost = of_kind(again, lost=True)
    if lost:
        redriven = tuple(n for s in sorted(LOST) if (n_ := sum(c.status == s for c in lost)) for n in (s, n_, n_))
        story.read(0, len(lost), redriven, ended=len(lost) == len(again) and not story.redrives)
    if len(again) > len(lost):
        story.read(len(lost), len(again) - len(lost), ended=not story.redrives)
    order = list(ends)
    chance.shuffle(order)
    answered = [ends[position] for position in order]
    while order:
        part, order = order[:4], order[4:]
        story.end({position: ends[position] for position in part})
        if chance.random() < 0.3:  # told again, otherwise: the first answer stands
            story.end({position: Child(ends[position].index, ABORTED) for position in part})
        story.rig.run(chance.random())
        owner = story.group.owner[0]
        if owner is not None and chance.random() < 0.2:
            if chance.random() < 0.5:
                owner.kill()
            elif not owner.paused:
                owner.pause()
                story.rig.world.after(chance.random() * 12, owner.resume)
    story.over()
    story.rig.until(lambda: f"b/{story.folder}manifest.json" in story.rig.s3.objects, 200)
    story.rig.run(20)
    return answered
