"""Simulated processes: they host owners of partitions, and are killed, paused, cut off from the group and restarted."""

import traceback
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from maprun.bus.port import BusError
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.groups import Group
    from tests.simulation.port import SimPort, Suspended

SESSION_SHARE = 0.5
"""Of the session: who works longer is missed."""
Start = Callable[["SimPort", int], "list[Coroutine[Any, Any, None]]"]
"""Makes the coroutines of the owner of one partition."""


_CLOSES_MAX = 8
"""A coroutine that is left open behind its first await is closed by whoever collects garbage, with a warning."""


class Task:
    """One coroutine on the trampoline: resumed by events, never by a loop of its own."""

    __slots__ = ("coroutine", "done", "owner", "running", "token")

    def __init__(self, owner: "Owner", coroutine: Coroutine[Any, Any, None]) -> None:
        self.owner = owner
        self.coroutine = coroutine
        self.done = False
        self.running = False
        self.token = 0  # of the await it stands at; an event for an older one is late

    def resume(self, token: int, value: Any = None, error: BaseException | None = None) -> None:
        """Goes on behind the await with this token."""
        if self.done or token != self.token or self.owner.stopped:
            return
        self.token += 1
        self.running = True
        process = self.owner.process
        try:
            suspended = self.coroutine.send(value) if error is None else self.coroutine.throw(error)
        except StopIteration:
            self.done = True
            self.owner.task_ended(None)
            return
        except Exception as failure:  # noqa: BLE001 - handed to the host, which knows what is a bug
            self.done = True
            self.owner.task_ended(failure)
            return
        finally:
            self.running = False
            process.worked()
        self._suspended(suspended)

    def _suspended(self, suspended: "Suspended") -> None:
        if self.done:  # it cancelled itself, or stopped its owner, before it came to this await
            self.owner.process.world.after(0.0, self.close)
        else:
            suspended.begin(self)

    def cancel(self) -> None:
        """Ends at its next await."""
        if not self.done:
            self.done = True
            if not self.running:
                self.owner.process.world.after(0.0, self.close)

    def close(self) -> None:
        """Throws the coroutine away; its `finally` blocks run."""
        for _ in range(_CLOSES_MAX):
            try:
                self.coroutine.close()
            except RuntimeError:  # it awaited something while being closed, as cancelled coroutines may
                continue
            return


class Owner:
    """The coroutines of one process for one partition."""

    def __init__(self, process: "Process", group: "Group", partition: int, port: "SimPort") -> None:
        self.process = process
        self.group = group
        self.partition = partition
        self.port = port
        self.stopped = False
        self.tasks: list[Task] = []
        self.first: list[Task] = []

    def begin(self) -> None:
        """Starts the owner's coroutines."""
        self.first = [self.spawn(work) for work in self.group.start(self.port, self.partition)]

    def spawn(self, work: Coroutine[Any, Any, None]) -> Task:
        """One more coroutine of this owner."""
        task = Task(self, work)
        self.tasks.append(task)
        self.process.world.after(0.0, self.process.do, task.resume, task.token)
        return task

    def stop(self) -> None:
        """All of it ends at once, as on revocation."""
        if not self.stopped:
            self.stopped = True
            self.port.close()
            for task in self.tasks:
                if not task.done:
                    task.done = True
                    task.close()

    def task_ended(self, failure: Exception | None) -> None:
        """A coroutine ended. An error ends the owner; anything but a retriable BusError is a bug."""
        if failure is not None and not (isinstance(failure, BusError) and failure.retriable):
            text = "".join(traceback.format_exception(failure))
            self.process.world.violated(f"{self.group.name}/{self.partition} at {self.process.name} crashed:\n{text}")
            return
        if failure is not None or all(first.done for first in self.first):
            self.process.owner_ended(self, failure)
        elif len(self.tasks) > 64:
            self.tasks = [left for left in self.tasks if not left.done or left in self.first]


class Process:
    """One operating system process of a service."""

    def __init__(self, world: World, groups: "list[Group]", instance: str, incarnation: int = 0) -> None:
        self.world = world
        self.groups = groups
        self.instance = instance
        self.name = f"{instance}.{incarnation}"
        self.incarnation = incarnation
        self.alive = True
        self.paused = False
        self.charged = 0.0  # seconds of work in what runs at this moment
        self.busy = False  # with work that it did
        self.isolated = False  # the group coordinator can't be reached; partitions' leaders can
        self.silent_since: float | None = None  # no heartbeat reached the coordinator since
        self.expelled = False  # the group went on without it
        self.broken = False  # its producer lost a record: nothing it sends arrives any more
        self.lease_at = -1e9  # time of sending the last successful commit
        self.skew_ms = world.random.randint(-20, 20)
        self.monotonic_base = world.random.random() * 1000
        self.owners: dict[tuple[str, int], Owner] = {}
        self.backlog: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.arrivals: dict[tuple[str, int], float] = {}  # partition → when the last batch gets there
        self.gaps: set[tuple[str, int]] = set()  # partitions at which a batch of this producer went missing
        self.grave: list[Owner] = []
        for group in groups:
            group.joined(self)
        world.after(world.random.random(), self.tick)

    def do(self, act: Callable[..., None], *arguments: Any) -> None:
        """Something inside the process: at once, after the pause, or never."""
        if not self.alive:
            return
        if self.paused or self.busy:
            self.backlog.append((act, arguments))
        else:
            act(*arguments)

    # ------------------------------------------------------------------ work

    def worked(self) -> None:
        """What ran without a pause took its time: for so long nothing else happens here, no heartbeat either."""
        seconds, self.charged = self.charged, 0.0
        if seconds <= 0 or not self.alive:
            return
        self.busy = True
        if seconds > SESSION_SHARE * min(group.session_seconds for group in self.groups):
            self.world.note(f"{self.name} works for {seconds:.3f} s")
            self._silent()
        self.world.after(seconds, self._rested)

    def _rested(self) -> None:
        """The work is done: what came in meanwhile is dealt with, in order."""
        self.busy = False
        if not self.alive or self.paused:
            return
        self._heard()
        backlog, self.backlog = self.backlog, []
        for act, arguments in backlog:
            self.world.after(0.0, self.do, act, *arguments)
        if self.expelled:
            self.world.after(self.world.random.random(), self.do, self.notice)

    # ------------------------------------------------------------------ owners

    def start_owner(self, group: "Group", partition: int, make_port: "Callable[[Owner], SimPort]") -> None:
        """Begins to own a partition, if the group still says so."""
        key = (group.name, partition)
        if group.owner.get(partition) is not self or key in self.owners or not self.alive:
            return
        owner = Owner(self, group, partition, None)  # type: ignore[arg-type]
        owner.port = make_port(owner)
        self.owners[key] = owner
        self.world.note(f"own {group.name}/{partition} at {self.name}")
        self.world.after(self.world.random.random() * 0.05, self.renew)
        owner.begin()

    def stop_owner(self, group: "Group", partition: int) -> None:
        """No longer owns a partition."""
        owner = self.owners.pop((group.name, partition), None)
        if owner is not None:
            owner.stop()
            self.grave.append(owner)

    def owner_ended(self, owner: Owner, failure: Exception | None) -> None:
        """An owner ended by itself: its process restarts it, or exits when the bus can't be trusted any more."""
        self.world.note(f"owner {owner.group.name}/{owner.partition} at {self.name} ended: {failure!r}")
        self.stop_owner(owner.group, owner.partition)
        if self.broken or (failure is not None and self.world.random.random() < 0.5):
            self.world.after(0.0, self.kill)
        elif owner.group.owner.get(owner.partition) is self:
            self.world.after(0.05 + self.world.random.random() * 0.5, self.do, owner.group.begin, owner.partition)

    # ------------------------------------------------------------------ membership

    def tick(self) -> None:
        """Each second: a group commit, which proves membership or shows that it is lost."""
        if self.alive:
            self.renew()
            self.world.after(0.9 + self.world.random.random() * 0.2, self.tick)

    def renew(self) -> None:
        """One group commit."""
        if not self.alive or self.paused or self.isolated or self.busy:
            return
        if self.expelled:
            self.notice()
            return
        self.lease_at = self.world.now
        for owner in self.owners.values():
            owner.port.commit_noted()

    def notice(self) -> None:
        """Learns that the group went on without it: drops everything, joins again."""
        if not self.alive or not self.expelled:
            return
        self.world.note(f"{self.name} learns that it was expelled")
        for owner in list(self.owners.values()):
            self.stop_owner(owner.group, owner.partition)
        self.expelled = False
        self.lease_at = -1e9
        for group in self.groups:
            group.joined(self)

    # ------------------------------------------------------------------ faults

    def _silent(self) -> None:
        if self.silent_since is None:
            self.silent_since = self.world.now
        for group in self.groups:
            self.world.at(self.silent_since + group.session_seconds, group.expel, self)

    def _heard(self) -> None:
        if not self.paused and not self.isolated and not self.busy:
            self.silent_since = None

    def isolate(self) -> None:
        """The coordinator can't be reached any more; partitions' leaders can."""
        self.isolated = True
        self.world.note(f"isolate {self.name}")
        self._silent()

    def reconnect(self) -> None:
        """The coordinator can be reached again."""
        self.isolated = False
        self._heard()
        self.world.note(f"reconnect {self.name}")
        if self.expelled:
            self.world.after(self.world.random.random(), self.do, self.notice)

    def pause(self) -> None:
        """SIGSTOP."""
        self.paused = True
        self.world.note(f"pause {self.name}")
        self._silent()

    def resume(self) -> None:
        """SIGCONT: goes on where it was, queue and all."""
        if not self.alive or not self.paused:
            return
        self.world.note(f"resume {self.name}")
        self.paused = False
        self._heard()
        backlog, self.backlog = self.backlog, []
        for act, arguments in backlog:
            self.world.after(self.world.random.random() * 0.002, self.do, act, *arguments)
        if self.expelled:
            self.world.after(self.world.random.random() * 3, self.do, self.notice)

    def kill(self) -> None:
        """SIGKILL: no `finally` block, no goodbye. Restarted later by its launcher."""
        if not self.alive:
            return
        self.world.note(f"kill {self.name}")
        self.alive = False
        for owner in self.owners.values():
            owner.stopped = True
            owner.port.close()
            self.grave.append(owner)
        self.owners = {}
        self.backlog = []
        world = self.world
        world.after(0.05 + world.random.random() ** 2 * 5, self.restart)
        for group in self.groups:
            world.after(group.session_seconds, group.expel, self)

    def restart(self) -> None:
        """The launcher starts the process again. Static membership gives it back what nobody took yet."""
        for group in self.groups:
            group.members.remove(self)
        fresh = Process(self.world, self.groups, self.instance, self.incarnation + 1)
        fresh.grave = self.grave
        for group in self.groups:
            group.take_over(self, fresh)

    def bury(self) -> None:
        """At the end of the world: frees the coroutines that were cut off."""
        for owner in [*self.grave, *self.owners.values()]:
            owner.stopped = True
            for task in owner.tasks:
                task.close()
