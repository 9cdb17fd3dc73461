"""When the API asks for signatures: where others reach it, unless somebody says that it need not."""

import json
from pathlib import Path

import pytest

from maprun.runtime.process import SetupError
from maprun.runtime.settings import SettingsError, load
from services.maprun_tracker.compose import gate_of
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import SECRET


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, False),
        ({"MAPRUN_HTTP_HOST": "::1"}, False),
        ({"MAPRUN_HTTP_HOST": "localhost"}, False),
        ({"MAPRUN_KEYS_FILE": "keys.json"}, True),
        ({"MAPRUN_HTTP_HOST": "10.0.0.1", "MAPRUN_KEYS_FILE": "keys.json"}, True),
        ({"MAPRUN_HTTP_HOST": "10.0.0.1", "MAPRUN_SIGNATURES": "none"}, False),
    ],
)
def test_who_is_asked(environ: dict[str, str], asked: bool, tmp_path: Path) -> None:
    """A file of keys always means that they are asked for."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([]))
    path.chmod(0o600)
    here = {name: str(path) if name == "MAPRUN_KEYS_FILE" else value for name, value in environ.items()}
    assert (gate_of(load(here), fakes.NAMES, SECRET) is not None) is asked


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "tracker.example.com"])  # noqa: S104 - that is the point
def test_an_api_that_others_reach_is_not_open_by_accident(host: str) -> None:
    """The process doesn't start, and says the two ways out."""
    with pytest.raises(SetupError, match=r"MAPRUN_KEYS_FILE .* or let everybody in by MAPRUN_SIGNATURES=none"):
        gate_of(load({"MAPRUN_HTTP_HOST": host}), fakes.NAMES, SECRET)


def test_keys_that_nobody_asks_for_are_a_mistake() -> None:
    """The two settings contradict each other."""
    with pytest.raises(SettingsError, match="MAPRUN_SIGNATURES=none"):
        load({"MAPRUN_SIGNATURES": "none", "MAPRUN_KEYS_FILE": "keys.json"})
