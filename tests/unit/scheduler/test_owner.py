"""The owner of a home: what it sends, in which order, and how a successor goes on."""

from collections.abc import Callable
from typing import Any

import msgspec

from maprun.mapruns.fold.state import encode_state
from maprun.mapruns.limits import MapRunLimits
from schemas import topics
from schemas.effects import TaskRequested, TaskSucceeded
from schemas.home import HomeRecord, LimitsTaken, Origin, ParentTaskEnded, StopRequested, TimerDue
from schemas.traces import Trace, span_of
from services.scheduler.deps import Metrics
from services.scheduler.limits import SchedulerLimits
from services.scheduler.owner import own_home
from tests.unit.mapruns.programs import HOMES, LANES, plan, request
from tests.unit.scheduler.rig import Rig

Make = Callable[..., Rig]


def _home(rig: Rig) -> list[Any]:
    found = []
    for record in rig.records(topics.HOME):
        try:
            found.append(msgspec.msgpack.decode(record.value or b"", type=HomeRecord))
        except msgspec.DecodeError:
            found.append(None)
    return found


def _statuses(rig: Rig) -> list[str]:
    return [msgspec.json.decode(r.value or b"")["detail"]["status"] for r in rig.records(topics.EXECUTION_EVENTS)]


def test_a_task_runs_once_under_its_key_and_the_execution_succeeds(make_rig: Make) -> None:
    """A root execution's Task is started once with the key of its effect, and its outcome ends the execution."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    asked = request("one", [["task"]])
    rig.put(topics.HOME, 0, asked)
    rig.until(lambda: _statuses(rig) == ["RUNNING", "SUCCEEDED"])
    assert rig.tasks == [("step-0", f"{asked.arn}|0|step-0")]


def test_a_timer_fires_in_log_time_and_no_earlier(make_rig: Make) -> None:
    """A Wait of two seconds ends two seconds after it began, give or take the clocks' skew."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    rig.put(topics.HOME, 0, request("wait", [["wait", 2]]))
    rig.until(lambda: "SUCCEEDED" in _statuses(rig))
    began, fired = rig.records(topics.HOME)
    assert isinstance(_home(rig)[1], TimerDue)
    assert 1_950 <= fired.timestamp_ms - began.timestamp_ms <= 2_200


def test_lanes_know_a_run_before_its_items_are_asked_for(make_rig: Make) -> None:
    """RunOpened on every lane is in the log before the first ItemsRequested is."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    order: list[str] = []
    rig.world.observers.append(lambda record: order.append(record.topic))
    rig.put(topics.HOME, 0, request("map", [["map", plan()]]))
    rig.until(lambda: topics.ITEM_ASKS.name in order)
    assert order[: order.index(topics.ITEM_ASKS.name)].count(topics.LANE_SIGNALS.name) == LANES


def test_a_successor_takes_over_what_is_pending(make_rig: Make) -> None:
    """Who takes a home over after kill -9 arms its timers and starts its pending Tasks again, under the same key."""
    rig = make_rig()
    rig.task_seconds = 30.0
    first = rig.process(rig.group(topics.HOME, own_home, HOMES))
    rig.put(topics.HOME, 0, request("t", [["task"]]))
    rig.put(topics.HOME, 0, request("w", [["wait", 20]]))
    rig.until(lambda: len(rig.tasks) == 1)
    rig.task_seconds = 0.5
    first.kill()
    rig.until(lambda: _statuses(rig).count("SUCCEEDED") == 2)
    assert len(rig.tasks) == 2
    assert len(set(rig.tasks)) == 1
    assert [type(record) for record in _home(rig)[2:]] == [ParentTaskEnded, TimerDue]


def test_a_recorded_outcome_is_not_produced_again(make_rig: Make) -> None:
    """A Task whose outcome stands on home when it is taken over is not started, however long the folding takes."""
    rig = make_rig(SchedulerLimits(records_per_turn_max=1))
    asked = request("t", [["task"], ["wait", 1]])
    rig.put(topics.HOME, 0, asked)
    for n in range(600):
        rig.put(topics.HOME, 0, request(f"between-{n}", []))
    rig.put(topics.HOME, 0, ParentTaskEnded(asked.arn, TaskSucceeded("step-0", b"{}")))
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    rig.until(lambda: _statuses(rig).count("SUCCEEDED") == 601)
    assert rig.tasks == []


def test_a_successor_with_another_limit_judges_nothing_anew(make_rig: Make) -> None:
    """Started again with a limit of one, three executions go on that had begun before any snapshot; the next waits."""
    rig = make_rig()
    first = rig.process(rig.group(topics.HOME, own_home, HOMES))
    for name in ("a", "b", "c"):
        rig.put(topics.HOME, 0, request(name, [["wait", 20]]))
    rig.until(lambda: len(rig.records(topics.EXECUTION_EVENTS)) == 3)
    rig.over["map_run_limits"] = MapRunLimits(open_executions_max=HOMES, rules=0)
    first.kill()
    rig.until(lambda: any(isinstance(record, LimitsTaken) for record in _home(rig)), seconds=60)
    rig.put(topics.HOME, 0, request("d", [], request_id="d", origin=Origin("execution-requests", 0, 0)))
    rig.until(lambda: _statuses(rig).count("SUCCEEDED") == 4, seconds=60)
    assert _statuses(rig) == ["RUNNING"] * 3 + ["SUCCEEDED"] * 3 + ["RUNNING", "SUCCEEDED"]
    assert [record for record in _home(rig) if isinstance(record, LimitsTaken)] == [
        LimitsTaken(open_executions_max=HOMES)
    ]


def test_a_cancelled_task_leaves_its_slot_to_the_next(make_rig: Make) -> None:
    """With one Task at a time, stopping the execution that holds the slot lets the next one run."""
    rig = make_rig(SchedulerLimits(tasks_at_once_max=1))
    rig.task_seconds = 100.0
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    slow, next_ = request("slow", [["task"]]), request("next", [["task"]])
    rig.put(topics.HOME, 0, slow)
    rig.put(topics.HOME, 0, next_)
    rig.until(lambda: len(rig.tasks) == 1)
    rig.run(1)
    assert len(rig.tasks) == 1
    rig.task_seconds = 0.1
    rig.put(topics.HOME, 0, StopRequested("stop", slow.arn))
    rig.until(lambda: sorted(_statuses(rig)) == ["ABORTED", "RUNNING", "RUNNING", "SUCCEEDED"])


def test_hundreds_of_long_tasks_keep_no_other_waiting(make_rig: Make) -> None:
    """A Task starts at once beside 600 that have not ended; 500 of them once were all that a home could have."""
    rig = make_rig()
    rig.task_seconds = 10_000.0
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    for n in range(600):
        rig.put(topics.HOME, 0, request(f"long-{n}", [["task"]]))
    rig.until(lambda: len(rig.tasks) == 600)
    rig.task_seconds = 0.1
    rig.put(topics.HOME, 0, request("short", [["task"]]))
    rig.until(lambda: "SUCCEEDED" in _statuses(rig), seconds=5)


def test_a_home_goes_on_while_tasks_wait_their_turn(make_rig: Make) -> None:
    """At the bound of Tasks executions without one run, and a Task that is stopped while it waits never starts."""
    rig = make_rig(SchedulerLimits(tasks_at_once_max=1))
    rig.task_seconds = 10_000.0
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    waits = request("waits", [["task"]])
    for asked in (request("long", [["task"]]), waits, request("none", [["wait", 1]])):
        rig.put(topics.HOME, 0, asked)
    rig.until(lambda: "SUCCEEDED" in _statuses(rig))
    rig.put(topics.HOME, 0, StopRequested("stop", waits.arn))
    rig.until(lambda: "ABORTED" in _statuses(rig))
    assert len(rig.tasks) == 1


def test_a_record_that_cannot_be_read_is_passed_over(make_rig: Make) -> None:
    """Garbage on home stops nobody."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    rig.put(topics.HOME, 0, b"\xc1 garbage")
    rig.put(topics.HOME, 0, request("one", [["task"]]))
    rig.until(lambda: "SUCCEEDED" in _statuses(rig))


def test_a_snapshot_is_written_when_nothing_goes_on_and_a_successor_begins_with_it(make_rig: Make) -> None:
    """After quiet seconds the state is on its topic; a successor folds nothing older and knows the same."""
    rig = make_rig()
    first = rig.process(rig.group(topics.HOME, own_home, HOMES))
    rig.put(topics.HOME, 0, request("w", [["wait", 30]]))
    rig.put(topics.HOME, 0, request("x", [["task"]]))
    rig.until(lambda: bool(rig.records(topics.HOME_SNAPSHOTS)))
    before = encode_state(rig.watched[-1].state, rig.interpreter)
    rig.world.log(topics.HOME.name, 0).records[0] = None  # home's retention took the oldest away
    first.kill()
    rig.until(lambda: _statuses(rig).count("SUCCEEDED") == 2)
    assert b"step-0" in before
    assert _statuses(rig) == ["RUNNING", "RUNNING", "SUCCEEDED", "SUCCEEDED"]


def test_old_snapshots_are_swept_all_but_two(make_rig: Make) -> None:
    """Keys never repeat, so compaction alone would keep every snapshot: tombstones leave the newest two."""
    rig = make_rig(SchedulerLimits(snapshot_quiet_seconds=0.5, snapshot_chunk_bytes_max=100))
    processes = [rig.process(rig.group(topics.HOME, own_home, HOMES))]
    for n in range(6):
        rig.put(topics.HOME, 0, request(f"n{n}", [["wait", 1000 + n]]))
        rig.run(8)
        if n == 2:
            processes[0].kill()
            rig.run(10)
    live: dict[bytes, bool] = {}
    for record in rig.records(topics.HOME_SNAPSHOTS):
        live[record.key or b""] = record.value is not None
    offsets = {key.split(b"|")[1] for key, value in live.items() if value}
    assert offsets == {b"4", b"5"}
    assert len([key for key, value in live.items() if value]) > 2


def test_a_result_that_no_record_holds_fails_its_task(make_rig: Make) -> None:
    """A Task that answers more than a record may hold is States.DataLimitExceeded, not a scheduler that can't go on."""

    async def run_task(asked: TaskRequested, _key: str) -> TaskSucceeded:
        return TaskSucceeded(asked.ref, b'"%s"' % (b"x" * (5 << 20)))

    rig = make_rig(run_task=run_task)
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    rig.put(topics.HOME, 0, request("big", [["task"]]))
    rig.until(lambda: _statuses(rig) == ["RUNNING", "FAILED"])
    event = msgspec.json.decode(rig.records(topics.EXECUTION_EVENTS)[-1].value or b"")
    assert event["detail"]["error"] == "States.DataLimitExceeded"


def test_no_task_starts_without_a_proven_lease(make_rig: Make) -> None:
    """An owner that can't reach its group starts nothing once its lease has passed; who owns the home later does."""
    rig = make_rig()
    process = rig.process(rig.group(topics.HOME, own_home, HOMES))
    rig.run(3)
    process.isolate()
    rig.run(5.2)
    rig.put(topics.HOME, 0, request("one", [["task"]]))
    rig.run(0.6)
    assert _statuses(rig) == ["RUNNING"]
    assert rig.tasks == []
    process.reconnect()
    rig.until(lambda: "SUCCEEDED" in _statuses(rig))
    assert len(rig.tasks) == 1


def test_a_cancelled_timer_leaves_no_record(make_rig: Make) -> None:
    """A timer of a stopped execution does not fire."""
    rig = make_rig()
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    asked = request("w", [["wait", 5]])
    rig.put(topics.HOME, 0, asked)
    rig.run(2)
    rig.put(topics.HOME, 0, StopRequested("s", asked.arn))
    rig.run(20)
    assert len(rig.records(topics.HOME)) == 2


def test_a_tasks_call_belongs_to_the_trace_of_its_execution(make_rig: Make) -> None:
    """With the attempt as the parent; an execution that carries no trace has none."""
    asked: dict[str, str] = {}

    async def run_task(request: TaskRequested, key: str) -> TaskSucceeded:
        asked[key] = request.trace
        return TaskSucceeded(request.ref, b"{}")

    rig = make_rig(run_task=run_task)
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    rig.put(topics.HOME, 0, request("traced", [["task"]], trace_header=header))
    rig.put(topics.HOME, 0, request("plain", [["task"]]))
    rig.until(lambda: _statuses(rig).count("SUCCEEDED") == 2)
    traces = {key.partition("|")[0].rpartition(":")[2].partition("-")[0]: (key, trace) for key, trace in asked.items()}
    key, trace = traces["traced"]
    assert trace == f"Root=1-5759e988-bd862e3fe1be46a994272793;Parent={span_of(key)};Sampled=1"
    assert traces["plain"][1] == ""


def test_the_end_of_a_traced_execution_tells_its_trace(make_rig: Make) -> None:
    """Also when it began and ended in one turn; of one that isn't sampled nothing is told."""
    told: dict[tuple[str, str], Trace | None] = {}

    class Watched(Metrics):
        """Keeps the traces that status events came with."""

        def status_changed(self, event: bytes, trace: Trace | None) -> None:
            """Kept."""
            detail = msgspec.json.decode(event)["detail"]
            told[detail["name"].partition("-")[0], detail["status"]] = trace

    rig = make_rig(metrics=Watched())
    rig.process(rig.group(topics.HOME, own_home, HOMES))
    root = "1-5759e988-bd862e3fe1be46a994272793"
    rig.put(topics.HOME, 0, request("long", [["task"]], trace_header=f"Root={root};Sampled=1"))
    rig.put(topics.HOME, 0, request("short", [], trace_header=f"Root={root};Sampled=1"))
    rig.put(topics.HOME, 0, request("quiet", [], trace_header=f"Root={root};Sampled=0"))
    rig.until(lambda: _statuses(rig).count("SUCCEEDED") == 3)
    trace = Trace(root, sampled=True)
    assert {name: told[name, "SUCCEEDED"] for name in ("long", "short", "quiet")} == {
        "long": trace,
        "short": trace,
        "quiet": None,
    }
