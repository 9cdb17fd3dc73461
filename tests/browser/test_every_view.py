"""What holds for every view and act: axe finds nothing, nothing sticks out of a phone, hostile texts stay texts."""

from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import CHILD, EXECUTION, MACHINE, RUN, Api, RefusedError, address, counts, of_run
from tests.browser.world import answers_of, hostile_answers_of, violations

VIEWS = [
    "/console/",
    "/console/#/machines",
    "/console/#/machines?text=img",
    *(address("machine", MACHINE, query) for query in ("", "?tab=definition", "?tab=versions")),
    *(address("execution", EXECUTION, f"?tab={tab}") for tab in ("map-runs", "history", "timeline")),
    *(address("execution", EXECUTION, f"?tab={tab}") for tab in ("data", "definition")),
    *(address("map-run", RUN, query) for query in ("", "?tab=errors", "?cause=x&slow=1")),
    address("map-run", RUN, f"?child={CHILD.format(1)}"),
]
ACTS = [
    (address("machine", MACHINE), ["Start an execution"]),
    (address("execution", EXECUTION), ["Redrive"]),
    (address("map-run", RUN), ["Redrive"]),
]
LIVE_ACTS = [
    (address("map-run", RUN), ["Change limits"]),
    (address("map-run", RUN), ["Stop"]),
]
SCHEMES: list[Any] = ["light", "dark"]


def shown(page: Page) -> None:
    """Waits until a view has all that it asked for."""
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def _given(answer: Any, _asked: object) -> Any:
    return answer


def unbroken(page: Page) -> None:
    """Texts that are markup have made no element and run nothing."""
    assert page.locator("img, main script, dialog script").count() == 0
    assert page.evaluate("window.broken") is None


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("where", VIEWS)
def test_every_view_is_sound(page: Page, api: Api, where: str, scheme: Any) -> None:
    """With hostile texts in all of it: axe finds no wrong name, role, order or contrast (AA), on a desk and on a phone.

    At 360 pixels nothing sticks out.
    """
    hostile_answers_of(api)
    page.emulate_media(color_scheme=scheme)
    page.goto(where)
    shown(page)
    assert violations(page) == []
    page.set_viewport_size({"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []
    unbroken(page)


@pytest.mark.parametrize("where", VIEWS)
def test_every_view_is_sound_while_it_has_nothing_or_no_answer(page: Page, api: Api, where: str) -> None:
    """Empty lists and refusals are read, seen and reached as well as full ones."""
    answers_of(api)
    empty: dict[str, Any] = {
        "ListStateMachines": {"stateMachines": []},
        "ListExecutions": {"executions": []},
        "ListMapRuns": {"mapRuns": []},
        "GetExecutionHistory": {"events": []},
    }
    api.answers |= {name: partial(_given, answer) for name, answer in empty.items()}
    page.goto(where)
    shown(page)
    assert violations(page) == []

    def no(_: object) -> Any:
        raise RefusedError("ServiceUnavailable", "Home 1 is being read", 503)

    api.answers = dict.fromkeys(api.answers, no)
    page.reload()
    expect(page.get_by_role("alert").first).to_contain_text("Home 1 is being read")
    assert violations(page) == []


@pytest.mark.parametrize(("where", "buttons"), [*ACTS, *LIVE_ACTS])
def test_every_act_asks_in_a_sound_dialogue(page: Page, api: Api, where: str, buttons: list[str]) -> None:
    """Light and dark, before an act and after its refusal, on a phone; Escape closes it and nothing is done."""
    hostile_answers_of(api)
    if (where, buttons) in LIVE_ACTS:
        api.answers |= of_run(counts(running=40, succeeded=600))
    known = set(api.answers)
    page.goto(where)
    shown(page)
    for name in buttons:
        page.get_by_role("button", name=name, exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 640})
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert {name for name, _ in api.asked} <= known
    unbroken(page)


def test_chosen_clusters_and_children_ask_in_a_sound_dialogue(page: Page, api: Api) -> None:
    """The boxes that choose, the bar that says how many, and the dialogue over it."""
    hostile_answers_of(api)
    for query in ("?tab=errors", "?status=FAILED"):
        page.goto(address("map-run", RUN, query))
        shown(page)
        page.get_by_role("checkbox", name="Choose").check()
        page.get_by_role("button", name="Redrive these").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
        unbroken(page)


def test_the_form_to_sign_in_is_sound(page: Page, api: Api) -> None:
    """It stands over whatever view the API refused."""
    hostile_answers_of(api)

    def unsigned(_: object) -> Any:
        raise RefusedError("MissingAuthenticationTokenException", "Missing Authentication Token")

    api.answers["ListStateMachines"] = unsigned
    page.goto("/console/#/machines")
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert violations(page) == []
