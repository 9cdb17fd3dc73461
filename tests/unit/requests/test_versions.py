"""Which machine or version runs what is started by an ARN."""

from typing import Any

import msgspec
import pytest

from maprun.requests.checks import Refusal
from maprun.requests.registry import MachineRegistry
from maprun.requests.starts import Start, execution_requested
from maprun.requests.versions import exists
from schemas.home import ExecutionRequested
from schemas.lanes import Cause
from schemas.machines import Alias, MachineSpec, MachineWritten
from tests.unit.mapruns.programs import NAMES

ARN = NAMES.machine("m")


def written(offset: int, arn: str, definition: bytes, **over: Any) -> MachineWritten:
    """A machine or a version."""
    return MachineWritten(Cause(1, offset, 0), arn, "m", MachineSpec(definition, "role"), f"rev-{offset}", 1, 1, **over)


def view(*aliases: Alias) -> MachineRegistry:
    """A machine with two versions, which was changed since."""
    machines = MachineRegistry()
    machines.apply(written(1, f"{ARN}:1", b"1", version=1))
    machines.apply(written(2, f"{ARN}:3", b"3", version=3))
    machines.apply(written(3, ARN, b"now", versions=(1, 3), versions_published=3, aliases=aliases))
    return machines


def start(machines: MachineRegistry, arn: str, name: str = "x") -> ExecutionRequested:
    """The request for an execution that is started by this ARN."""
    return execution_requested(Start(arn, name), machines, NAMES, "request", "derived")


def alias(*routes: int, name: str = "live") -> Alias:
    """An alias."""
    return Alias(name, routes, "", 1, 1)


@pytest.mark.parametrize(
    ("qualifier", "definition", "version", "by"),
    [("", b"now", 0, ""), (":1", b"1", 1, ""), (":3", b"3", 3, ""), (":live", b"3", 3, "live")],
)
def test_an_arn_says_what_runs(qualifier: str, definition: bytes, version: int, by: str) -> None:
    """The machine as it is now, a version, or the one an alias routes to; the execution is always the machine's."""
    request = start(view(alias(3, 100)), ARN + qualifier)
    assert (request.definition, request.version, request.alias) == (definition, version, by)
    assert (request.machine_arn, request.arn) == (ARN, NAMES.execution("m", "x"))


@pytest.mark.parametrize("qualifier", [":2", ":4", ":0", ":01", ":live", ":live:1", ":"])
def test_what_is_not_there_starts_nothing(qualifier: str) -> None:
    """Neither a version that was deleted, nor an alias that never was."""
    machines = view(alias(3, 100, name="other"))
    assert not exists(machines, ARN + qualifier)
    with pytest.raises(Refusal) as refused:
        start(machines, ARN + qualifier)
    assert refused.value.code == "StateMachineDoesNotExist"
    assert refused.value.message == f"State Machine Does Not Exist: '{ARN}{qualifier}'"


@pytest.mark.parametrize("weight", [0, 1, 10, 50, 90, 100])
def test_weights_are_kept(weight: int) -> None:
    """Of many executions each version runs its share: within four standard deviations of 10,000 draws."""
    machines, runs = view(alias(1, weight, 3, 100 - weight)), 10_000
    first = sum(start(machines, f"{ARN}:live", f"name-{n}").version == 1 for n in range(runs))
    share = weight / 100
    assert abs(first - runs * share) <= 4 * (runs * share * (1 - share)) ** 0.5


def test_the_same_execution_runs_the_same_version() -> None:
    """The choice is a function of alias and execution: each attempt of a start, at any door, asks for the same one."""
    one, other = view(alias(1, 50, 3, 50)), view(alias(1, 50, 3, 50))
    names = [f"name-{n}" for n in range(200)]
    chosen = [start(one, f"{ARN}:live", name).version for name in names]
    assert chosen == [start(other, f"{ARN}:live", name).version for name in names]
    assert set(chosen) == {1, 3}
    renamed = view(alias(1, 50, 3, 50, name="other"))
    assert chosen != [start(renamed, f"{ARN}:other", name).version for name in names]


def test_a_version_that_its_machine_no_longer_names_is_gone() -> None:
    """Also when its own record comes once more."""
    machines = view()
    machines.apply(written(4, ARN, b"now", versions=(3,), versions_published=3))
    machines.apply(written(1, f"{ARN}:1", b"1", version=1))
    assert machines.get(f"{ARN}:1") is None
    assert sorted(machine.arn for machine in machines) == [ARN, f"{ARN}:3"]
    machines.apply(msgspec.structs.replace(written(5, ARN, b""), deleted=True))
    assert (machines.get(f"{ARN}:3"), list(machines)) == (None, [])
