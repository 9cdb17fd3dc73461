"""`GET /maprun/health`: how all processes of this maprun are doing, as they reported it on `process-reports`.

Every process of the tracker has all reports, so any of them answers, also one that has no home yet.
"""

from collections import Counter
from collections.abc import Sequence

from schemas.reports import OWNED_TOPICS
from services.maprun_tracker.api import inputs, watching_shapes
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.metrics import OPEN_EXECUTIONS, OPEN_MAP_RUNS, WAITING_MAP_RUNS
from services.maprun_tracker.process_reports import HOUR_MS, Life, ProcessReports


class HealthAsked(inputs.Input, frozen=True, kw_only=True):
    """Input of `GET /maprun/health`: nothing."""


async def health(service: Service, _ask: HealthAsked, _call: Call) -> watching_shapes.Health:
    """The processes of this moment, what they own together, and what keeps any of them from its work."""
    now_ms = service.port.now_ms()
    lives = list(service.reports.lives(now_ms))
    processes = service.reports.processes(now_ms)
    services = [_service(name, service.reports, lives, now_ms) for name in OWNED_TOPICS]
    figures: Counter[str] = Counter()
    for life in processes:
        if not life.silent(now_ms):
            figures.update(life.report.figures)
    errors: Counter[tuple[str, str]] = Counter()
    for life in lives:
        errors.update({(life.report.service, event): count for event, count in life.report.errors.items()})
    return watching_shapes.Health(
        ok=all(each.ok for each in services),
        troubles=[trouble for each in services for trouble in _troubles(each)],
        date=now_ms / 1000,
        services=services,
        map_runs=watching_shapes.OpenMapRuns(
            open=figures[OPEN_MAP_RUNS], waiting=figures[WAITING_MAP_RUNS], limit=service.fold_limits.open_runs_max
        ),
        open_executions=figures[OPEN_EXECUTIONS],
        errors_last_hour=[
            watching_shapes.LoggedErrors(service=name, event=event, count=count)
            for (name, event), count in errors.most_common()
        ],
    )


def _service(name: str, reports: ProcessReports, lives: Sequence[Life], now_ms: int) -> watching_shapes.ServiceHealth:
    topic, unowned = OWNED_TOPICS[name], reports.unowned(name, now_ms)
    own = [life for life in reports.processes(now_ms) if life.report.service == name]
    shown = [_process(life, topic, [each for each in lives if _same(each, life)], now_ms) for life in own]
    behind: Counter[str] = Counter()
    for life in own:
        if not life.silent(now_ms):
            behind.update(life.report.behind)
    return watching_shapes.ServiceHealth(
        service=name,
        ok=not unowned and not any(process.trouble for process in shown if process.status != "SILENT"),
        topic=topic,
        partitions=reports.partitions[topic],
        unowned_partitions=unowned,
        records_behind=dict(behind),
        processes=shown,
    )


def _process(life: Life, topic: str, lives: Sequence[Life], now_ms: int) -> watching_shapes.ProcessHealth:
    report, silent = life.report, life.silent(now_ms)
    trouble = f"It has said nothing for {(now_ms - life.seen_ms) // 1000} s." if silent else report.trouble
    return watching_shapes.ProcessHealth(
        instance=report.instance,
        status="SILENT" if silent else "NOT_READY" if trouble else "READY",
        trouble=trouble,
        host=report.host,
        pid=report.pid,
        start_date=report.started_ms / 1000,
        last_report_date=life.seen_ms / 1000,
        partitions=list(report.owns.get(topic, ())),
        records_behind=report.behind,
        errors_last_hour=sum(sum(each.report.errors.values()) for each in lives),
        starts_last_hour=sum(each.report.started_ms >= now_ms - HOUR_MS for each in lives),
    )


def _troubles(service: watching_shapes.ServiceHealth) -> list[str]:
    """What is wrong with a service, in words."""
    said = [
        f"{service.service} {process.instance}: {process.trouble}"
        for process in service.processes
        if process.status == "NOT_READY"
    ]
    if service.unowned_partitions:
        numbers = ", ".join(map(str, service.unowned_partitions))
        said.append(f"No {service.service} has the partitions {numbers} of {service.topic}.")
    return said


def _same(one: Life, other: Life) -> bool:
    return (one.report.service, one.report.instance) == (other.report.service, other.report.instance)
