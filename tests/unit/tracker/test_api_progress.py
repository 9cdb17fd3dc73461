"""What `GET /maprun/progress` says of a Map Run's reading."""

import asyncio
from typing import Any

import msgspec
import pytest

from schemas.home import ItemsRead, SourceEnded
from services.maprun_tracker.api.operations import OWN_PATHS
from tests.unit.tracker.stories import Story
from tests.unit.tracker.test_api_redrive import CALL, World


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([], {"itemsRead": 0, "sourceEnded": False}),
        ([(0, 40, 0.0)], {"itemsRead": 40, "sourceEnded": False}),
        ([(0, 40, 0.1)], {"itemsRead": 40, "sourceEnded": False, "sourceShareRead": 0.1, "itemsExpected": 400}),
        (
            [(0, 40, 0.1), (40, 40, 0.25)],
            {"itemsRead": 80, "sourceEnded": False, "sourceShareRead": 0.25, "itemsExpected": 320},
        ),
        ([(0, 40, 0.5), None], {"itemsRead": 40, "sourceEnded": True, "sourceShareRead": 1.0, "itemsExpected": 40}),
    ],
)
def test_items_are_expected_by_the_share_that_was_read(
    records: list[tuple[int, int, float] | None], told: dict[str, Any]
) -> None:
    """A tenth read with 40 items lets 400 be expected; of a listing nothing is foretold; the end is known."""
    story = Story(1)
    world = World(story)
    run = story.begin(0)
    for record in records:
        if record is None:
            story.put(SourceEnded(run, 0, 40))
        else:
            first, count, share = record
            story.put(ItemsRead(run, 0, first, count, count, 10 * count, b"c", share=share))
    world.fold()
    row = world.flusher.part.run(run)
    assert row is not None
    own = OWN_PATHS["/maprun/progress"]
    answer: Any = asyncio.run(own.handle(world.service, own.asked(map_run_arn=row.arn), CALL))  # type: ignore[arg-type]
    assert msgspec.to_builtins(answer) == {"mapRunArn": row.arn, **told}
