"""A process's name: taken on the topic `cluster` at its start, and lost to whoever takes it later.

Kafka fences static members of one name, but aiokafka doesn't know the error: both live on and throw each other out,
every second. So the older one of two ends, told by the record of the newer. A restart after a crash waits for nobody.
"""

import os
import socket
from datetime import UTC, datetime

from maprun.bus.fetcher import Fetcher
from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.mark import decode
from maprun.bus.port import Outgoing, Record
from maprun.bus.sender import Sender
from maprun.runtime import clock
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings
from schemas.cluster import ProcessStarted
from schemas.topics import CLUSTER
from schemas.wire import encode


class NameTakenError(SetupError):
    """Another process goes by this one's name; the message says which."""


class Name:
    """The name of one process, from the moment it is taken."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings = settings
        self._service = service
        self._key = f"process/{service}/{settings.instance}".encode()

    async def take(self, sender: Sender) -> int:
        """Takes the name; the offset of the record that says so."""
        started = ProcessStarted(
            self._service, self._settings.instance, socket.gethostname(), os.getpid(), clock.wall_ms()
        )
        [offset] = await sender.send([Outgoing(CLUSTER.name, 0, encode(started), self._key)])
        return offset

    async def keep(self, fetcher: Fetcher, taken: int, mailbox: KafkaMailbox) -> None:
        """Ends only by raising NameTakenError: when another process takes the name."""
        fetcher.feed(CLUSTER.name, 0, taken + 1, mailbox)
        while True:
            for record in await mailbox.get(None):
                self._judge(record)

    def _judge(self, record: Record) -> None:
        other = decode(record.value) if record.key == self._key else None
        if isinstance(other, ProcessStarted):
            began = datetime.fromtimestamp(other.started_ms / 1000, UTC).isoformat(timespec="seconds")
            raise NameTakenError(
                f"another {self._service} calls itself {other.instance} since {began}: process {other.pid} on host"
                f" {other.host}. This one, {os.getpid()} on {socket.gethostname()}, ends. Give every process under the"
                f" prefix {self._settings.prefix!r} a MAPRUN_INSTANCE of its own"
            )
