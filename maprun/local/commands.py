"""`up`, `down` and `status` of the local stack, as functions that the command line calls."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from maprun.local import checks, environment, kafka, parts, statefile
from maprun.local.layout import (
    CHILD_RUNNERS_MAX,
    FUNCTION_WORKERS_MAX,
    Layout,
    StackError,
    check_addresses,
    check_kafka,
    child_runners_fitting,
    stack_root,
    state_folder,
)
from maprun.local.statefile import StackStatus
from maprun.local.supervisor import Say, Supervisor
from maprun.runtime import clock, settings

DETACHED_SECONDS_MAX = 900.0  # a first start may fetch Kafka over a slow line
DOWN_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.05


def layout_from(environ: Mapping[str, str]) -> Layout:
    """The stack that an environment describes. Raises StackError on a setting that makes no sense."""
    try:
        loaded = settings.load(environ)
        fitting = child_runners_fitting(len(os.sched_getaffinity(0)), loaded.lanes)
        child_runners = _count(environ, "MAPRUN_CHILD_RUNNERS", fitting, CHILD_RUNNERS_MAX)
        function_workers = _count(environ, "MAPRUN_FUNCTION_WORKERS", 2, FUNCTION_WORKERS_MAX)
        aws_keys = environment.aws_keys_from(environ)
    except settings.SettingsError as error:
        raise StackError(str(error)) from error
    root, is_checkout = stack_root()
    functions = Path(environ.get("MAPRUN_FUNCTIONS_DIR", "examples/functions" if is_checkout else "functions"))
    layout = Layout(
        settings=loaded,
        root=root,
        checkout=is_checkout,
        state=state_folder(loaded),
        functions_dir=functions if functions.is_absolute() else root / functions,
        child_runners=child_runners,
        function_workers=function_workers,
        aws_keys=aws_keys,
        function_env=environment.names_from(environ, "MAPRUN_FUNCTION_ENV"),
    )
    check_addresses(layout)
    return layout


def up(layout: Layout, wanted: tuple[str, ...] = parts.ALL, say: Say = print) -> None:
    """Runs the stack in this process until it gets SIGTERM or SIGINT.

    Raises StackError when it can't start; what was started is stopped by then, and `stack.json` holds the reason.
    """
    chosen = parts.names(layout, wanted)
    if "kafka" in chosen:
        check_kafka(layout)
    lock = statefile.take_lock(layout.state) if _state_is_writable(layout) else None
    if lock is None:
        raise _already_up(layout)
    status = StackStatus(
        phase="starting",
        pid=os.getpid(),
        api=layout.settings.api,
        kafka=layout.settings.kafka,
        s3=layout.settings.s3,
        functions=layout.settings.functions,
    )
    with lock:
        try:
            statefile.write(layout.state, status)
            made = _prepare(layout, chosen, say)
            asyncio.run(Supervisor(layout, made, status, say).run())
        except StackError as error:
            status.phase, status.message, status.cure = "failed", str(error), error.cure
            raise
        except BaseException as error:
            status.phase, status.message = "failed", repr(error)
            raise
        else:
            status.phase = "stopped"
        finally:
            statefile.write(layout.state, status)


def up_detached(layout: Layout, wanted: tuple[str, ...] = parts.ALL, say: Say = print) -> StackStatus:
    """Starts the stack behind a supervisor that stays when this process goes; returns when everything is ready.

    Raises StackError with the reason when it can't start.
    """
    if "kafka" in parts.names(layout, wanted):
        check_kafka(layout)
    _state_is_writable(layout)
    if statefile.is_running(layout.state):
        raise _already_up(layout)
    log = layout.log_dir / "supervisor.log"
    (layout.state / "stack.json").unlink(missing_ok=True)
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "maprun.local", "up", "--parts", ",".join(wanted)],
            cwd=layout.root,
            env={**os.environ, **parts.import_environment(layout), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = clock.monotonic_seconds() + DETACHED_SECONDS_MAX
    shown = ""
    while clock.monotonic_seconds() < deadline:
        gone = supervisor.poll() is not None
        status = statefile.read(layout.state)
        if status is not None:
            if status.phase == "ready":
                return status
            if status.phase == "failed":
                raise StackError(status.message, status.cure)
            if status.message not in {"", shown}:
                shown = status.message
                say(shown)
        if gone:
            raise StackError(f"the supervisor ended before the stack was up; see {log}")
        time.sleep(_POLL_SECONDS)
    supervisor.terminate()
    raise StackError(f"the stack was not up within {DETACHED_SECONDS_MAX:.0f} s; see {log}")


def down(layout: Layout) -> str:
    """Stops the stack of this state folder, also a half-dead one; answers what was done, in words.

    Raises StackError if it is still there after a minute.
    """
    status = statefile.read(layout.state)
    if not statefile.is_running(layout.state):
        left = checks.end_orphans(layout) if layout.state.exists() else []
        return f"the stack was dead; {len(left)} processes it left were ended" if left else "no stack is running"
    if status is None:
        raise StackError(f"a stack is just being started on {layout.state}", "try again in a second")
    os.kill(status.pid, signal.SIGTERM)
    deadline = clock.monotonic_seconds() + DOWN_SECONDS_MAX
    while statefile.is_running(layout.state):
        if clock.monotonic_seconds() > deadline:
            raise StackError(
                f"supervisor {status.pid} has not ended within {DOWN_SECONDS_MAX:.0f} s",
                f"kill -9 {status.pid} (its child processes die with it)",
            )
        time.sleep(_POLL_SECONDS)
    checks.end_orphans(layout)
    return "the stack is down"


def status_of(layout: Layout) -> StackStatus | None:
    """What runs on this state folder; None if nothing does. A stack that died is `failed`."""
    if not layout.state.exists():
        return None
    status = statefile.read(layout.state)
    if statefile.is_running(layout.state):
        return status or StackStatus(phase="starting", pid=0)
    if status is None or status.phase == "stopped":
        return None
    if status.phase != "failed":
        status.phase = "failed"
        status.message = f"supervisor {status.pid} died without stopping the stack"
        status.cure = "start it again: what it left is ended, and no data is lost"
    return status


def _prepare(layout: Layout, chosen: frozenset[str], say: Say) -> list[parts.Part]:
    """Everything that is looked at or made before the first process starts."""
    parts.check_importable(chosen)
    if "functions" in chosen and not layout.checkout and not layout.functions_dir.exists():
        layout.functions_dir.mkdir(parents=True)
        shutil.copyfile(Path(__file__).parent / "static" / "echo.txt", layout.functions_dir / "echo.py")
        say(f"made {layout.functions_dir} for your functions, with echo.py in it")
    if orphans := checks.end_orphans(layout):
        say(f"an earlier stack on {layout.state} left {len(orphans)} processes behind; they were ended")
    checks.ports(layout, chosen)
    java = checks.java() if "kafka" in chosen else ""
    if java:
        kafka.prepare(layout, java)
    return parts.make(layout, chosen, java, os.environ)


def _state_is_writable(layout: Layout) -> bool:
    """True, or StackError: says that checks of the folder come before the lock in it."""
    checks.state_folder(layout)
    return True


def _already_up(layout: Layout) -> StackError:
    """The error of a second `up`."""
    status = statefile.read(layout.state)
    who = f"process {status.pid}, {status.phase}" if status else "being started"
    return StackError(f"a stack already runs on {layout.state} ({who})", "stop it with `maprun down`")


def _count(environ: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A count from 1 to `most`, or SettingsError."""
    text = environ.get(name, str(default))
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise settings.SettingsError(f"{name}={text!r}: must be a whole number from 1 to {most}")
    return int(text)
