"""What the tests of result export share: runs with a writer, and their files read back."""

from collections.abc import Callable
from typing import Any

import msgspec

from schemas import topics
from schemas.home import ItemsRead, SourceEnded
from schemas.plan import ResultWriterPlan
from services.scheduler.limits import SchedulerLimits
from tests.unit.mapruns.programs import plan, request
from tests.unit.scheduler.rig import Rig

SMALL = SchedulerLimits(part_bytes=700, file_bytes_max=3_000, export_read_records=3)


Make = Callable[..., Rig]


def started(rig: Rig, name: str = "map", **writer: Any) -> str:
    """Starts an execution with a Map Run that writes results; the run's id."""
    config = ResultWriterPlan(bucket="b", prefix="p", **writer)
    rig.put(
        topics.HOME,
        0,
        request(name, [["map", plan(writer=config, tolerated_failure_percentage=100.0, max_concurrency=600)]]),
    )
    rig.until(lambda: runs(rig) != {})
    rig.until(lambda: any(run.root_arn.split(":")[7].startswith(name) for run in runs(rig).values()))
    return next(id_ for id_, run in runs(rig).items() if run.root_arn.split(":")[7].startswith(name))


def runs(rig: Rig) -> dict[str, Any]:
    """The runs that the fold knows."""
    runs: dict[str, Any] = rig.watched[-1].state.runs if rig.watched else {}
    return runs


def read_all(rig: Rig, run: str, total: int) -> None:
    """The source holds so many items."""
    rig.put(topics.HOME, 0, ItemsRead(run, 0, 0, total, total, total * 50, b""))
    rig.put(topics.HOME, 0, SourceEnded(run, 0, total))


def manifest_of(rig: Rig, run: str) -> dict[str, Any]:
    """A run's manifest."""
    found: dict[str, Any] = msgspec.json.decode(rig.s3.objects[f"b/p/{run}/manifest.json"])
    return found


def records(rig: Rig, run: str) -> dict[str, list[Any]]:
    """What the files of a run hold, by status."""
    out: dict[str, list[Any]] = {}
    for status, files in manifest_of(rig, run)["ResultFiles"].items():
        for file in files:
            body = rig.s3.objects[f"b/{file['Key']}"]
            assert len(body) == file["Size"]
            out.setdefault(status, []).extend(msgspec.json.decode(body))
    return out
