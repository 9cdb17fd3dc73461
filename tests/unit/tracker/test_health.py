"""What `GET /maprun/health` says of the processes, by what they reported."""

import asyncio
from typing import Any

import msgspec
import pytest

from maprun.bus.port import Record
from schemas import topics
from schemas.reports import ProcessReported
from schemas.wire import encode
from services.maprun_tracker.api.health import HealthAsked, health
from services.maprun_tracker.process_reports import HOUR_MS, SHOWN_MS, SILENT_MS, ProcessReports
from tests.unit.tracker.processes import Log, Process
from tests.unit.tracker.test_api_redrive import CALL

NOW_MS = 10 * HOUR_MS
WELL = ProcessReported("", "a", "host", 1, NOW_MS - 2 * HOUR_MS, "", {}, {}, {}, {})
OWNED = {
    "scheduler": {"home": (0, 1)},
    "item-reader": {"item-asks": (0, 1)},
    "child-runner": {"items": (0,), "express-requests": (0,)},
    "maprun-tracker": {"home": (0, 1)},
}


def of(service: str, **changes: Any) -> ProcessReported:
    """A report of a process that has all there is to have, and is well, but for these changes."""
    return msgspec.structs.replace(WELL, **{"service": service, "owns": OWNED[service], **changes})


class World:
    """A process of the tracker that read some reports."""

    def __init__(self, *reports: ProcessReported | tuple[ProcessReported, int]) -> None:
        process = Process(Log(), set())
        self.service = process.service
        process.port.now_ms = lambda: NOW_MS  # type: ignore[method-assign]
        for offset, each in enumerate(reports):
            report, age_ms = each if isinstance(each, tuple) else (each, 1_000)
            self.put(offset, NOW_MS - age_ms, encode(report))

    def put(self, offset: int, at_ms: int, value: bytes) -> None:
        """A record of the topic."""
        self.service.reports.reported(Record(topics.PROCESS_REPORTS.name, 0, offset, at_ms, b"k", value))


def told(*reports: ProcessReported | tuple[ProcessReported, int]) -> Any:
    """The answer after these reports; those with an age came so long ago, the others just now."""

    async def run() -> Any:
        world = World(*reports)
        return msgspec.to_builtins(await health(world.service, HealthAsked(), CALL))

    return asyncio.run(run())


ALL = tuple(of(service) for service in OWNED)


def test_all_is_well_when_every_partition_has_a_process_that_is_ready() -> None:
    """Four services that have all their partitions: no trouble, and each process is shown as it reported itself."""
    answer = told(*ALL)
    assert (answer["ok"], answer["troubles"]) == (True, [])
    runner = next(each for each in answer["services"] if each["service"] == "child-runner")
    assert runner["partitions"] == 1
    assert runner["unownedPartitions"] == []
    (process,) = runner["processes"]
    assert (process["instance"], process["status"], process["partitions"]) == ("a", "READY", [0])
    assert process["startDate"] == (NOW_MS - 2 * HOUR_MS) / 1000


@pytest.mark.parametrize(
    ("reports", "troubles"),
    [
        (ALL[1:], ["No scheduler has the partitions 0, 1 of home."]),
        (
            (of("scheduler", trouble="not a member of group scheduler"), *ALL[1:]),
            ["scheduler a: not a member of group scheduler"],
        ),
        ((of("scheduler", owns={"home": (1,)}), *ALL[1:]), ["No scheduler has the partitions 0 of home."]),
        (((of("scheduler"), SILENT_MS), *ALL[1:]), ["No scheduler has the partitions 0, 1 of home."]),
        ((of("scheduler"), (of("scheduler", instance="b"), SILENT_MS), *ALL[1:]), []),
        ((of("scheduler", stopped=True, owns={}), *ALL[1:]), ["No scheduler has the partitions 0, 1 of home."]),
    ],
    ids=["missing", "not ready", "a home unowned", "silent", "silent, its homes with another", "stopped"],
)
def test_what_is_not_well_is_said_in_words(reports: Any, troubles: list[str]) -> None:
    """A service that nobody runs, a process that is not ready, a partition without owner: `ok` is false, and why."""
    answer = told(*reports)
    assert answer["troubles"] == troubles
    assert answer["ok"] is not bool(troubles)


def test_a_silent_process_is_shown_for_some_minutes() -> None:
    """Who was killed is seen, with how long nothing came; later it is forgotten, for others have its partitions."""
    silent = of("scheduler", instance="b", owns={})
    for age_ms, statuses in ((SILENT_MS, ["READY", "SILENT"]), (SHOWN_MS + 1, ["READY"])):
        scheduler = told(*ALL, (silent, age_ms))["services"][0]
        assert [process["status"] for process in scheduler["processes"]] == statuses
    assert told(*ALL, (silent, SILENT_MS))["services"][0]["processes"][1]["trouble"] == "It has said nothing for 20 s."


def test_figures_of_all_processes_are_summed_up() -> None:
    """Open Map Runs are those of all homes; what a silent process had is another's by now."""
    figures = {"openMapRuns": 2, "waitingMapRuns": 1, "openExecutions": 5}
    half = of("maprun-tracker", figures=figures)
    answer = told(
        half,
        msgspec.structs.replace(half, instance="b"),
        (msgspec.structs.replace(half, instance="c"), SILENT_MS),
    )
    assert answer["mapRuns"] == {"open": 4, "waiting": 2, "limit": 1_000}
    assert answer["openExecutions"] == 10


def test_errors_and_starts_of_the_last_hour_are_counted_over_all_lives() -> None:
    """A process that was started again still counts the errors of its former life, and that it was started."""
    former = (of("scheduler", started_ms=NOW_MS - HOUR_MS // 2, errors={"it_failed": 2}), HOUR_MS // 4)
    now = of("scheduler", started_ms=NOW_MS - HOUR_MS // 4, errors={"it_failed": 1, "other": 1}, behind={"home": 7})
    answer = told((of("scheduler", started_ms=1, errors={"old": 9}), HOUR_MS + 1), former, now)
    assert answer["errorsLastHour"] == [
        {"service": "scheduler", "event": "it_failed", "count": 3},
        {"service": "scheduler", "event": "other", "count": 1},
    ]
    (process,) = answer["services"][0]["processes"]
    assert (process["startsLastHour"], process["errorsLastHour"]) == (2, 4)
    assert process["recordsBehind"] == {"home": 7}


def test_what_cannot_be_read_is_passed_over_and_what_is_old_forgotten() -> None:
    """Bytes of somebody else change nothing; lives that ended over an hour ago take no memory."""
    reports = ProcessReports(1, 1)
    for offset, (value, at_ms) in enumerate([(b"\xff", 0), (encode(ALL[0]), 0)]):
        reports.reported(Record(topics.PROCESS_REPORTS.name, 0, offset, at_ms, None, value))
    later = encode(msgspec.structs.replace(ALL[0], instance="z"))
    reports.reported(Record(topics.PROCESS_REPORTS.name, 0, 100, HOUR_MS + 1, None, later))
    assert [life.report.instance for life in reports.lives(HOUR_MS + 1)] == ["z"]
    assert [life.report.instance for life in reports.lives(0)] == ["z"]
