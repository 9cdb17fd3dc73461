"""What became of an execution's states: spans of its events, its timeline, and the counts in its graph."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import CHILD, EXECUTION, HOSTILE, RUN, START, Api, address, child_row, counts, found, of_run

Json = dict[str, Any]
_PREFIXES = {"Entered": "stateEntered", "Exited": "stateExited"}


def events(*given: tuple[str, int, Json]) -> list[Json]:
    """Events a second apart: type, the id of the one before, what its details say."""
    out = []
    for number, (kind, before, details) in enumerate(given, 1):
        prefix = next((name for end, name in _PREFIXES.items() if kind.endswith(f"State{end}")), "some")
        event = {"id": number, "previousEventId": before, "timestamp": START + number, "type": kind}
        out.append(event | ({f"{prefix}EventDetails": details} if details else {}))
    return out


def named(name: str) -> Json:
    """Details of a state that was entered or left."""
    return {"name": name}


RETRIED = events(
    ("ExecutionStarted", 0, {}),
    ("TaskStateEntered", 1, named("Call")),
    ("TaskScheduled", 2, {}),
    ("TaskFailed", 3, {"error": HOSTILE}),
    ("TaskScheduled", 4, {}),
    ("TaskSucceeded", 5, {}),
    ("TaskStateExited", 6, named("Call")),
    ("WaitStateEntered", 7, named("Rest")),
)
BRANCHES = events(
    ("ExecutionStarted", 0, {}),
    ("ParallelStateEntered", 1, named("Both")),
    ("ParallelStateStarted", 2, {}),
    ("PassStateEntered", 3, named("Left")),
    ("TaskStateEntered", 3, named("Right")),
    ("PassStateExited", 4, named("Left")),
    ("TaskFailed", 5, {"error": "E"}),
    ("ParallelStateFailed", 7, {}),
    ("ExecutionFailed", 8, {"error": "E"}),
)
MAPPED = events(
    ("ExecutionStarted", 0, {}),
    ("MapStateEntered", 1, named("Each")),
    ("MapRunStarted", 2, {"mapRunArn": RUN}),
)


@pytest.fixture
def spans(page: Page, api: Api) -> Iterator[Any]:
    """Calls a function of the module with events."""
    page.goto("/console/icon.svg")
    script = "([name, given]) => import('/console/spans.js').then((found) => found[name](given))"
    yield lambda name, given: page.evaluate(script, [name, given])
    assert api.asked == []


def told(found: list[Json]) -> list[tuple[Any, ...]]:
    """Name, depth, seconds from the first event to entry and to leaving, status, how often something failed."""
    return [
        (s["name"], s["depth"], s["from"] - START, s.get("to") and s["to"] - START, s["status"], len(s["tries"]))
        for s in found
    ]


def test_a_state_lasts_from_its_entry_to_its_exit(spans: Any) -> None:
    """What failed in it and was retried is told; a state that goes on has no end."""
    assert told(spans("spansOf", RETRIED)) == [
        ("Call", 0, 2, 7, "SUCCEEDED", 1),
        ("Rest", 0, 8, None, "RUNNING", 0),
    ]


def test_branches_stand_under_their_state(spans: Any) -> None:
    """Two states at once each have their own exit; what was not left fails with its execution."""
    assert told(spans("spansOf", BRANCHES)) == [
        ("Both", 0, 2, 9, "FAILED", 1),
        ("Left", 1, 4, 6, "SUCCEEDED", 0),
        ("Right", 1, 5, 9, "FAILED", 1),
    ]


@pytest.mark.parametrize(
    "given",
    [
        [],
        events(("TaskStateExited", 99, named("Call"))),
        events(("TaskFailed", 7, {}), ("ExecutionAborted", 1, {})),
        events(("PassStateEntered", 1, {}), ("PassStateExited", 1, {})),
    ],
)
def test_events_whose_beginning_is_missing_are_passed_over(spans: Any, given: list[Json]) -> None:
    """A page of a long history that begins in its midst breaks nothing."""
    assert all(span["from"] >= START for span in spans("spansOf", given))


def test_a_timeline_says_when_each_state_was_and_what_failed_in_it(page: Page, api: Api) -> None:
    """On the page of the execution, and in the drawer of a child; errors are text."""
    api.answers = of_run(counts(failed=1), status="FAILED", stopDate=START + 9)
    api.answers |= {
        "GetExecutionHistory": lambda _: {"events": RETRIED},
        "history": lambda _: {"events": RETRIED},
        "children": lambda _: found(child_row(1)),
    }
    page.goto(address("execution", EXECUTION, "?tab=timeline"))
    rows = page.get_by_role("list", name="Timeline of the states").get_by_role("listitem")
    expect(rows.nth(0)).to_contain_text(f"Call5 s, failed once, first with {HOSTILE}")
    expect(rows.nth(1)).to_contain_text("so far")
    expect(rows.nth(0).locator("rect")).to_have_count(2)
    page.goto(address("map-run", RUN, f"?child={CHILD.format(1)}"))
    drawer = page.get_by_role("dialog", name="Child execution")
    expect(drawer.get_by_role("list", name="Timeline of the states").get_by_role("listitem")).to_have_count(2)
    expect(drawer.locator(".events li")).to_have_count(len(RETRIED))
    assert page.evaluate("window.broken") is None


def test_the_graph_says_what_became_of_each_state(page: Page, api: Api) -> None:
    """A Map has the items of its Map Run, a state in it what its last children did, others their visits."""
    leaf = {"StartAt": HOSTILE, "States": {HOSTILE: {"Type": "Pass", "End": True}}}
    states = {
        "Call": {"Type": "Task", "Next": "Each"},
        "Each": {"Type": "Map", "ItemProcessor": leaf, "Next": "Never"},
        "Never": {"Type": "Succeed"},
    }
    definition = json.dumps({"StartAt": "Call", "States": states})
    api.answers = of_run(counts(running=40, succeeded=600, failed=2, timedOut=1, pending=7))
    api.answers |= {
        "DescribeExecution": lambda _: {"status": "RUNNING", "startDate": START, "stateMachineArn": "a:b", "name": "n"},
        "DescribeStateMachineForExecution": lambda _: {"definition": definition},
        "GetExecutionHistory": lambda _: {"events": MAPPED},
        "states": lambda _: {"childrenCounted": 200, "states": [{"name": HOSTILE, "visits": 190, "endedInIt": 13}]},
    }
    page.goto(address("execution", EXECUTION, "?tab=definition"))
    graph = page.get_by_role("region", name="Graph of the states")
    expect(graph).to_contain_text("40 running, 600 done, 3 failed")
    expect(graph.locator(".state[data-status=RUNNING]")).to_have_count(1)
    expect(graph).to_contain_text("190 of last 200, 13 failed")
    expect(graph.locator(".state[data-status=FAILED]")).to_have_count(1)
    expect(graph.locator(".state[data-status]")).to_have_count(2)
    assert api.members_of("states")[0] == {"arn": RUN}
    api.answers["GetExecutionHistory"] = lambda _: {"events": RETRIED[:7]}
    expect(graph).to_contain_text("1 done")
    expect(graph.locator(".state[data-status=SUCCEEDED]")).to_have_count(1)
