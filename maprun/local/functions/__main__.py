"""`python -m maprun.local.functions`: the function host as a process of its own."""

import asyncio
import os
import sys
from pathlib import Path

from prometheus_client import REGISTRY

from maprun.local.functions.catalog import Catalog
from maprun.local.functions.entrance import Entrance
from maprun.local.functions.group import GroupLimits
from maprun.local.functions.invoking import Functions
from maprun.local.functions.pool import Pool
from maprun.runtime import logs, process, settings
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings

_TIMEOUT_SECONDS_MAX = 900.0  # Lambda's own


def group_limits(workers: str, threads: str, timeout: str) -> GroupLimits:
    """Limits from their texts. Raises SettingsError on one that makes no sense."""
    try:
        limits = GroupLimits(workers=int(workers), threads_max=int(threads), timeout_seconds=float(timeout))
    except ValueError as error:
        raise settings.SettingsError(f"MAPRUN_FUNCTION_WORKERS, _THREADS or _TIMEOUT_SECONDS: {error}") from error
    if limits.workers < 1 or limits.threads_max < 1 or not 0 < limits.timeout_seconds <= _TIMEOUT_SECONDS_MAX:
        raise settings.SettingsError(f"at least one worker and thread, a time-out up to {_TIMEOUT_SECONDS_MAX:.0f} s")
    return limits


async def serve(loaded: Settings, _limits: Limits, stop: asyncio.Event) -> None:
    """Serves until told to stop."""
    folder = Path(os.environ.get("MAPRUN_FUNCTIONS_DIR", "examples/functions")).resolve()
    limits = group_limits(
        os.environ.get("MAPRUN_FUNCTION_WORKERS", "2"),
        os.environ.get("MAPRUN_FUNCTION_THREADS", "128"),
        os.environ.get("MAPRUN_FUNCTION_TIMEOUT_SECONDS", "60"),
    )
    pool = Pool(limits, os.environ, loaded.region, loaded.state_dir.resolve() / "log" / "functions")
    pool.start()
    functions = Functions(pool, Catalog(folder), loaded.region, loaded.account, REGISTRY)
    host = os.environ.get("MAPRUN_FUNCTIONS_HOST", "127.0.0.1")
    entrance = Entrance(functions, pool, REGISTRY)
    await entrance.open(host, settings.port_of(loaded.functions))
    logs.logger("functions").info("function_host_ready", folder=str(folder), workers=limits.workers)
    try:
        await stop.wait()
    finally:
        await entrance.close()
        await pool.close()


if __name__ == "__main__":
    sys.exit(process.run("functions", serve))
