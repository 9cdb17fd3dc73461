"""`python -m tests.bench.hostile`: good requests beside hostile clients, a kind after the other, on a stack of its own.

Good ones come from another address of this machine at a steady pace, over connections that are kept and over new ones.
For each kind: how long they took, whether any failed, the tracker's memory, and how the hostile ones were answered.
Ends with an error when a good request failed or a hostile one was answered otherwise than it may be.
"""

import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from maprun.aws.sigv4 import Keys
from tests.bench import processes
from tests.bench.hostile_kinds import DESCRIBE, KINDS, SECRET_VARIABLE, START
from tests.bench.hostile_target import Target, outcome
from tests.integration.system.stack import ROLE, Stack

ROOT = Path(__file__).resolve().parents[2]
GOOD_ADDRESS = "127.0.0.2"
CLIENTS, EVERY_SECONDS = 8, 0.1
TRACKER = "maprun-tracker"
KEYS = (("GOODKEY", "a-secret-of-the-good-clients"), ("HOSTILEKEY", "a-secret-of-the-hostile-ones"))
PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
LONG_INPUT_BYTES, LONG_STATES = 250_000, 18  # a history of some 9 MB


class Good:
    """Good clients: half of them keep their connections, half open one for each request."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._numbers = itertools.count(time.time_ns())  # names of executions are new in each of these
        self.seconds: list[float] = []
        self.failed: list[str] = []

    async def ask(self, until: float) -> None:
        """Asks at a steady pace until then."""
        await asyncio.gather(*(self._client(until, number) for number in range(CLIENTS)))

    async def _client(self, until: float, number: int) -> None:
        loop, turn = asyncio.get_running_loop(), number
        due, kept, connection = loop.time() + EVERY_SECONDS * number / CLIENTS, number % 2 == 0, None
        while due < until:
            await asyncio.sleep(max(0.0, due - loop.time()))
            turn += 1
            pieces = self._start() if turn % 2 else self._target.request(DESCRIBE, self._target.describe())
            began, said = loop.time(), ""
            for _ in range(2 if connection else 1):  # one that the server has closed meanwhile is opened again
                try:
                    if connection is None:
                        connection = await asyncio.open_connection(
                            self._target.host, self._target.port, local_addr=(GOOD_ADDRESS, 0)
                        )
                    connection[1].write(b"".join(pieces))
                    said = await outcome(connection[0])
                except OSError as error:
                    said = type(error).__name__
                if said == "200":
                    break
                if connection is not None:
                    connection[1].close()
                connection = None
            self.seconds.append(loop.time() - began)
            if said != "200":
                self.failed.append(said)
            if connection is not None and not kept:
                connection[1].close()
                connection = None
            due += EVERY_SECONDS
        if connection is not None:
            connection[1].close()

    def _start(self) -> tuple[bytes, bytes]:
        members = {"stateMachineArn": self._target.machine, "name": f"good-{next(self._numbers)}"}
        return self._target.request(START, json.dumps(members).encode())


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind did to good requests, and how it was answered."""

    kind: str
    good: int
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    memory_before_mb: int
    memory_most_mb: int
    memory_after_mb: int
    tracker_cpu_share: float
    answers: dict[str, int]


def told(kind: str, good: Good, memory: Sequence[int], after: int, share: float, answers: dict[str, int]) -> Found:
    """The figures of one kind."""
    cuts = statistics.quantiles(good.seconds, n=100)
    return Found(
        kind=kind,
        good=len(good.seconds),
        failed=len(good.failed),
        p50_ms=round(cuts[49] * 1000, 1),
        p99_ms=round(cuts[98] * 1000, 1),
        max_ms=round(max(good.seconds) * 1000, 1),
        memory_before_mb=memory[0] >> 20,
        memory_most_mb=max(memory) >> 20,
        memory_after_mb=after >> 20,
        tracker_cpu_share=round(share, 2),
        answers=answers,
    )


async def beside(stack: Stack, target: Target, good: Target, kind: str, seconds: float) -> Found:
    """Good requests beside one kind; `quiet` is none."""
    pids = {TRACKER: stack.pids()[TRACKER]}
    memory = [processes.rss_bytes(pids)[TRACKER]]
    cpu, began = processes.cpu_seconds(pids)[TRACKER], time.monotonic()
    attacker = None if kind == "quiet" else await _attacker(target, kind, seconds)
    clients = Good(good)
    asking = asyncio.create_task(clients.ask(asyncio.get_running_loop().time() + seconds))
    while not asking.done():
        await asyncio.wait({asking}, timeout=0.5)
        memory.append(processes.rss_bytes(pids)[TRACKER])
    await asking
    share = (processes.cpu_seconds(pids)[TRACKER] - cpu) / (time.monotonic() - began)
    answers: dict[str, int] = {}
    if attacker is not None:
        output, _ = await attacker.communicate()
        assert attacker.returncode == 0, f"{kind}: the hostile clients themselves failed"
        answers = json.loads(output)
    await asyncio.sleep(2)
    assert stack.pids()[TRACKER] == pids[TRACKER], f"{kind}: the tracker is another process"
    if clients.failed:
        print(f"{kind}: {sorted(set(clients.failed))}", file=sys.stderr)
    return told(kind, clients, memory, processes.rss_bytes(pids)[TRACKER], share, answers)


async def _attacker(target: Target, kind: str, seconds: float) -> asyncio.subprocess.Process:
    arguments = {
        "--host": target.host,
        "--port": str(target.port),
        "--key": target.keys.access_key_id,
        "--machine": target.machine,
        "--execution": target.execution,
        "--seconds": str(seconds),
    }
    flat = [word for pair in arguments.items() for word in pair]
    command = [sys.executable, "-m", "tests.bench.hostile_kinds", kind, *flat]
    environ = {**os.environ, SECRET_VARIABLE: target.keys.secret_access_key}
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environ, stdout=subprocess.PIPE)


def made(stack: Stack) -> tuple[Target, Target]:
    """Machines and executions to ask for: the target as hostile clients have it, and as good ones do."""
    sfn = stack.client("stepfunctions")
    short = sfn.create_state_machine(name="hostile-pass", definition=json.dumps(PASS), roleArn=ROLE)["stateMachineArn"]
    states = {f"P{n}": {"Type": "Pass", "Next": f"P{n + 1}"} for n in range(LONG_STATES)}
    definition = {"StartAt": "P0", "States": {**states, f"P{LONG_STATES}": {"Type": "Pass", "End": True}}}
    long = sfn.create_state_machine(name="hostile-long", definition=json.dumps(definition), roleArn=ROLE)
    given = json.dumps("x" * LONG_INPUT_BYTES)
    large = sfn.start_execution(stateMachineArn=long["stateMachineArn"], input=given)["executionArn"]
    small = sfn.start_execution(stateMachineArn=short)["executionArn"]
    host, port = stack.api.removeprefix("http://").split(":")
    good, hostile = (Keys(*key) for key in KEYS)
    return Target(host, int(port), hostile, short, large), Target(host, int(port), good, short, small)


def faults(found: Found) -> list[str]:
    """What must not be."""
    told = []
    if found.failed:
        told.append(f"{found.kind}: {found.failed} of {found.good} good requests failed")
    if found.kind != "quiet" and (others := set(found.answers) - KINDS[found.kind].answers):
        told.append(f"{found.kind}: was answered with {sorted(others)}")
    return told


def table(found: Sequence[Found]) -> str:
    """The figures, a line a kind."""
    lines = [
        (
            "| hostile clients | good requests | failed | p50 ms | p99 ms | longest ms | MB before, most, after |"
            " tracker's CPU | answers |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in found:
        answers = ", ".join(f"{name}: {count:,}" for name, count in sorted(each.answers.items()))
        memory = f"{each.memory_before_mb}, {each.memory_most_mb}, {each.memory_after_mb}"
        lines.append(
            f"| {each.kind} | {each.good} | {each.failed} | {each.p50_ms} | {each.p99_ms} | {each.max_ms} | {memory} |"
            f" {each.tracker_cpu_share:.0%} | {answers} |"
        )
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--kind", "kinds", multiple=True, type=click.Choice(sorted(KINDS)), help="Of all if none is given.")
@click.option("--quiet-seconds", default=15.0, show_default=True)
def main(kinds: Sequence[str], quiet_seconds: float) -> None:
    """Every kind after the other, with a quiet time before and after."""
    found: list[Found] = []
    with tempfile.TemporaryDirectory(prefix="maprun-bench-") as folder:
        keys = Path(folder) / "keys.json"
        keys.write_text(
            json.dumps([{"name": key_id.lower(), "id": key_id, "secret": secret} for key_id, secret in KEYS])
        )
        keys.chmod(0o600)
        stack = Stack(Path(folder) / "stack", MAPRUN_KEYS_FILE=str(keys))
        stack.keys["stepfunctions"] = KEYS[0]
        print(f"up in {stack.up():.1f} s", file=sys.stderr)
        try:
            hostile, good = made(stack)
            time.sleep(3)
            for kind in ("quiet", *(kinds or KINDS), "quiet"):
                seconds = quiet_seconds if kind == "quiet" else KINDS[kind].seconds
                found.append(asyncio.run(beside(stack, hostile, good, kind, seconds)))
                print(json.dumps(msgspec.to_builtins(found[-1])), file=sys.stderr, flush=True)
        finally:
            stack.down()
    print(processes.machine(), table(found), sep="\n\n")
    wrong = [fault for each in found for fault in faults(each)]
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
