"""The tracker's parts over one connection to Kafka: the homes of the process, the API over them, its site."""

import msgspec

from maprun.bus.kafka import KafkaHost
from maprun.interpreter import Limits as ExecutionLimits
from maprun.interpreter.roots import RootInterpreter
from maprun.runtime import clock
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from services.maprun_tracker.api.making import make_service
from services.maprun_tracker.api.service import Service
from services.maprun_tracker.api.site import Site
from services.maprun_tracker.express_calls import ExpressCalls
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.tracker import Tracker


class Composed(msgspec.Struct, frozen=True):
    """The parts of one process."""

    tracker: Tracker
    service: Service
    site: Site

    def work_beside(self, host: KafkaHost) -> None:
        """Starts what goes on beside homes and requests, once the host has connected."""
        host.beside("machines", self.service.follow)
        host.beside("starts", self.service.express.send)
        host.beside("ends", self.service.express.hear)
        host.beside("reports", self.service.reports.follow)


def compose(settings: Settings, limits: Limits, host: KafkaHost) -> Composed:
    """Puts them together, within the running loop."""
    own = TrackerLimits()
    sizes = settings.payload_bytes_max, settings.history_events_max
    root_limits = ExecutionLimits(*sizes, plan_bytes_max=limits.plan_bytes_max)
    tracker = Tracker(settings, limits, own, RootInterpreter(root_limits, host.secret), host)
    service = make_service(settings, host.port(), tracker, own, tracker.fold_limits, host.secret)
    host.reports_also(tracker.doing)
    process_key = f"{settings.instance}/{clock.wall_ms()}"
    service.express = ExpressCalls(process_key, service.names, settings.homes, settings.lanes, own)
    return Composed(tracker, service, Site(service, tracker, process_key, settings.api, settings.api_host_names))
