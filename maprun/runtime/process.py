"""A process from its start to its end: the loop, signals, the garbage collector, the exit code."""

import asyncio
import contextlib
import cProfile
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from maprun.runtime import clock, limits, logs, settings

COLLECT_AFTER_OBJECTS = 200_000
"""So many more objects than before, then the garbage collector looks for circles. After Python's own 700 it took a
third of the CPU of a child-runner with ten thousand children under way: nearly all that it looked at was alive."""
EXIT_OK = 0
EXIT_FATAL = 70  # a bug or a state that must not go on: the supervisor starts the process again
EXIT_SETTINGS = 78  # the environment is wrong: starting again won't help


class SetupError(Exception):
    """What surrounds the process is not as it must be: topics, rights, another process of its name.

    Starting it again won't help, so it ends with EXIT_SETTINGS. The message is one line for the person who can: what
    was found, where, and what to do.
    """


Main = Callable[[settings.Settings, limits.Limits, asyncio.Event], Awaitable[None]]
"""A service: runs until it is done or the event is set, then cleans up after itself."""


def run(service: str, main: Main) -> int:
    """Runs a service's main on uvloop under the settings of the environment; answers the exit code.

    The event is set by SIGTERM or SIGINT; a second signal, or `stop_seconds_max` after the first, ends the process at
    once. A SetupError out of `main` is one line on stderr and EXIT_SETTINGS; any other exception is logged and becomes
    SystemExit(EXIT_FATAL): what must go on is started again.
    """
    try:
        loaded = settings.load(os.environ)
    except settings.SettingsError as error:
        sys.stderr.write(f"{service}: {error}\n")
        return EXIT_SETTINGS
    bounds = limits.limits_of(loaded)
    logs.configure(service, loaded.instance, loaded.log_format, loaded.log_level)
    log = logs.logger("process")
    started = clock.monotonic_seconds()
    log.info("process_started", pid=os.getpid(), python=sys.version.split()[0])
    # What is imported stays for good: the collector need not walk it again, and forks share its pages.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS)
    try:
        with _profiled(service, loaded.profile_dir), asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_stopped(main, loaded, bounds))
    except (KeyboardInterrupt, asyncio.CancelledError):
        log.warning("process_interrupted")
        return EXIT_FATAL
    except Exception as error:
        setup = setup_error(error)
        if setup is not None:
            sys.stderr.write(f"{service}: {setup}\n")
            return EXIT_SETTINGS
        log.exception("process_failed", after_seconds=round(clock.monotonic_seconds() - started, 1))
        raise SystemExit(EXIT_FATAL) from error
    log.info("process_ended", after_seconds=round(clock.monotonic_seconds() - started, 1))
    return EXIT_OK


def setup_error(error: BaseException) -> SetupError | None:
    """The SetupError that an exception is, or holds as a group of several; None if there is none."""
    if isinstance(error, SetupError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := setup_error(each)) is not None), None)
    return None


async def _until_stopped(main: Main, loaded: settings.Settings, bounds: limits.Limits) -> None:
    """Runs `main` with signals turned into the stop event."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal(name: str) -> None:
        if stop.is_set():
            os._exit(EXIT_FATAL)
        logs.logger("process").info("stop_requested", signal=name)
        stop.set()
        signal.alarm(int(bounds.stop_seconds_max))  # SIGALRM ends the process, even one whose loop is stuck

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    try:
        await main(loaded, bounds, stop)
    finally:
        # The loop's end waits for its threads, and one may wait for a broker that is gone.
        signal.alarm(int(bounds.drain_seconds))


@contextlib.contextmanager
def _profiled(service: str, folder: str) -> Iterator[None]:
    """Leaves `<service>-<pid>.prof` in a folder at the end, if one is given; its cost distorts rates, not shares."""
    if not folder:
        yield
        return
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        Path(folder).mkdir(parents=True, exist_ok=True)
        profile.dump_stats(Path(folder) / f"{service}-{os.getpid()}.prof")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where it is to be had (it is not on every platform), else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - a compiled loop that only a service needs, and not every platform has
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
