"""State machines in a mark: their definitions are rows of their own, for they are large and seldom change."""

from collections.abc import Mapping

import msgspec

from schemas.arns import qualified
from schemas.machines import MachineWritten


class MachineDefinitions:
    """The machines of a home with digests in place of definitions, and how many have each digest."""

    def __init__(self) -> None:
        self._machines: dict[str, MachineWritten] = {}
        self._users: dict[bytes, int] = {}
        self._left: set[bytes] = set()  # digests that a machine had, and none has now

    @property
    def machines(self) -> Mapping[str, MachineWritten]:
        """What a mark holds of the machines: the digest stands where the definition does."""
        return self._machines

    def users_of(self, digest: bytes) -> int:
        """How many machines have this definition."""
        return self._users.get(digest, 0)

    def written(self, machine: MachineWritten, digest: bytes) -> None:
        """Takes a machine or a version over as it is now; a deleted one, or one no longer named, is known no more."""
        had = self._machines.pop(machine.arn, None)
        if not machine.deleted:
            self._machines[machine.arn] = with_definition(machine, digest)
            self._users[digest] = self.users_of(digest) + 1
            self._left.discard(digest)
        if had is not None:
            self._forget(had)
            for number in set(had.versions) - set(machine.versions):
                self._forget(self._machines.pop(qualified(machine.arn, number)))

    def _forget(self, had: MachineWritten) -> None:
        digest = had.spec.definition
        self._users[digest] -= 1
        if not self._users[digest]:
            del self._users[digest]
            self._left.add(digest)

    def take_left(self) -> set[bytes]:
        """The digests that no machine has any more, named once."""
        left, self._left = self._left, set()
        return left


def with_definition(machine: MachineWritten, definition: bytes) -> MachineWritten:
    """A machine with another definition, or with a digest in its place."""
    return msgspec.structs.replace(machine, spec=msgspec.structs.replace(machine.spec, definition=definition))
