"""The hostile clients of the bench, a few of each, against the API in this process: good requests are answered."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from maprun.aws.sigv4 import Keys
from maprun.runtime import health
from maprun.runtime.connections import BoundedSite, ConnectionLimits, Connections
from services.maprun_tracker.api.bodies import BodyLimits
from tests.bench.hostile_kinds import KINDS
from tests.bench.hostile_target import Attack, Target, once
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import Log, Process
from tests.unit.tracker.signing import ADMIN, ID, KEY, gate_with

LIMITS = ConnectionLimits(256, 128, head_seconds_max=1.0, stalled_seconds_max=1.0)
BODIES = BodyLimits(1 << 20, grace_seconds=1.0)
FEW: Mapping[str, int] = {
    "idle": 200,
    "idle-everywhere": 400,
    "slow-heads": 8,
    "slow-bodies": 8,
    "not-taken": 8,
    "pipelined": 4,
}
SHARE = 0.05
MUST: Mapping[str, str] = {
    "huge": "413 RequestEntityTooLargeException",
    "heads": "431 SerializationException",
    "broken-chunks": "400 SerializationException",
    "slow-heads": "408 RequestTimeoutException",
    "slow-bodies": "408 RequestTimeoutException",
    "idle": "closed",
    "idle-everywhere": "closed",
    "skewed": "400 InvalidSignatureException",
    "wrong-signatures": "400 InvalidSignatureException",
    "broken": "400 SerializationException",
    "unknown": "200",
}
"""What must be among the answers of a kind: else it did not do what it is there for."""


async def attacked(folder: Path, name: str) -> None:
    """One kind, for two seconds, and a good request before, beside and after it."""
    log = Log()
    process = Process(log, {0, 1}, gate=gate_with(folder, ADMIN))
    process.site._body_limits = BODIES
    runner = web.AppRunner(
        process.site.application(health.well, health.well), access_log=None, auto_decompress=False, shutdown_timeout=0.1
    )
    await runner.setup()
    connections = Connections(LIMITS)
    await BoundedSite(runner, "127.0.0.1", 0, connections).start()
    try:
        port = runner.addresses[0][1]
        target = Target("127.0.0.1", port, Keys(ID, KEY), fakes.MACHINE, log.arns[0])
        attack = Attack(target, asyncio.get_running_loop().time() + 2.5, FEW.get(name, KINDS[name].connections), SHARE)
        hostile = asyncio.create_task(KINDS[name].attack(attack))
        for _ in range(3):
            assert await once(attack, *good(target), address="127.0.0.2") == "200"
            await asyncio.sleep(0.5)
        answers = await hostile
        assert set(answers) <= KINDS[name].answers
        assert name not in MUST or MUST[name] in answers
        assert await once(attack, *good(target)) == "200"
        assert connections.count <= LIMITS.connections_max
    finally:
        await runner.cleanup()


def good(target: Target) -> tuple[bytes, bytes]:
    """A request that must be answered."""
    members: dict[str, Any] = {"executionArn": target.execution}
    return target.request("DescribeExecution", json.dumps(members).encode())


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"replayed"}))
def test_a_good_request_is_answered_beside_hostile_ones(name: str, tmp_path: Path) -> None:
    """Whatever they send, and however they send it; and they are answered as they must be, if at all."""
    asyncio.run(attacked(tmp_path, name))
