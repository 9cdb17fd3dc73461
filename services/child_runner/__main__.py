"""The child-runner process: put together here, and nowhere else."""

import sys
from functools import partial

from maprun.aws.clients import settings_of_tasks
from maprun.aws.tasks import TaskRunner
from maprun.bus.kafka import Owned
from maprun.bus.service import Composed, run_service
from maprun.interpreter import Limits as ExecutionLimits
from maprun.interpreter.express import ExpressInterpreter, express_limits
from maprun.interpreter.lane_children import Children
from maprun.runtime import clock, files
from maprun.runtime.limits import Limits
from maprun.runtime.otlp import spans_of
from maprun.runtime.settings import Settings
from schemas.arns import Names
from schemas.tokens import TokenSecret
from services.child_runner.express_histories import ExpressHistories
from services.child_runner.express_owner import ExpressDeps, own_express
from services.child_runner.limits import HISTORY_UNBOUNDED, limits_of
from services.child_runner.log_owner import LogDeps, own_logs
from services.child_runner.machine import shared
from services.child_runner.memory_budget import MemoryBudget
from services.child_runner.metrics import Counted
from services.child_runner.owner import Deps, own_lane
from services.child_runner.topology import EXPRESS, EXPRESS_GROUP, GROUP, LOGS, LOGS_GROUP, OWNED, SERVICE


def compose(settings: Settings, limits: Limits) -> Composed:
    """Owners of lanes over one pool of Task connections."""
    files.allow_many()  # a Task under way holds a connection
    secret, metrics = TokenSecret(), Counted(spans := spans_of(settings, SERVICE))
    tasks = TaskRunner(settings_of_tasks(settings), clock.wall_seconds, clock.monotonic_seconds, secret)
    own = limits_of(settings.payload_bytes_max, limits.value_bytes_max)
    run_task = spans.measured(metrics.aws.measured(tasks.run_task, clock.monotonic_seconds))
    sizes = settings.payload_bytes_max, settings.history_events_max
    of_children = ExecutionLimits(*sizes, history_bytes_max=HISTORY_UNBOUNDED, plan_bytes_max=limits.plan_bytes_max)
    deps = Deps(
        compile_run=shared(Children(Names(settings.region, settings.account), of_children, secret).compile_run),
        run_task=run_task,
        begin_task=spans.measured_begin(metrics.aws.measured_begin(tasks.begin_task, clock.monotonic_seconds)),
        jobs=tasks.job_calls,
        limits=own,
        metrics=metrics,
        budget=MemoryBudget(settings.running_bytes_max),
    )
    interpreter = ExpressInterpreter(express_limits(settings.payload_bytes_max))
    among = deps.metrics, deps.budget, deps.pace, ExpressHistories(settings.express_history_bytes_max)
    express = ExpressDeps(interpreter, run_task, own, *among, settings.homes)
    owned = [
        Owned(OWNED, GROUP, partial(own_lane, deps=deps), own.drain_seconds),
        Owned(EXPRESS, EXPRESS_GROUP, partial(own_express, deps=express), own.drain_seconds),
    ]
    told = Owned(LOGS, LOGS_GROUP, partial(own_logs, deps=LogDeps(tasks.run_task, metrics.logs_given_up)))
    return Composed([*owned, told] if settings.logs else owned, secret, close=(tasks.close, spans.close))


if __name__ == "__main__":
    sys.exit(run_service(SERVICE, compose))
