"""The disks of the simulated processes: what a process kept is there when it starts again, or is older, or is lost."""

from maprun.archive.store import MemoryStore
from tests.simulation.process import Process
from tests.simulation.world import World

LOST_SHARE, OLD_SHARE = 0.15, 0.25
"""Of starts after a kill: the disk is empty, or it is a copy that was taken some time before."""
COPIES_MAX = 4


class Disks:
    """A store for each process that keeps one, under its stable name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stores: dict[str, tuple[int, MemoryStore]] = {}
        self._copies: dict[str, list[MemoryStore]] = {}

    def of(self, process: Process) -> MemoryStore:
        """The store of a process; what others did to the disk happened before the process began."""
        began, store = self._stores.get(process.instance, (-1, MemoryStore()))
        if began != process.incarnation:
            store = self._found(process.instance, store)
            self._stores[process.instance] = process.incarnation, store
        copies = self._copies.setdefault(process.instance, [])
        copies.append(store.copy())
        del copies[:-COPIES_MAX]
        return store

    def _found(self, instance: str, left: MemoryStore) -> MemoryStore:
        chance = 1.0 if self._world.calm else self._world.random.random()
        if chance < LOST_SHARE:
            self._world.note(f"the disk of {instance} is lost")
            return MemoryStore()
        copies = self._copies.get(instance, [])
        if chance < LOST_SHARE + OLD_SHARE and copies:
            self._world.note(f"the disk of {instance} is an old one")
            return self._world.random.choice(copies).copy()
        return left
