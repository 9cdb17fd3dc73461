"""Starts of EXPRESS machines: by machine, version or alias, and how they travel together."""

import msgspec
import pytest

from maprun.requests.checks import Refusal
from maprun.requests.express import FrameBuilder, express_start
from maprun.requests.starts import Start
from schemas.machines import Alias
from tests.unit.mapruns.programs import NAMES
from tests.unit.requests.test_versions import ARN, view

LIVE = Alias("live", (3, 100), "", 1, 1)


def test_an_execution_runs_what_it_was_started_by() -> None:
    """A machine as it is now, a version, or the version that an alias chooses; the ARN is the machine's."""
    machines = view(LIVE)
    found = {
        arn: express_start(Start(arn, "x"), machines, NAMES, "id", 1)[0] for arn in (ARN, f"{ARN}:1", f"{ARN}:live")
    }
    assert [(m.definition, m.version_arn, m.alias_arn) for m in found.values()] == [
        (b"now", "", ""),
        (b"1", f"{ARN}:1", ""),
        (b"3", f"{ARN}:3", f"{ARN}:live"),
    ]
    assert {machine.arn for machine in found.values()} == {ARN}
    _, start = express_start(Start(f"{ARN}:live", "x"), machines, NAMES, "id", 1)
    assert (start.arn, start.name, start.input) == (NAMES.express("m", "x", "id"), "x", b"{}")
    with pytest.raises(Refusal, match="StateMachineDoesNotExist"):
        express_start(Start(f"{ARN}:2", "x"), machines, NAMES, "id", 1)


def test_a_frame_names_a_machine_once() -> None:
    """Each start says by number which of the frame's machines is its own, in every frame anew."""
    machines = view(LIVE)
    builder = FrameBuilder("me", 1, 1_200)
    frames = []
    for n, arn in enumerate((ARN, f"{ARN}:1", ARN, f"{ARN}:1")):
        full = builder.add(*express_start(Start(arn, f"n{n}"), machines, NAMES, "id", 1, call=n))
        frames += [] if full is None else [full]
    frames.append(builder.take())
    named = [[(frame.machines[s.machine].definition, s.name, s.call) for s in frame.starts] for frame in frames]
    assert named == [[(b"now", "n0", 0), (b"1", "n1", 1)], [(b"now", "n2", 2), (b"1", "n3", 3)]]
    assert {(frame.asker, frame.answers, frame.carrier) for frame in frames} == {("me", 1, "")}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(frames[0]), type=type(frames[0])) == frames[0]
