"""What `GET /maprun/errors` counts, through redrives and over parts; and what the command line makes of the parts."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from maprun.cli.failures import summed
from maprun.requests.checks import Refusal
from schemas.home import ABORTED, FAILED, SUCCEEDED, TIMED_OUT, ItemsRead, LaneProgress, SourceEnded
from services.maprun_tracker.api import error_clusters, own_inputs
from services.maprun_tracker.limits import TrackerLimits
from tests.unit.mapruns.generations import START_MS, Child, outcome
from tests.unit.tracker.stories import Story
from tests.unit.tracker.test_api_redrive import CALL, Redriven, World

BAD = ("Bad", "it is bad")
ENDED_WITH = {FAILED: BAD, TIMED_OUT: ("States.Timeout", None), ABORTED: (None, "stopped")}


def parts_of(world: World, arn: str) -> list[dict[str, Any]]:
    """All parts, each asked for with the token of the one before."""
    world.fold()
    token: str | None = None
    parts: list[dict[str, Any]] = []
    while not parts or token is not None:
        ask = own_inputs.ErrorsAsked(map_run_arn=arn, next_token=token)
        parts.append(msgspec.to_builtins(asyncio.run(error_clusters.errors(world.service, ask, CALL))))
        token = parts[-1].get("nextToken")
    return parts


def counted(parts: list[dict[str, Any]]) -> dict[tuple[str, str | None, str | None], int]:
    """Children by status, error and cause."""
    return {(c["status"], c.get("error"), c.get("causePattern")): c["count"] for c in summed(parts)}


def test_each_child_counts_as_it_stands_now() -> None:
    """Lost ones wait once a redrive begins, leave while they run, and come back only if they fail again."""
    made = Redriven()
    world, story, run = made.world, made.story, made.run
    (first,) = parts_of(world, made.arn)
    assert first["childrenCounted"] == 2
    assert first["clusters"][0]["executionArns"] in ([made.child(0)], [made.child(2)])
    assert counted([first]) == {("FAILED", *BAD): 1, ("ABORTED", None, "stopped"): 1}
    story.redrive(run, made.root, 1)
    assert counted(parts_of(world, made.arn)) == {
        ("PENDING_REDRIVE", *BAD): 1,
        ("PENDING_REDRIVE", None, "stopped"): 1,
    }
    lost = ItemsRead(run, 1, 0, 2, 2, 2, b"c", redriven=(FAILED, 1, 1, ABORTED, 1, 1))
    story.put(lost, ItemsRead(run, 1, 2, 1, 1, 1, b"c"), LaneProgress(run, 1, 0, (0, 1, 3, 1)))
    assert counted(parts_of(world, made.arn)) == {("PENDING_REDRIVE", None, "stopped"): 1}
    ends = {0: Child(0, SUCCEEDED, 1), 1: Child(2, FAILED, 1, 1, b"r"), 2: Child(3, SUCCEEDED)}
    story.put(outcome(1, ends, run=run))
    assert counted(parts_of(world, made.arn)) == {("FAILED", *BAD): 1}


@pytest.mark.parametrize(("children_max", "frames_max"), [(7, 256), (1_000, 2), (1, 1)])
@pytest.mark.parametrize("seed", range(4))
def test_the_sum_of_the_parts_is_exact(seed: int, children_max: int, frames_max: int) -> None:
    """However small the parts are, each unsuccessful child is counted once, in the cluster it belongs to."""
    story = Story(seed)
    run = story.live(0, redrives=seed % 3)
    world = World(story)
    world.service.limits = TrackerLimits(list_frames_max=frames_max, errors_children_max=children_max)
    world.fold()
    row = world.flusher.part.run(run)
    assert row is not None
    names = {FAILED: "FAILED", TIMED_OUT: "TIMED_OUT", ABORTED: "ABORTED"}
    known = Counter(
        (names[one.status], *ENDED_WITH[one.status]) for one in story.children[run].values() if one.status in names
    )
    parts = parts_of(world, row.arn)
    assert counted(parts) == known
    assert sum(part["childrenCounted"] for part in parts) == known.total()
    assert all(part["childrenCounted"] <= children_max for part in parts)


def test_a_cluster_says_when_its_children_ended_and_names_some() -> None:
    """The first and the last end, and three of the children at most."""
    story = Story(1)
    world = World(story)
    run = story.begin(0)
    children = {index: Child(index, FAILED, 0, 1, b"r") for index in range(5)}
    story.put(ItemsRead(run, 0, 0, 5, 5, 5, b"c"), outcome(0, children, run=run), SourceEnded(run, 0, 5))
    world.fold()
    row = world.flusher.part.run(run)
    assert row is not None
    (part,) = parts_of(world, row.arn)
    (cluster,) = part["clusters"]
    assert (cluster["count"], len(cluster["executionArns"]), cluster["causeSample"]) == (5, 3, "it is bad")
    assert cluster["firstDate"] == cluster["lastDate"] == (START_MS + 7) / 1000


def test_children_whose_end_home_no_longer_holds_are_counted() -> None:
    """They stand without error and cause: the count is right for as long as the run is known."""
    made = Redriven()
    made.world.fold()
    made.world.port.cut = len(made.story.log)
    assert counted(parts_of(made.world, made.arn)) == {("FAILED", None, None): 1, ("ABORTED", None, None): 1}


def test_a_token_of_another_list_is_refused() -> None:
    """A nextToken is good for the question that gave it."""
    made = Redriven()
    made.world.fold()
    listed = made.world.ask("ListExecutions", map_run_arn=made.arn, max_results=1)
    ask = own_inputs.ErrorsAsked(map_run_arn=made.arn, next_token=listed["nextToken"])
    with pytest.raises(Refusal) as refused:
        asyncio.run(error_clusters.errors(made.world.service, ask, CALL))
    assert refused.value.code == "InvalidToken"
