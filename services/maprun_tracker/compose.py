"""The tracker's parts over one connection to Kafka: the homes of the process, the API over them, its site."""

import datetime as dt
import ipaddress

import msgspec

from maprun.aws.own_calls import OwnSigner
from maprun.bus.kafka import KafkaHost
from maprun.interpreter import Limits as ExecutionLimits
from maprun.interpreter.roots import RootInterpreter
from maprun.runtime import clock
from maprun.runtime.connections import ConnectionLimits
from maprun.runtime.keys import KeyFile
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings
from schemas.arns import Names
from schemas.tokens import TokenSecret
from services.maprun_tracker import metrics
from services.maprun_tracker.access.gate import Gate
from services.maprun_tracker.api.making import make_service
from services.maprun_tracker.api.operations import OPERATIONS
from services.maprun_tracker.api.service import Service
from services.maprun_tracker.api.site import Site
from services.maprun_tracker.express_calls import ExpressCalls
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.process_reports import ProcessReports
from services.maprun_tracker.tracker import Tracker

CONNECTIONS_MIN = 64
FILES_BESIDE = 1_024
"""Files that the process has beside its clients' connections: Kafka's, other trackers', the archive's store."""


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
        host.beside("deletions", self.site.deletions.work)


def compose(settings: Settings, limits: Limits, host: KafkaHost) -> Composed:
    """Puts them together, within the running loop."""
    own = TrackerLimits()
    sizes = settings.payload_bytes_max, settings.history_events_max
    root_limits = ExecutionLimits(*sizes, plan_bytes_max=limits.plan_bytes_max)
    tracker = Tracker(settings, limits, own, RootInterpreter(root_limits, host.secret), host)
    service = make_service(settings, host.port(), tracker, own, tracker.fold_limits, host.secret)
    service.reports = ProcessReports(settings.homes, settings.lanes)
    metrics.watch_requests(OPERATIONS)
    metrics.watch_reports(service.reports, service.port.now_ms)
    host.reports_also(tracker.doing)
    process_key = f"{settings.instance}/{clock.wall_ms()}"
    service.express = ExpressCalls(process_key, service.names, settings.homes, settings.lanes, own)
    signer = OwnSigner(host.secret, settings.region, clock.wall_seconds)
    gate = gate_of(settings, service.names, host.secret)
    site = Site(service, tracker, process_key, settings.api, settings.api_host_names, gate, signer)
    return Composed(tracker, service, site)


def gate_of(settings: Settings, names: Names, secret: TokenSecret) -> Gate | None:
    """Who is asked for a signature: everybody, with a file of keys; nobody, where only this machine reaches the API.

    Raises SetupError where others reach it and neither is settled.
    """
    if settings.keys_file:
        return Gate(KeyFile(settings.keys_file, clock.monotonic_seconds), names, secret, _utc_now)
    if settings.signatures == "none" or _is_loopback(settings.http_host):
        return None
    raise SetupError(
        f"MAPRUN_HTTP_HOST={settings.http_host}: other machines reach the API, so requests to it must be signed: name a"
        " file of keys in MAPRUN_KEYS_FILE (`maprun keys add` makes one), or let everybody in by MAPRUN_SIGNATURES=none"
    )


def connection_limits(settings: Settings, files_max: int) -> ConnectionLimits:
    """How many connections the API takes: as many as are set, if the process may have so many files open."""
    room = max(CONNECTIONS_MIN, files_max - FILES_BESIDE)
    most = min(settings.api_connections_max, room)
    return ConnectionLimits(most, min(settings.api_peer_connections_max, most))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _utc_now() -> dt.datetime:
    return dt.datetime.fromtimestamp(clock.wall_seconds(), dt.UTC)
