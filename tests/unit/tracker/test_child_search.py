"""What `GET /maprun/children` finds: by each thing that can be asked for, over pages, and in the latest redrive."""

import asyncio
from typing import Any

import msgspec
import pytest

from maprun.requests.checks import Refusal
from schemas.home import ABORTED, FAILED, SUCCEEDED, ItemsRead, LaneProgress, SourceEnded
from services.maprun_tracker.api import child_search, own_inputs
from services.maprun_tracker.limits import TrackerLimits
from tests.unit.mapruns.generations import Child, outcome
from tests.unit.tracker.stories import Story
from tests.unit.tracker.test_api_redrive import CALL, Redriven, World


def pages_of(world: World, arn: str, **asked: Any) -> list[dict[str, Any]]:
    """All pages."""
    world.fold()
    pages: list[dict[str, Any]] = []
    while not pages or "nextToken" in pages[-1]:
        token = pages[-1]["nextToken"] if pages else None
        ask = own_inputs.ChildrenAsked(map_run_arn=arn, next_token=token, **asked)
        pages.append(msgspec.to_builtins(asyncio.run(child_search.children(world.service, ask, CALL))))
    return pages


def found(world: World, arn: str, **asked: Any) -> list[int]:
    """The indexes of the children found."""
    return [int(row["name"][:8], 16) for page in pages_of(world, arn, **asked) for row in page["executions"]]


def many() -> tuple[World, str]:
    """Thirty children: of each three one succeeded, one failed, one was aborted."""
    story = Story(1)
    world = World(story)
    run = story.begin(0)
    ends = {index: Child(index, (SUCCEEDED, FAILED, ABORTED)[index % 3], 0, 1, b"r") for index in range(30)}
    story.put(ItemsRead(run, 0, 0, 30, 30, 30, b"c"), outcome(0, ends, run=run), SourceEnded(run, 0, 30))
    world.fold()
    row = world.flusher.part.run(run)
    assert row is not None
    return world, row.arn


@pytest.mark.parametrize(
    ("asked", "third"),
    [
        ({"status": "FAILED"}, 1),
        ({"error": "Bad"}, 1),
        ({"cause_pattern": "it is bad"}, 1),
        ({"cause_pattern": "stopped", "status": "ABORTED"}, 2),
        ({"text": "IT IS B"}, 1),
        ({"text": '{"o":'}, 0),
        ({"text": '"i"'}, None),
        ({"error": "Other"}, 3),
        ({"min_seconds": 0.5}, 3),
        ({"error": "Bad", "text": "stopped"}, 3),
        ({"min_redrives": 1}, 3),
    ],
)
@pytest.mark.parametrize(("size", "looked_at"), [(100, 2_000), (4, 2_000), (4, 7), (1, 1)])
def test_children_are_found_by_what_they_are(
    asked: dict[str, Any], third: int | None, size: int, looked_at: int
) -> None:
    """All that is asked for holds; each is found once, newest first, whatever pages hold and parts are."""
    world, arn = many()
    world.service.limits = TrackerLimits(errors_children_max=looked_at)
    expected = [index for index in reversed(range(30)) if third is None or index % 3 == third]
    assert found(world, arn, max_results=size, **asked) == expected


def test_a_page_looks_at_so_many_children() -> None:
    """However rare what is looked for, an answer comes after a bounded number of children."""
    world, arn = many()
    world.service.limits = TrackerLimits(errors_children_max=7)
    pages = pages_of(world, arn, text="nowhere")
    assert [page["childrenLookedAt"] for page in pages] == [7, 7, 7, 7, 2]
    assert not any(page["executions"] for page in pages)


def test_the_latest_redrive_is_a_list_of_its_own() -> None:
    """While it goes on and when it is over, what it ran is found, and nothing else."""
    made = Redriven()
    world, story, run = made.world, made.story, made.run
    assert found(world, made.arn) == [2, 1, 0]
    story.redrive(run, made.root, 1)
    assert found(world, made.arn, redrive="latest") == []
    lost = ItemsRead(run, 1, 0, 2, 2, 2, b"c", redriven=(FAILED, 1, 1, ABORTED, 1, 1))
    story.put(lost, LaneProgress(run, 1, 0, (0, 1)))
    assert found(world, made.arn, redrive="latest") == [0]
    story.put(ItemsRead(run, 1, 2, 1, 1, 1, b"c"), outcome(1, {0: Child(0, SUCCEEDED, 1)}, run=run))
    story.put(outcome(1, {1: Child(2, FAILED, 1, 1, b"r"), 2: Child(3, SUCCEEDED)}, run=run))
    assert found(world, made.arn, redrive="latest") == [3, 2, 0]
    assert found(world, made.arn, redrive="latest", status="FAILED") == [2]
    assert found(world, made.arn, redrive="latest", error="Bad", min_redrives=1) == [2]


def test_a_token_is_of_one_question() -> None:
    """Another question with it is refused."""
    world, arn = many()
    token = pages_of(world, arn, max_results=1, text="bad")[0]["nextToken"]
    ask = own_inputs.ChildrenAsked(map_run_arn=arn, next_token=token, text="good")
    with pytest.raises(Refusal, match="Token"):
        asyncio.run(child_search.children(world.service, ask, CALL))
