"""Result records made in processes beside the scheduler: the same bytes, also when one of them is lost."""

import asyncio
import gc
import os
import signal
import weakref
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import uvloop

from maprun.mapruns.results.shaping import ResultShape, Shaped
from schemas.home import FAILED, RETURNED, SUCCEEDED, ChildrenEnded
from services.scheduler.shaper import SHAPERS_KEPT, Shapers
from services.scheduler.shaping import Chosen, ShaperLostError, Shaping, ShapingBeside, ShapingHere
from tests.unit.mapruns.programs import NAMES, frame

RUN = "aaaaaaaa-bbbb-4001-8ccc-dddddddddddd"
SHAPE = ResultShape(RUN, "machine", "label", express=False, lines=False, transformation="NONE")
WHOLE: Chosen = [(0, 0, 40)]


T = TypeVar("T")


def run(scene: Coroutine[Any, Any, T]) -> T:
    """To its end, on the loop that services run on: it takes fewer kinds of arguments than asyncio's own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(scene)


def frames(count: int) -> list[ChildrenEnded]:
    """Frames of forty children each that ended in every way."""
    states = [(SUCCEEDED, FAILED, RETURNED, SUCCEEDED)[n % 4] for n in range(40)]
    return [frame(RUN, 0, list(range(40 * n, 40 * n + 40)), states) for n in range(count)]


async def shaped(shaping: Shaping, asked: list[ChildrenEnded], shape: Any = SHAPE) -> list[Shaped]:
    """All of them, begun before the first is awaited."""
    try:
        return [await records for records in [shaping.begin(shape, each, WHOLE) for each in asked]]
    finally:
        await shaping.close()


def test_where_records_are_made_changes_nothing() -> None:
    """Frames shaped by two processes are those shaped here, in order."""
    asked = frames(20)
    here = run(shaped(ShapingHere(NAMES), asked))
    assert run(shaped(ShapingBeside(NAMES, 2), asked)) == here


@pytest.mark.parametrize("transformation", ["NONE", "COMPACT", "FLATTEN"])
def test_what_shaped_a_run_is_gone_with_it(transformation: str) -> None:
    """It is in no circle, so nothing of it waits for the collector; and runs share what unpacks their pages."""
    shapers = Shapers(NAMES)
    [asked] = frames(1)
    gc.disable()
    try:
        made = []
        for number in range(SHAPERS_KEPT + 1):
            shaper = shapers.of(msgspec.structs.replace(SHAPE, run=f"run-{number}", transformation=transformation))
            shaper.shape(asked, WHOLE)
            made.append(weakref.ref(shaper))
            del shaper
        assert [each() is None for each in made] == [True] * SHAPERS_KEPT + [False]
    finally:
        gc.enable()
    assert shapers.of(SHAPE)._pages is shapers.of(msgspec.structs.replace(SHAPE, run="other"))._pages


def test_what_cant_be_shaped_raises_and_harms_no_other() -> None:
    """A frame whose pages are no pages fails alone, in words."""
    good, bad = frames(2)

    async def scene() -> None:
        shaping = ShapingBeside(NAMES, 1)
        broken = shaping.begin(SHAPE, frame(RUN, 0, [0], [SUCCEEDED]), [(0, 0, 90)])
        fine = shaping.begin(SHAPE, good, WHOLE)
        with pytest.raises(ValueError, match="IndexError"):
            await broken
        assert (await fine)[0]
        assert (await shaping.begin(SHAPE, bad, WHOLE))[0]
        await shaping.close()

    run(scene())


def test_a_process_that_is_killed_is_begun_anew_and_asked_again() -> None:
    """Killed while frames are under way: each is answered all the same."""
    asked = frames(30)

    async def scene() -> list[Shaped]:
        shaping = ShapingBeside(NAMES, 1)
        await shaping.begin(SHAPE, asked[0], WHOLE)
        begun = [shaping.begin(SHAPE, each, WHOLE) for each in asked]
        await asyncio.sleep(0)
        os.kill(shaping.pids[0], signal.SIGKILL)
        records = [await each for each in begun]
        await shaping.close()
        return records

    assert run(scene()) == run(shaped(ShapingHere(NAMES), asked))


def test_a_frame_that_kills_each_process_is_given_up() -> None:
    """After some tries its run is told, instead of processes being begun for ever."""

    async def scene() -> None:
        shaping = ShapingBeside(NAMES, 1, ["/bin/true"])
        with pytest.raises(ShaperLostError):
            await shaping.begin(SHAPE, frames(1)[0], WHOLE)
        await shaping.close()

    run(scene())


def test_where_no_process_can_be_begun_records_are_made_here(tmp_path: Path) -> None:
    """A program that can't be executed costs time and no result."""
    asked = frames(3)
    assert run(shaped(ShapingBeside(NAMES, 1, [str(tmp_path / "absent")]), asked)) == run(
        shaped(ShapingHere(NAMES), asked)
    )
