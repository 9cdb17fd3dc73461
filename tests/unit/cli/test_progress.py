"""How far a Map Run is, in words."""

import pytest

from maprun.cli import follow
from tests.unit.cli.fake_api import Json
from tests.unit.cli.rows import described_run, progress


@pytest.mark.parametrize(
    ("told", "done", "read", "eta"),
    [
        (progress(0.25, 1_000, 4_000), "400/~4,000", "25% of the source read", "ETA 36.0 s"),
        (progress(None, 1_000, None), "400 of 1,000 read so far", "source being read", ""),
        (progress(1.0, 1_000, 1_000, ended=True), "400/1,000", "", "ETA 6.0 s"),
        ({}, "400 of 1,000 read so far", "", ""),
    ],
)
def test_what_is_still_to_be_read_counts_in_the_eta(told: Json, done: str, read: str, eta: str) -> None:
    """While a source is read its total is an estimate from the share that was read, or nobody knows it."""
    known = {**described_run("RUNNING", total=1_000, succeeded=400), "progress": told}
    assert (follow.done_text(known), follow.read_text(known), follow.eta_text(known, 100.0)) == (done, read, eta)
