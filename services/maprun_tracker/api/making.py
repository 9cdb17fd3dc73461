"""The API's service of a process, put together from its settings."""

import time

from maprun.aws.clients import make_s3, settings_of_tasks
from maprun.aws.function_logs import FunctionLogs
from maprun.aws.result_files import ResultFiles
from maprun.aws.tasks import TaskRunner
from maprun.bus.port import Port
from maprun.mapruns.limits import MapRunLimits
from maprun.runtime import chance, clock
from maprun.runtime.settings import Settings, throttles_of
from maprun.runtime.throttles import Throttle
from schemas.arns import Names
from schemas.tokens import TokenSecret
from services.maprun_tracker.api.quotas import Quotas
from services.maprun_tracker.api.service import Parts, Service
from services.maprun_tracker.limits import TrackerLimits


def make_service(
    settings: Settings, port: Port, parts: Parts, limits: TrackerLimits, folded: MapRunLimits, secret: TokenSecret
) -> Service:
    """`folded` are the limits that the fold of home works under."""
    names = Names(settings.region, settings.account)
    tasks = TaskRunner(settings_of_tasks(settings), clock.wall_seconds, clock.monotonic_seconds, secret)
    service = Service(port, parts, names, settings.homes, limits, folded, secret, tasks)
    service.result_files = ResultFiles(lambda: make_s3(settings_of_tasks(settings), time.sleep, chance.chance))
    service.function_logs = FunctionLogs(settings_of_tasks(settings))
    service.input_bytes_max = service.tests.payload_bytes_max = settings.payload_bytes_max
    throttle = Throttle(throttles_of(settings), clock.monotonic_seconds)
    service.quotas = Quotas(throttle, settings.state_machines_max, settings.activities_max)
    return service
