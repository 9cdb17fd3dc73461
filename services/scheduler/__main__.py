"""The scheduler's process: homes and the gate, with the interpreter, Tasks and S3 they need."""

import sys
from functools import partial

from maprun import interpreter
from maprun.archive.rocks import RocksStore
from maprun.aws.clients import settings_of_tasks
from maprun.aws.tasks import TaskRunner
from maprun.bus.kafka import Owned
from maprun.bus.service import Composed, run_service
from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.limits import limits_of
from maprun.runtime import clock, files
from maprun.runtime.limits import Limits
from maprun.runtime.otlp import spans_of
from maprun.runtime.settings import Settings
from schemas.arns import Names
from schemas.tokens import TokenSecret
from services.scheduler.deps import Deps
from services.scheduler.gate import own_requests, throttle_of
from services.scheduler.limits import limits_of as scheduler_limits
from services.scheduler.metrics import SchedulerMetrics
from services.scheduler.owner import own_home
from services.scheduler.s3_results import s3_results
from services.scheduler.shaping import shaping_of
from services.scheduler.topology import GATE_GROUP, GATED, GROUP, OWNED, SERVICE


def compose(settings: Settings, limits: Limits) -> Composed:
    """What the scheduler owns: homes, and the partitions of its gate in a group of their own."""
    files.allow_many()  # a Task under way holds a connection
    aws, sizes = settings_of_tasks(settings), (settings.payload_bytes_max, settings.history_events_max)
    metrics, names = SchedulerMetrics(spans := spans_of(settings, SERVICE)), Names(settings.region, settings.account)
    tasks = TaskRunner(aws, clock.wall_seconds, clock.monotonic_seconds, secret := TokenSecret())
    deps = Deps(
        interpreter=RootInterpreter(interpreter.Limits(*sizes, plan_bytes_max=limits.plan_bytes_max), secret),
        limits=scheduler_limits(settings.payload_bytes_max, limits.value_bytes_max),
        map_run_limits=limits_of(settings),
        effect_key=interpreter.effect_key,
        run_task=spans.measured(metrics.aws.measured(tasks.run_task, clock.monotonic_seconds)),
        jobs=tasks.job_calls,
        store=RocksStore(settings.state_dir.absolute() / SERVICE / settings.instance / "archive"),
        results=s3_results(aws),
        shaping=shaping_of(names, settings.shapers),
        names=names,
        homes=settings.homes,
        lanes=settings.lanes,
        metrics=metrics,
        secret=secret,
        topic_prefix=settings.prefix,
        throttle=throttle_of(settings),
    )
    homes = Owned(OWNED, GROUP, partial(own_home, deps=deps))
    gate = Owned(GATED, GATE_GROUP, partial(own_requests, deps=deps))
    return Composed([homes, gate], secret, close=(tasks.close, deps.shaping.close, spans.close))


if __name__ == "__main__":
    sys.exit(run_service(SERVICE, compose))
