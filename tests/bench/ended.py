"""What executions that have ended cost those that are open: memory, snapshots, and the time of a start."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from maprun.archive.log import Archive
from maprun.archive.store import MemoryStore
from maprun.bus.kafka import KafkaHost
from maprun.bus.port import Outgoing, Port
from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.state import Ended, HomeState, encode_ended
from maprun.mapruns.limits import DAY_MS
from maprun.runtime import settings as runtime_settings
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas import topics
from schemas.archives import ExecutionsArchived
from schemas.arns import Names, home_of
from schemas.home import ExecutionRequested
from schemas.snapshots import SnapshotChunk
from schemas.wire import Decoder, encode
from services.maprun_tracker.archive import EndedExecutions, Execution
from services.maprun_tracker.archiving import execution
from services.maprun_tracker.flush import restore
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import TrackerLimits
from services.scheduler.archive import key_of
from tests.bench import pages, processes
from tests.integration.system.stack import ROLE, Stack

PARTS = ("scheduler", "maprun-tracker")
QUICK = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
BAD = {"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "E", "Cause": "bad"}}}
HOLD = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 500_000, "End": True}}}
SECOND = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}
FAILED_EVERY = 10
"""Of the ended executions each so many failed, and can be redriven."""
EXECUTIONS_AT_ONCE = 500
PAGE_BYTES_MAX = 900_000
REQUESTS_PER_SEND = 500
QUIET_SECONDS = 12.0
READY_SECONDS_MAX = 900.0
_MIB = 1 << 20
Json = dict[str, Any]


class Found(msgspec.Struct, kw_only=True):
    """What was measured. Memory in bytes by part, times in seconds."""

    ended: int
    open: int
    fresh_rss: dict[str, int]  # with so many open, and nothing ended
    rss: dict[str, int]  # with all the ended ones
    refilled_seconds: float  # a start on empty disks
    restarted_seconds: float  # a start on the disks that were left
    snapshot_bytes: int  # of the largest snapshot of a home
    disk_bytes: int  # of the stores
    wrong: list[str]  # what was not answered as it must be

    @property
    def memory_factor(self) -> float:
        """The part whose memory grew most: by what factor."""
        return max(self.rss[part] / self.fresh_rss[part] for part in PARTS)


def measure(ended: int, opened: int) -> Found:
    """A fresh stack with open executions; then the same with ended ones in its archives, started twice."""
    with tempfile.TemporaryDirectory(prefix="maprun-ended-") as name:
        stack = Stack(Path(name))
        stack.up()
        try:
            return _measure(stack, ended, opened)
        finally:
            stack.down()


def _measure(stack: Stack, ended: int, opened: int) -> Found:
    sfn = stack.client("stepfunctions")
    machines = {
        name: sfn.create_state_machine(name=name, definition=json.dumps(made), roleArn=ROLE)["stateMachineArn"]
        for name, made in (("quick", QUICK), ("bad", BAD), ("hold", HOLD), ("second", SECOND))
    }
    settings = runtime_settings.load(stack.environ)
    asyncio.run(_start_many(settings, machines["hold"], opened))
    _until(lambda: _counted(sfn, machines["hold"], opened), f"{opened} executions are open")
    _probe(sfn, machines["second"], "fresh")
    time.sleep(QUIET_SECONDS)
    for part in PARTS:  # a start is compared with a start
        stack.kill(part)
    _probe(sfn, machines["second"], "fresh-again")
    time.sleep(QUIET_SECONDS)
    fresh = processes.rss_bytes(stack.pids())
    asyncio.run(_fill(settings, ended))
    refilled = _restarted(stack, sfn, machines["second"], "refilled")
    time.sleep(QUIET_SECONDS)
    restarted = _restarted(stack, sfn, machines["second"], "restarted")
    wrong = list(_wrong(sfn, machines, ended))
    time.sleep(QUIET_SECONDS)
    rss = processes.rss_bytes(stack.pids())
    return Found(
        ended=ended,
        open=opened,
        fresh_rss={part: fresh[part] for part in PARTS},
        rss={part: rss[part] for part in PARTS},
        refilled_seconds=refilled,
        restarted_seconds=restarted,
        snapshot_bytes=asyncio.run(_snapshot_bytes(settings)),
        disk_bytes=sum(f.stat().st_size for f in stack.folder.glob("*/*/archive/*")),
        wrong=wrong,
    )


def _restarted(stack: Stack, sfn: Any, machine: str, name: str) -> float:
    """Both services are killed; the seconds until an execution that waits for a second has ended, less that second."""
    began = time.monotonic()
    for part in PARTS:
        stack.kill(part)
    _probe(sfn, machine, name)
    return round(time.monotonic() - began - 1.0, 1)


def _probe(sfn: Any, machine: str, name: str) -> None:
    """An execution begins and ends: scheduler and tracker are there."""
    arn = _until(lambda: _asked(lambda: sfn.start_execution(stateMachineArn=machine, name=name)), f"{name} begins")
    known = arn["executionArn"]
    _until(lambda: _asked(lambda: sfn.describe_execution(executionArn=known)["status"]) == "SUCCEEDED", f"{name} ended")


def _asked(ask: Any) -> Any:
    """An answer; None while there is none."""
    try:
        return ask()
    except Exception as error:
        if isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            raise
        return None


def _until(look: Any, what: str) -> Any:
    until = time.monotonic() + READY_SECONDS_MAX
    while not (found := look()):
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.05)
    return found


def _counted(sfn: Any, machine: str, count: int) -> bool:
    """True once the last of the executions that were asked for is known, and all before it."""
    try:
        for number in (0, count // 2, count - 1):
            arn = machine.replace(":stateMachine:", ":execution:") + f":open-{number}"
            sfn.describe_execution(executionArn=arn)
    except ClientError:
        return False
    return True


def _wrong(sfn: Any, machines: dict[str, str], ended: int) -> Iterator[str]:
    """What of the ended executions is not answered as AWS does."""
    for number in (0, ended // 2, ended - 1):
        failed = number % FAILED_EVERY == 0
        machine = machines["bad" if failed else "quick"]
        arn = machine.replace(":stateMachine:", ":execution:") + f":ended-{number}"
        described = _asked(lambda arn=arn: sfn.describe_execution(executionArn=arn)) or {}
        if described.get("status") != ("FAILED" if failed else "SUCCEEDED"):
            yield f"DescribeExecution of {arn}: {described}"
        if not sfn.get_execution_history(executionArn=arn)["events"]:
            yield f"{arn} has no history"
        try:
            sfn.start_execution(stateMachineArn=machine, name=f"ended-{number}", input="{}")
            yield f"the name of {arn} was taken twice"
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                yield f"StartExecution of {arn}: {error}"
        if failed:
            sfn.redrive_execution(executionArn=arn)
            _until(lambda arn=arn: sfn.describe_execution(executionArn=arn)["status"] == "FAILED", "failed again")
            if sfn.describe_execution(executionArn=arn)["redriveCount"] != 1:
                yield f"{arn} was not redriven"
    listed = sfn.list_executions(stateMachineArn=machines["bad"], statusFilter="FAILED", maxResults=50)
    if len(listed["executions"]) != min(50, -(-ended // FAILED_EVERY)):
        yield f"ListExecutions shows {len(listed['executions'])}"


# ---------------------------------------------------------------------- what is put there


async def _start_many(settings: Settings, machine: str, count: int) -> None:
    """Asks for executions by the topic of requests."""
    host = KafkaHost(msgspec.structs.replace(settings, instance="bench"), Limits())
    await host.start()
    for first in range(0, count, REQUESTS_PER_SEND):
        numbers = range(first, min(count, first + REQUESTS_PER_SEND))
        asked = [json.dumps({"stateMachineArn": machine, "name": f"open-{n}", "input": {"n": n}}) for n in numbers]
        await host.port().send([Outgoing(topics.EXECUTION_REQUESTS.name, 0, text.encode()) for text in asked])
    await host.close()


async def _snapshot_bytes(settings: Settings) -> int:
    """Of the largest of the newest snapshots."""
    host = KafkaHost(msgspec.structs.replace(settings, instance="bench"), Limits())
    await host.start()
    port, topic, decoder = host.port(), topics.HOME_SNAPSHOTS.name, Decoder(SnapshotChunk)
    largest = 0
    for home in range(settings.homes):
        sizes: dict[int, int] = {}
        end = await port.end_offset(topic, home)
        for record in await port.read(topic, home, await port.start_offset(topic, home), end):
            if record.value is not None:
                piece = decoder.decode(record.value)
                sizes[piece.offset] = sizes.get(piece.offset, 0) + len(piece.body)
        largest = max(largest, sizes[max(sizes)] if sizes else 0)
    await host.close()
    return largest


class Template:
    """An execution that was folded once; others are as it was, but for their names and times."""

    def __init__(self, names: Names, machine: str, definition: Json, home: int, homes: int) -> None:
        interpreter = RootInterpreter()
        request = ExecutionRequested(
            "r",
            names.execution(machine, "template"),
            "template",
            names.machine(machine),
            machine,
            "STANDARD",
            "rev",
            ROLE,
            json.dumps(definition).encode(),
            b"{}",
        )

        def fold(state: HomeState, archive: EndedExecutions) -> Home:
            return Home(state, interpreter, names, homes, 8, None, archive)

        nowhere: Any = None
        archive = EndedExecutions(nowhere, home, MemoryStore(), interpreter, PAGE_BYTES_MAX)
        part = restore(home, {}, (), fold, archive, interpreter, TrackerLimits())[0].part  # type: ignore[arg-type]
        record_arrived(part, 0, int(time.time() * 1000), encode(request))
        [arn] = part.home.state.ended
        self.definition = part.definition
        self.interpreter = interpreter
        self._codec = part.codec
        self._made: Execution = execution(part, arn)

    def execution(self, arn: str, name: str, number: int) -> Execution:
        """One that ended some milliseconds after the one before it."""
        made = self._made
        root = msgspec.structs.replace(
            made.root, arn=arn, name=name, request_id=name, started_ms=made.root.started_ms + number
        )
        old = made.root.arn.encode()
        rows = [(key.replace(old, arn.encode()), row) for key, row in made.rows]
        [place] = [i for i, (key, _) in enumerate(rows) if key[2:3] == b"x"]
        rows[place] = rows[place][0], rows[place][1][:16] + self._codec.pack(root)
        ended = made.ended
        live = ended.root
        if live is not None:
            live = msgspec.structs.replace(live, request=msgspec.structs.replace(live.request, arn=arn, name=name))
        other = Ended(
            request_id=name,
            started_ms=root.started_ms,
            stopped_ms=root.stopped_ms,
            status=ended.status,
            offset=0,
            root=live,
        )
        return Execution(other, root, [], rows, made.definitions)


async def _fill(settings: Settings, count: int) -> None:
    """Puts ended executions on the topics of both archives, as the services would have."""
    host = KafkaHost(msgspec.structs.replace(settings, instance="bench"), Limits())
    await host.start()
    port, names = host.port(), Names(settings.region, settings.account)
    homes: dict[int, list[tuple[str, str, int]]] = {home: [] for home in range(settings.homes)}
    templates = {
        (machine, home): Template(names, machine, made, home, settings.homes)
        for machine, made in (("quick", QUICK), ("bad", BAD))
        for home in homes
    }
    for number in range(count):
        machine, name = "quick" if number % FAILED_EVERY else "bad", f"ended-{number}"
        arn = names.execution(machine, name)
        home = home_of(arn, settings.homes)
        homes[home].append((machine, name, number))
        if len(homes[home]) == EXECUTIONS_AT_ONCE or number >= count - EXECUTIONS_AT_ONCE * settings.homes:
            await _send(port, home, names, templates, homes[home])
            homes[home] = []
    await host.close()


async def _send(
    port: Port, home: int, names: Names, templates: dict[tuple[str, int], Template], some: list[tuple[str, str, int]]
) -> None:
    interpreter = templates["quick", home].interpreter
    archive = EndedExecutions(port, home, MemoryStore(), interpreter, PAGE_BYTES_MAX)
    log = Archive(port, "", home, MemoryStore(), ExecutionsArchived, PAGE_BYTES_MAX)
    made = [templates[machine, home].execution(names.execution(machine, n), n, i) for machine, n, i in some]
    both = {machine: templates[machine, home].definition for machine, _, _ in some}

    def definition(digest: bytes) -> bytes:
        for known in both.values():
            try:
                return known(digest)
            except KeyError:
                continue
        raise KeyError(digest)

    tracker = archive.records(archive.pages(made, definition, DAY_MS))
    rows = [(key_of(home, e.root.arn, 0), b"\0" + encode_ended(e.ended, interpreter), e.ended.stopped_ms) for e in made]
    scheduler = [Outgoing(topics.SCHEDULER_ARCHIVE.name, home, encode(page)) for page in log.pages(rows)]
    await port.send([*tracker, *scheduler])


def page(found: Found) -> str:
    """The figures in words."""
    rows = []
    for part in PARTS:
        before, now = found.fresh_rss[part], found.rss[part]
        rows.append((part, round(before / _MIB), round(now / _MIB), f"{now / before:.2f}"))
    told = (
        f"{found.ended:,} ended executions in the archives, each {FAILED_EVERY}th of them failed and can be redriven;"
        f" {found.open:,} open. The largest snapshot of a home has {found.snapshot_bytes:,} bytes, the stores"
        f" {found.disk_bytes / _MIB:,.0f} MiB. Killed, scheduler and tracker had begun and ended an execution again"
        f" after {found.restarted_seconds} s; with stores that had to be filled from the topics first,"
        f" after {found.refilled_seconds} s."
    )
    wrong = "".join(f"\n- **wrong**: {what}" for what in found.wrong)
    return f"{told}\n{wrong}\n" + pages.table(("part", "MiB, nothing ended", "MiB", "factor"), rows)
