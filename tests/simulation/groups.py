"""Consumer groups of the simulated world: who owns which partition, commits fenced by membership, rebalances."""

from maprun.bus.port import Record
from tests.simulation.port import SimPort
from tests.simulation.process import Owner, Process, Start
from tests.simulation.world import World

SESSION_SECONDS = 6.0
LEASE_MARGIN_SECONDS = 1.5


class Group:
    """One group over one topic."""

    session_seconds = SESSION_SECONDS

    def __init__(self, world: World, name: str, topic: str, partitions: int, start: Start) -> None:
        self.world = world
        self.name = name
        self.topic = topic
        self.partitions = partitions
        self.start = start
        self.members: list[Process] = []
        self.owner: dict[int, Process | None] = dict.fromkeys(range(partitions))
        self.committed: dict[int, list[int]] = {partition: [] for partition in range(partitions)}

    def _healthy(self) -> list[Process]:
        return [p for p in self.members if p.alive and not p.paused and not p.isolated and not p.expelled]

    def joined(self, process: Process) -> None:
        """A member (again): gets what nobody owns, soon."""
        if process not in self.members:
            self.members.append(process)
        self.world.after(self.world.random.random() * 0.3, self.settle)

    def settle(self) -> None:
        """Gives partitions without an owner to members."""
        healthy = self._healthy()
        for partition, owner in self.owner.items():
            if owner is None and healthy:
                self._give(partition, self.world.random.choice(healthy))

    def _give(self, partition: int, process: Process) -> None:
        self.owner[partition] = process
        self.world.after(self.world.latency(), process.do, self._started, partition, process)

    def _started(self, partition: int, process: Process) -> None:
        process.start_owner(self, partition, self._port)

    def begin(self, partition: int) -> None:
        """Starts the owner of a partition (again) in the process that holds it."""
        process = self.owner.get(partition)
        if process is not None:
            process.do(self._started, partition, process)

    def _port(self, owner: Owner) -> SimPort:
        return SimPort(owner, LEASE_MARGIN_SECONDS)

    def take_over(self, old: Process, fresh: Process) -> None:
        """Static membership: the same instance came back before its session was over."""
        for partition, owner in self.owner.items():
            if owner is old:
                self._give(partition, fresh)

    def expel(self, process: Process) -> None:
        """The session of a member is over: others get its partitions."""
        since = process.silent_since
        if process.alive and (since is None or self.world.now < since + self.session_seconds):
            return
        if process.alive:
            process.expelled = True
        for partition, owner in self.owner.items():
            if owner is process:
                self.owner[partition] = None
        self.settle()

    def rebalance(self) -> None:
        """A partition changes hands in good order: revoked first, then given."""
        partition = self.world.random.randrange(self.partitions)
        old = self.owner[partition]
        healthy = self._healthy()
        if old is None or not healthy or old not in healthy:
            return
        new = self.world.random.choice(healthy)
        self.world.note(f"rebalance {self.name}/{partition}: {old.name} to {new.name}")
        if self.world.random.random() < 0.5:
            old.renew()
        old.stop_owner(self, partition)
        self._give(partition, new)

    def commit(self, process: Process, partition: int, position: int) -> bool:
        """A commit; refused from who is no member or does not own the partition."""
        if self.owner[partition] is not process:
            return False
        history = self.committed[partition]
        if not history or history[-1] < position:
            history.append(position)
        return True

    def position(self, partition: int) -> int:
        """The committed position; now and then an older one, as after an operator's reset."""
        history = self.committed[partition]
        if not history:
            return 0
        if not self.world.calm and self.world.random.random() < 0.15:
            return self.world.random.choice([0, *history])
        return history[-1]


def readable(records: list[Record | None]) -> list[Record]:
    """Without the gaps that compaction left."""
    return [record for record in records if record is not None]
