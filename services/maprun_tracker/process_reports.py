"""What all processes have reported within the last hour; every process of the tracker reads it."""

from collections.abc import Iterator

import msgspec

from maprun.bus.port import Port, Record
from schemas import topics
from schemas.reports import OWNED_TOPICS, ProcessReported
from schemas.wire import Decoder
from services.maprun_tracker import metrics

HOUR_MS = 3_600_000
SILENT_MS = 20_000
"""A process that said nothing for so long hangs, or was killed: it reports every five seconds."""
SHOWN_MS = 600_000
"""So long a silent process is shown; by then others do its work, or it was started again under its name."""
_TOPIC = topics.PROCESS_REPORTS.name
_decoder: Decoder[ProcessReported] = Decoder(ProcessReported)


class Life(msgspec.Struct):
    """One life of a process, from its start to its end: its newest report, and when that was."""

    report: ProcessReported
    seen_ms: int

    def silent(self, now_ms: int) -> bool:
        """True when it has said nothing for long."""
        return now_ms - self.seen_ms >= SILENT_MS


class ProcessReports:
    """The newest report of each life of each process."""

    def __init__(self, homes: int, lanes: int) -> None:
        self.partitions = {"home": homes, "item-asks": homes, "items": lanes}
        self._lives: dict[tuple[str, str, int, int], Life] = {}

    async def follow(self, port: Port) -> None:
        """Reads the topic from its beginning, which is an hour ago; runs until it is cancelled."""
        mailbox = port.mailbox()
        port.feed(_TOPIC, 0, 0, mailbox)
        while True:
            for record in await mailbox.get(None):
                self.reported(record)

    def reported(self, record: Record) -> None:
        """Takes over a record."""
        try:
            report = _decoder.decode(record.value or b"")
        except msgspec.DecodeError:
            metrics.unreadable(record.topic, record.partition, record.offset)
            return
        key = (report.service, report.instance, report.started_ms, report.pid)
        self._lives[key] = Life(report, record.timestamp_ms)
        if len(self._lives) > 1 and record.offset % 100 == 0:
            self._forget(record.timestamp_ms - HOUR_MS)

    def _forget(self, before_ms: int) -> None:
        for key in [key for key, life in self._lives.items() if life.seen_ms < before_ms]:
            del self._lives[key]

    def lives(self, now_ms: int) -> Iterator[Life]:
        """All lives of the last hour, in no order."""
        return (life for life in self._lives.values() if life.seen_ms >= now_ms - HOUR_MS)

    def unowned(self, service: str, now_ms: int) -> list[int]:
        """The partitions of a service's topic that no process of it has that is not silent."""
        topic = OWNED_TOPICS[service]
        owned: set[int] = set()
        for life in self.processes(now_ms):
            if life.report.service == service and not life.silent(now_ms):
                owned.update(life.report.owns.get(topic, ()))
        return [number for number in range(self.partitions[topic]) if number not in owned]

    def processes(self, now_ms: int) -> list[Life]:
        """The present life of each process that lives, or fell silent lately, by service and instance."""
        present: dict[tuple[str, str], Life] = {}
        for life in self._lives.values():
            key = (life.report.service, life.report.instance)
            if key not in present or present[key].report.started_ms <= life.report.started_ms:
                present[key] = life
        shown = [life for life in present.values() if not life.report.stopped and life.seen_ms >= now_ms - SHOWN_MS]
        return sorted(shown, key=lambda life: (life.report.service, life.report.instance))
