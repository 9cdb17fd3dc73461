"""Stores that raise what nobody foresaw, or whose ETags say nothing: one run fails in words, or its bytes are right."""

import msgspec
import pytest

from schemas import topics
from services.scheduler.deps import Metrics, ResultTroubleError
from services.scheduler.limits import SchedulerLimits
from services.scheduler.owner import own_home
from tests.unit.mapruns.programs import HOMES, frame
from tests.unit.scheduler.exporting import SMALL, Make, read_all, records, runs, started


@pytest.mark.parametrize("call", ["create", "part", "complete", "manifest", "abort"])
@pytest.mark.parametrize("error", [KeyError, ValueError, TypeError])
def test_what_a_store_raises_fails_one_run_alone(make_rig: Make, call: str, error: type[Exception]) -> None:
    """An error that nobody foresaw ends the results of the run that met it, and is told; the other is written."""
    seen: list[tuple[str, Exception]] = []

    class Watched(Metrics):
        """Keeps what was unexpected."""

        def unexpected(self, what: str, error: Exception) -> None:
            """Kept."""
            seen.append((what, error))

    rig = make_rig(SMALL, metrics=Watched())
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    hit, beside = started(rig, "hit"), started(rig, "beside")

    def fail(called: str) -> None:
        about = " ".join(rig.s3.calls[-1])
        if hit in about and (called == call or (call == "abort" and called == "complete")):
            raise error("ETag")

    rig.s3.fail = fail
    for run in (hit, beside):
        rig.put(topics.HOME, 0, frame(run, 0, list(range(5))))
        read_all(rig, run, 5)
    rig.until(lambda: runs(rig) == {})
    rig.run(1)
    details = [msgspec.json.decode(r.value or b"")["detail"] for r in rig.records(topics.EXECUTION_EVENTS)]
    ended = {detail["name"].partition("-")[0]: detail for detail in details if detail["status"] != "RUNNING"}
    assert (ended["hit"]["status"], ended["hit"]["error"]) == ("FAILED", "States.ResultWriterFailed")
    assert error.__name__ in ended["hit"]["cause"]
    assert f"s3://b/p/{hit}/" in ended["hit"]["cause"]
    assert ended["beside"]["status"] == "SUCCEEDED"
    assert len(records(rig, beside)["SUCCEEDED"]) == 5
    assert {type(found) for _, found in seen} == {error}


@pytest.mark.parametrize("limits", [SMALL, None])
def test_a_file_whose_etag_says_nothing_is_compared_by_its_bytes(
    make_rig: Make, limits: SchedulerLimits | None
) -> None:
    """A file whose completion's answer got lost, where ETags are the store's own, is proven by reading it back."""
    rig = make_rig(limits)
    rig.s3.own_etags = True
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)
    lost: list[tuple[str, ...]] = []

    def fail(called: str) -> None:
        if called == "complete" and rig.s3.calls[-1] not in lost:
            lost.append(rig.s3.calls[-1])
            upload = next(id_ for id_, path in rig.s3.keys.items() if path == f"b/{rig.s3.calls[-1][1]}")
            held = rig.s3.uploads.pop(upload)
            rig.s3.objects[rig.s3.keys[upload]] = b"".join(held[n] for n in sorted(held))
            trouble = ResultTroubleError("the answer got lost")
            trouble.retriable = True
            raise trouble

    rig.s3.fail = fail
    for n in range(0, 30, 5):
        rig.put(topics.HOME, 0, frame(run, 0, list(range(n, n + 5))))
    read_all(rig, run, 30)
    rig.until(lambda: runs(rig) == {}, 300)
    assert [int(r["Name"][:8], 16) for r in records(rig, run)["SUCCEEDED"]] == list(range(30))
    compared = sum(int(call[3]) for call in rig.s3.calls if call[0] == "compare")
    assert compared >= sum(len(body) for key, body in rig.s3.objects.items() if "SUCCEEDED" in key)


def test_a_file_of_another_with_the_same_size_is_refused(make_rig: Make) -> None:
    """Where ETags say nothing, other bytes of the right size are found out, and the run fails in words."""
    rig = make_rig()
    rig.s3.own_etags = True
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    run = started(rig)

    def fail(called: str) -> None:
        if called == "complete":
            upload = next(id_ for id_, path in rig.s3.keys.items() if path == f"b/{rig.s3.calls[-1][1]}")
            rig.s3.objects[rig.s3.keys[upload]] = b"x" * sum(map(len, rig.s3.uploads[upload].values()))

    rig.s3.fail = fail
    rig.put(topics.HOME, 0, frame(run, 0, [0]))
    read_all(rig, run, 1)
    rig.until(lambda: runs(rig) == {})
    rig.run(1)
    event = msgspec.json.decode(rig.records(topics.EXECUTION_EVENTS)[-1].value or b"")["detail"]
    assert (event["error"], event["cause"]) == (
        "States.ResultWriterFailed",
        "exists with other content of the same size",
    )


def test_a_store_that_hangs_holds_up_no_other_run(make_rig: Make) -> None:
    """With one export at a time, a run whose store takes minutes lets the next one pass, and is written in the end."""
    rig = make_rig(SchedulerLimits(exports_writing_max=1, exports_early_max=1))
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    hangs = [started(rig, name) for name in ("one", "two")]
    beside = started(rig, "beside")

    def fail(_call: str) -> None:
        if any(run in rig.s3.calls[-1][1] for run in hangs):
            rig.world.call_seconds += 300

    rig.s3.fail = fail
    for run in (*hangs, beside):
        rig.put(topics.HOME, 0, frame(run, 0, [0]))
        read_all(rig, run, 1)
    rig.until(lambda: set(runs(rig)) == set(hangs), 60)
    assert len(records(rig, beside)["SUCCEEDED"]) == 1
    rig.until(lambda: runs(rig) == {}, 2000)
    assert [len(records(rig, run)["SUCCEEDED"]) for run in hangs] == [1, 1]
