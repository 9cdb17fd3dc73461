"""Keeps the parts of a stack up: starts them side by side, starts again what dies, takes all of them down together."""

import asyncio
import signal
from collections.abc import Callable

from maprun.local import children, statefile
from maprun.local.layout import Layout, StackError
from maprun.local.parts import Part, log_of
from maprun.local.statefile import PartStatus, StackStatus
from maprun.runtime import clock

PROBE_EVERY_SECONDS = 0.05
STARTS_MAX_BEFORE_READY = 3  # a part that dies so often before the stack was ever up is broken, not unlucky
BACKOFF_SECONDS_FIRST = 0.2
BACKOFF_SECONDS_MAX = 5.0
LIVED_SECONDS_GOOD = 10.0  # who lived so long begins again with the first backoff
EXIT_SETTINGS = 78  # as maprun.runtime.process has it: starting again won't help

Say = Callable[[str], None]
"""Tells the person at the terminal, or the supervisor's log, one thing."""


class Supervisor:
    """One stack from its first process to its last. Use: `await Supervisor(…).run()`, once."""

    def __init__(self, layout: Layout, parts: list[Part], status: StackStatus, say: Say) -> None:
        self._layout = layout
        self._parts = parts
        self._say = say
        self._status = status
        self._of = {part.name: PartStatus(name=part.name, log=str(log_of(layout, part.name))) for part in parts}
        status.parts = list(self._of.values())
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._began = clock.monotonic_seconds()

    async def run(self) -> None:
        """Starts everything, keeps it until SIGTERM or SIGINT, stops it. Raises StackError if it can't start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        self._write()
        keepers = [asyncio.create_task(self._keep(part), name=part.name) for part in self._parts]
        up = asyncio.create_task(self._all_ready())
        ending = asyncio.create_task(self._stopping.wait())
        try:
            await self._until_done({up, ending, *keepers}, up, ending)
        finally:
            self._stopping.set()
            for task in (up, ending, *keepers):
                task.cancel()
            await asyncio.gather(up, ending, *keepers, return_exceptions=True)
            await self._stop_all()

    async def _until_done(
        self,
        tasks: set["asyncio.Task[None] | asyncio.Task[bool]"],
        up: "asyncio.Task[None]",
        ending: "asyncio.Task[bool]",
    ) -> None:
        """Returns when asked to stop; raises what a keeper raised."""
        while not ending.done():
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if up in done and not ending.done():
                self._status.phase = "ready"
                self._status.message = ""
                self._status.ready_after_seconds = self._age()
                self._write()
                self._say(f"the stack is up after {self._age()} s")

    async def _all_ready(self) -> None:
        """Returns when every part has been ready once."""
        for event in self._ready.values():
            await event.wait()

    async def _keep(self, part: Part) -> None:
        """Starts a part when what it needs is ready, and again whenever it dies."""
        for name in part.after:
            await self._ready[name].wait()
        state = self._of[part.name]
        backoff = BACKOFF_SECONDS_FIRST
        while True:
            born = clock.monotonic_seconds()
            process = await children.start(part, log_of(self._layout, part.name), self._layout.root)
            self._processes[part.name] = process
            state.pid, state.state = process.pid, "starting"
            self._write()
            code = await self._watch(part, process)
            children.kill(process)  # what it had started itself
            if part.is_task and code == 0:
                self._now_ready(part)
                state.pid, state.state = 0, "stopped"
                return
            state.restarts += 1
            state.state = "restarting"
            self._judge(part, code)
            if clock.monotonic_seconds() - born > LIVED_SECONDS_GOOD:
                backoff = BACKOFF_SECONDS_FIRST
            self._say(f"{part.name} {_ended(code)}; it is started again in {backoff:.1f} s ({state.log})")
            self._write()
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)

    async def _watch(self, part: Part, process: asyncio.subprocess.Process) -> int:
        """Follows one process to readiness and to its end; answers its exit code."""
        ended = asyncio.create_task(process.wait())
        deadline = clock.monotonic_seconds() + part.ready_seconds_max
        try:
            while not ended.done():
                if not part.is_task and await children.is_ready(part):
                    self._now_ready(part)
                    return await ended
                if clock.monotonic_seconds() > deadline:
                    if not self._ready[part.name].is_set():
                        raise StackError(
                            f"{part.name} was not ready within {part.ready_seconds_max:.0f} s; its log ends with\n"
                            + children.last_lines(log_of(self._layout, part.name)),
                            f"the whole log is {log_of(self._layout, part.name)}",
                        )
                    self._say(f"{part.name} is not ready after {part.ready_seconds_max:.0f} s; it is killed")
                    children.kill(process)
                    return await ended
                await asyncio.wait({ended}, timeout=PROBE_EVERY_SECONDS)
            return ended.result()
        finally:
            ended.cancel()

    def _judge(self, part: Part, code: int) -> None:
        """Raises StackError when starting a part again has no sense."""
        first_start = self._status.phase == "starting"
        if code == EXIT_SETTINGS:
            log = log_of(self._layout, part.name)
            raise StackError(
                f"{part.name} {_ended(code)}, so it is not started again: {children.last_words(log)}",
                f"its whole log is {log}",
            )
        if first_start and self._of[part.name].restarts >= STARTS_MAX_BEFORE_READY:
            log = log_of(self._layout, part.name)
            raise StackError(
                f"{part.name} {_ended(code)}; its log ends with\n{children.last_lines(log)}", f"the whole log is {log}"
            )

    def _now_ready(self, part: Part) -> None:
        """Notes that a part is ready, the first time or again."""
        state = self._of[part.name]
        state.state = "ready"
        if not self._ready[part.name].is_set():
            state.ready_after_seconds = self._age()
            self._ready[part.name].set()
        self._write()

    async def _stop_all(self) -> None:
        """First who writes, then what is written to; each within its time."""
        self._status.phase = "stopping"
        self._write()
        below = [part for part in self._parts if part.name in {"kafka", "seaweedfs", "functions"}]
        above = [part for part in self._parts if part not in below]
        for group in (above, below):
            await asyncio.gather(
                *(
                    children.stop(self._processes[part.name], part.stop_seconds_max)
                    for part in group
                    if part.name in self._processes
                )
            )
        for state in self._of.values():
            state.pid, state.state = 0, "stopped"

    def _on_signal(self) -> None:
        """First signal: an orderly stop. Second: kill everything, which lets the orderly stop end at once."""
        if self._stopping.is_set():
            for process in self._processes.values():
                children.kill(process)
        self._stopping.set()

    def _age(self) -> float:
        """Seconds since the start, to a tenth."""
        return round(clock.monotonic_seconds() - self._began, 1)

    def _write(self) -> None:
        """Puts the state on disk for `status`."""
        statefile.write(self._layout.state, self._status)


def _ended(code: int) -> str:
    """How a process ended, in words."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
