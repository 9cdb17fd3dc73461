"""The clock that timers of executions go by."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maprun.runtime import clock

SOURCE = Path(__file__).parents[2] / "chaos" / "clock.c"
LOOKS = """
import sys
from pathlib import Path
from maprun.runtime import clock

before = clock.wall_ms(), clock.steady_ms()
Path(sys.argv[1]).write_text(sys.argv[2])
print(round((clock.wall_ms() - before[0]) / 10_000), round((clock.steady_ms() - before[1]) / 10_000))
"""


def test_it_begins_as_the_wall_clock() -> None:
    """Where nobody sets the clock they say the same, but for what NTP takes or adds."""
    assert abs(clock.steady_ms() - clock.wall_ms()) < 10_000


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("seconds", [-86_400, 3_600])
def test_a_clock_that_is_set_does_not_move_it(seconds: int, tmp_path: Path) -> None:
    """The wall clock jumps, and timers are due when they were."""
    library, said = tmp_path / "clock.so", tmp_path / "clock"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    said.write_text("0")
    environment = {**os.environ, "LD_PRELOAD": str(library), "MAPRUN_TEST_CLOCK": str(said)}
    found = subprocess.run(
        [sys.executable, "-c", LOOKS, said, str(seconds)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.split() == [str(seconds // 10), "0"]
