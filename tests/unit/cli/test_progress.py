"""How far a Map Run is, in words."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

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


@pytest.mark.parametrize("width", [80, 100, 160, 200])
def test_a_line_fits_its_terminal(width: int) -> None:
    """How much is done, the rate, the time left and the share read are whole on 80 columns; the title gives way."""
    console = Console(width=width, file=StringIO(), force_terminal=False)
    known = {**described_run("RUNNING", total=40_000, succeeded=37_780), "progress": progress(0.19, 40_000, 200_000)}
    bars = follow.bars_on(console)
    title = follow.short_title("fbde8dc1-703c-3000-99e0-6d01074c3a78", width)
    texts: dict[str, Any] = {
        "done": follow.done_text(known),
        "rate": "52,247/s",
        "eta": follow.eta_text(known, 5.0),
        "read": follow.short_read_text(known) if width < follow.WIDE_COLUMNS else follow.read_text(known),
    }
    bars.add_task(title, total=None, counts="37,780 succeeded, 1,780 running", **texts)
    with console.capture() as captured:
        console.print(bars.get_renderable())
    (line,) = captured.get().splitlines()
    assert all(text in line for text in (title, *texts.values()))
