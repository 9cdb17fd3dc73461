"""The graph of a machine in a browser: where its states stand, which lines join them, and what can't be drawn."""

import itertools
import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import HOSTILE, MACHINE, START, Api, address

Json = dict[str, Any]
LEAF = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": True}}}
WHOLE: Json = {
    "StartAt": "Read",
    "States": {
        "Read": {"Type": "Task", "Next": "Kind", "Catch": [{"Next": "Tell"}]},
        "Kind": {"Type": "Choice", "Choices": [{"Next": "Both"}, {"Next": "Wait"}], "Default": "Each"},
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Read"},
        "Both": {"Type": "Parallel", "Branches": [LEAF, LEAF], "Next": "Done", "Catch": [{"Next": "Tell"}]},
        "Each": {"Type": "Map", "ItemProcessor": LEAF, "Next": "Done"},
        "Tell": {"Type": "Pass", "Next": "Lost"},
        "Lost": {"Type": "Fail"},
        "Done": {"Type": "Succeed"},
        "Nobody leads here": {"Type": "Succeed"},
    },
}


def layout(page: Page, machine: object) -> Any:
    """What the module makes of a definition."""
    page.goto("/console/icon.svg")
    return page.evaluate("async (machine) => (await import('/console/layout.js')).layout(machine)", machine)


def apart(boxes: list[Json]) -> bool:
    """Whether no two boxes of one drawing overlap."""
    return all(
        a["x"] + a["width"] <= b["x"]
        or b["x"] + b["width"] <= a["x"]
        or a["y"] + a["height"] <= b["y"]
        or b["y"] + b["height"] <= a["y"]
        for a, b in itertools.combinations(boxes, 2)
    )


def check(drawing: Json) -> None:
    """Boxes stand apart and within their drawing, those inside of others too."""
    assert apart(drawing["boxes"])
    for box in drawing["boxes"]:
        assert 0 <= box["x"] <= box["x"] + box["width"] <= drawing["width"]
        assert 0 <= box["y"] <= box["y"] + box["height"] <= drawing["height"]
        inner = [{**one, **{m: one["drawing"][m] for m in ("width", "height")}} for one in box["inner"]]
        assert apart(inner)
        for one in inner:
            assert one["x"] + one["width"] <= box["width"]
            assert one["y"] + one["height"] <= box["height"]
            check(one["drawing"])


def test_states_stand_below_what_leads_to_them(page: Page) -> None:
    """Every state is drawn once, every way is a line, and only a way back leads upwards."""
    drawing = layout(page, WHOLE)
    check(drawing)
    tops = {box["name"]: box["y"] for box in drawing["boxes"]}
    assert tops.keys() == WHOLE["States"].keys()
    ways = {(line["from"], line["to"]): line["kind"] for line in drawing["lines"]}
    assert ways == {
        ("Read", "Kind"): "next",
        ("Read", "Tell"): "catch",
        ("Kind", "Both"): "choice",
        ("Kind", "Wait"): "choice",
        ("Kind", "Each"): "choice",
        ("Wait", "Read"): "next",
        ("Both", "Done"): "next",
        ("Both", "Tell"): "catch",
        ("Each", "Done"): "next",
        ("Tell", "Lost"): "next",
    }
    assert [way for way in ways if tops[way[0]] >= tops[way[1]]] == [("Wait", "Read")]
    by_name = {box["name"]: box for box in drawing["boxes"]}
    assert [len(by_name[name]["inner"]) for name in ("Both", "Each", "Read")] == [2, 1, 0]
    assert {name for name, box in by_name.items() if box["ends"]} == {"Lost", "Done", "Nobody leads here"}


@pytest.mark.parametrize(
    "machine",
    [
        {},
        {"States": {}},
        {"StartAt": "nowhere", "States": {"A": {"Type": "Pass", "Next": "A"}}},
        {"StartAt": "A", "States": {"A": {"Next": "B"}, "B": {"Next": "A"}}},
        {"StartAt": "__proto__", "States": {"constructor": {"Type": "Pass", "Next": "toString"}}},
        {"StartAt": "A", "States": {"A": {"Type": "Parallel", "Branches": "none", "Catch": 7, "Choices": [None]}}},
    ],
)
def test_a_definition_that_is_wrong_is_drawn_as_far_as_it_goes(page: Page, machine: Json) -> None:
    """Circles end, ways to nowhere are left out, and nothing throws."""
    drawing = layout(page, machine)
    check(drawing)
    assert len(drawing["boxes"]) == len(machine.get("States", {}))


def test_a_wide_machine_is_laid_out_at_once(page: Page) -> None:
    """Five hundred states, each with ways to ten others, are there within a second."""
    names = [f"S{number}" for number in range(500)]
    states = {
        name: {"Type": "Choice", "Choices": [{"Next": names[(at * 7 + step) % 500]} for step in range(1, 11)]}
        for at, name in enumerate(names)
    }
    page.goto("/console/icon.svg")
    took = page.evaluate(
        "async (machine) => { const {layout} = await import('/console/layout.js');"
        " const began = performance.now(); layout(machine); return performance.now() - began; }",
        {"StartAt": "S0", "States": states},
    )
    assert took < 1_000


def test_the_graph_stands_above_the_definition(page: Page, api: Api) -> None:
    """States are named as text, whatever they are called; a reader by ear hears which leads to which."""
    states = {HOSTILE: {"Type": "Pass", "Next": "Done"}, "Done": {"Type": "Succeed"}}
    definition = json.dumps({"StartAt": HOSTILE, "States": states})
    machine = {"stateMachineArn": MACHINE, "name": "orders", "type": "STANDARD", "creationDate": START, "roleArn": "r"}
    api.answers = {"DescribeStateMachine": lambda _: {**machine, "definition": definition}}
    page.goto(address("machine", MACHINE, "?tab=definition"))
    graph = page.get_by_role("region", name="Graph of the states")
    expect(graph.locator("title").first).to_have_text(HOSTILE)
    expect(graph.get_by_role("img")).to_have_attribute("aria-label", f"{HOSTILE} leads to Done")
    assert page.locator("main img").count() == 0
    assert page.evaluate("window.broken") is None


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ("not JSON", "can't be drawn"),
        ("{}", "no states"),
        (json.dumps({"StartAt": "0", "States": {str(n): {"Type": "Succeed"} for n in range(501)}}), "More than 500"),
    ],
)
def test_what_is_not_drawn_is_said(page: Page, api: Api, definition: str, said: str) -> None:
    """The definition stands below as text in any case."""
    machine = {"stateMachineArn": MACHINE, "name": "orders", "type": "STANDARD", "creationDate": START, "roleArn": "r"}
    api.answers = {"DescribeStateMachine": lambda _: {**machine, "definition": definition}}
    page.goto(address("machine", MACHINE, "?tab=definition"))
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_label("Definition")).to_be_visible()
