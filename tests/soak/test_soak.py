"""The soak, small: half a minute of it on a real stack."""

from pathlib import Path

import pytest

from tests.soak.__main__ import page, soak
from tests.soak.slopes import judge_all
from tests.soak.watch import BOUNDS


@pytest.mark.integration
def test_a_small_soak_runs_its_load_and_measures_every_service(tmp_path: Path) -> None:
    """Every kind of run ends as it must, no part ends, each service has its measures; no file stays open a run."""
    load, watch = soak(tmp_path, 30.0, 0.5, 40, 0.2)
    assert load.wrong == []
    assert load.runs >= 4
    judged = {each.name: each for each in judge_all(watch.measures, BOUNDS)}
    for part in ("scheduler", "item-reader", "child-runner-0", "maprun-tracker"):
        assert {f"memory: {part}", f"files: {part}", f"threads: {part}"} <= judged.keys()
        assert judged[f"files: {part}"].wrong == ""
    assert {"store: tracker", "store: scheduler", "disk: s3", "disk: kafka: maprun.home"} <= judged.keys()
    assert "memory: scheduler" in page(list(judged.values()), load, 0.5)
