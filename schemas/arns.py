"""The names of things: AWS's ARN forms, and ids that carry their own way home.

An id derived here looks like a UUID. The id of a Map Run carries the number of its home partition in clear; the name
of a child carries home, run and index in clear, so any ARN leads to (home, run, index) without a table:

    run    dddddddd-dddd-4hhh-vddd-dddddddddddd     d = digest of (root execution ARN, effect), h = home
    child  iiiiiiii-dddd-3hhh-vddd-dddddddddddd     i = index; the digest groups are those of its run

AWS's own child names are UUID-shaped with version nibble 3, Map Run ids with 4.
"""

import hashlib
import re

from schemas.wire import Part

HOMES_MAX = 1 << 12
_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
"""By the beginning of a Region's name, as botocore's partitions.json has them; every other Region is of `aws`."""
_ARN_MACHINE, _ARN_NAME = 6, 7  # places in arn:partition:states:region:account:execution:machine:name
_MACHINE_PARTS = 7  # arn:partition:states:region:account:stateMachine:name, and behind it perhaps a version or an alias
_CHILD = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-3[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_RUN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class ChildId(Part, frozen=True):
    """Where a child's name leads: the home partition, the part of its run's id it shares, and its index."""

    home: int
    run_tail: str
    index: int


def murmur2(data: bytes) -> int:
    """Kafka's default partitioner hash of a key, made positive."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


def home_of(arn: str, homes: int) -> int:
    """The home partition of a root execution, an activity or a state machine (by its own ARN, not a version's)."""
    return murmur2(arn.encode()) % homes


def unqualified(machine_arn: str) -> str:
    """The ARN of the state machine that a version or an alias is of; a machine's own ARN stays as it is."""
    return ":".join(machine_arn.split(":")[:_MACHINE_PARTS])


def qualifier_of(machine_arn: str) -> str:
    """The number of a version, or the name of an alias, behind a state machine's ARN; empty for the machine itself."""
    return ":".join(machine_arn.split(":")[_MACHINE_PARTS:])


def qualified(machine_arn: str, qualifier: str | int) -> str:
    """The ARN of a version (its number) or an alias (its name) of a state machine."""
    return f"{machine_arn}:{qualifier}"


def run_id(home: int, root_arn: str, ref: str) -> str:
    """The id of the Map Run that the effect `ref` of a root execution asks for."""
    d = hashlib.blake2b(f"{root_arn}\n{ref}".encode(), digest_size=16).hexdigest()
    variant = "89ab"[int(d[16], 16) & 3]
    return f"{d[:8]}-{d[8:12]}-4{home:03x}-{variant}{d[17:20]}-{d[20:32]}"


def run_tail(run: str) -> str:
    """What the id of a run and the names of all its children share, home included."""
    return run[8:14] + run[15:]


def child_name(run: str, index: int) -> str:
    """The name of a child of a run."""
    return f"{index:08x}{run[8:14]}3{run[15:]}"


def child_express_id(run: str, index: int) -> str:
    """The last part of an EXPRESS child's ARN."""
    return f"{index:08x}{run[8:]}"


def parse_child_name(name: str) -> ChildId | None:
    """Reads a child's name back; None when it isn't one."""
    if not _CHILD.fullmatch(name):
        return None
    return ChildId(int(name[15:18], 16), name[8:14] + name[15:], int(name[:8], 16))


def child_of_arn(arn: str) -> ChildId | None:
    """The child that an execution's ARN names; None for a root execution's.

    A child's machine has a label: `…:execution:machine/label:name`. A root's name may look like any child's, so the
    name alone says nothing.
    """
    parts = arn.split(":")
    if len(parts) <= _ARN_NAME or "/" not in parts[_ARN_MACHINE]:
        return None
    return parse_child_name(parts[_ARN_NAME])


def auto_label(machine_arn: str, state: str) -> str:
    """The label of a Map state that gives none: UUID-shaped, version nibble 3, stable for a machine and state."""
    d = run_id(0, machine_arn, state)
    return f"{d[:14]}3{d[15:]}"


def home_of_run(run: str) -> int | None:
    """The home partition in a Map Run's id; None when it isn't one."""
    return int(run[15:18], 16) if _RUN.fullmatch(run) else None


def partition_of(region: str) -> str:
    """The partition of AWS that a Region belongs to: the second part of every ARN there."""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")


class Names(Part, frozen=True):
    """The account and Region every ARN of this installation carries; the partition follows from the Region."""

    region: str = "us-east-1"
    account: str = "123456789012"

    def _arn(self, rest: str) -> str:
        return f"arn:{partition_of(self.region)}:states:{self.region}:{self.account}:{rest}"

    def role(self, name: str) -> str:
        """An IAM role's ARN."""
        return f"arn:{partition_of(self.region)}:iam::{self.account}:role/{name}"

    def user(self, name: str) -> str:
        """An IAM user's ARN."""
        return f"arn:{partition_of(self.region)}:iam::{self.account}:user/{name}"

    def root(self) -> str:
        """The account's root in IAM."""
        return f"arn:{partition_of(self.region)}:iam::{self.account}:root"

    def machine(self, name: str) -> str:
        """A state machine's ARN."""
        return self._arn(f"stateMachine:{name}")

    def activity(self, name: str) -> str:
        """An activity's ARN."""
        return self._arn(f"activity:{name}")

    def execution(self, machine_name: str, name: str) -> str:
        """A root execution's ARN."""
        return self._arn(f"execution:{machine_name}:{name}")

    def express(self, machine_name: str, name: str, express_id: str) -> str:
        """The ARN of a root execution of an EXPRESS machine: names need not be unique, ids are."""
        return self._arn(f"express:{machine_name}:{name}:{express_id}")

    def map_run(self, machine_name: str, label: str, run: str) -> str:
        """A Map Run's ARN."""
        return self._arn(f"mapRun:{machine_name}/{label}:{run}")

    def labelled_machine(self, machine_name: str, label: str) -> str:
        """The ARN that the children of a Map Run report as their state machine."""
        return self._arn(f"stateMachine:{machine_name}/{label}")

    def child_prefix(self, machine_name: str, label: str, *, express: bool) -> str:
        """A child's ARN without its name."""
        return self._arn(f"{'express' if express else 'execution'}:{machine_name}/{label}:")


def child_arn(prefix: str, run: str, index: int, *, express: bool) -> str:
    """A child's ARN, from `Names.child_prefix`; an EXPRESS child's ends in an id of its own."""
    name = child_name(run, index)
    return f"{prefix}{name}:{child_express_id(run, index)}" if express else prefix + name
