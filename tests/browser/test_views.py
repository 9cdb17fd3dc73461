"""Machines, executions and histories in a browser; what holds for every view: narrow screens, keyboard, empty lists."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import EXECUTION, HOSTILE, MACHINE, RUN, START, Api, RefusedError, address, counts, of_run

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
HEALTH: dict[str, Any] = {
    "ok": False,
    "troubles": [f"No child-runner has the partitions 3 of {HOSTILE}."],
    "date": START,
    "services": [
        {
            "service": "child-runner",
            "ok": False,
            "topic": "items",
            "partitions": 4,
            "unownedPartitions": [3],
            "recordsBehind": {"items": 12},
            "processes": [
                {
                    "instance": "child-runner-0",
                    "status": "SILENT",
                    "trouble": "hung",
                    "host": "a",
                    "pid": 4711,
                    "startDate": START,
                    "lastReportDate": START - 30,
                    "partitions": [0, 1, 2],
                    "recordsBehind": {"items": 12},
                    "errorsLastHour": 1,
                    "startsLastHour": 0,
                }
            ],
        }
    ],
    "mapRuns": {"open": 3, "waiting": 7, "limit": 1000},
    "openExecutions": 5,
    "errorsLastHour": [{"service": "child-runner", "event": "unexpected_error", "count": 1}],
}
EVENTS = [
    {"id": 1, "timestamp": START, "type": "ExecutionStarted", "executionStartedEventDetails": {"input": "{}"}},
    {"id": 2, "timestamp": START + 1.25, "type": "TaskFailed", "taskFailedEventDetails": {"error": "E", "cause": "C"}},
    {"id": 3, "timestamp": START + 2, "type": "WaitStateEntered", "stateEnteredEventDetails": {"name": HOSTILE}},
]


def _answers(api: Api) -> None:
    """A machine with one execution that has one Map Run."""
    api.answers = of_run(counts(failed=1, succeeded=2), status="FAILED", stopDate=START + 60)
    api.answers |= {
        "ListStateMachines": lambda _: {
            "stateMachines": [{"stateMachineArn": MACHINE, "name": "orders", "type": "STANDARD", "creationDate": START}]
        },
        "DescribeStateMachine": lambda _: {
            "stateMachineArn": MACHINE,
            "name": "orders",
            "type": "STANDARD",
            "creationDate": START,
            "roleArn": "r",
            "definition": '{"StartAt":"A"}',
        },
        "ListExecutions": lambda _: {
            "executions": [{"executionArn": EXECUTION, "name": "nightly", "status": "FAILED", "startDate": START}]
        },
        "ListMapRuns": lambda _: {"mapRuns": [{"mapRunArn": RUN, "startDate": START, "stopDate": START + 3}]},
        "GetExecutionHistory": lambda _: {"events": EVENTS},
        "DescribeStateMachineForExecution": lambda _: {"definition": '{"StartAt":"B"}'},
        "health": lambda _: HEALTH,
    }


def violations(page: Page) -> list[str]:
    """What axe says is wrong with a page, with the elements."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] }).then((result) => result.violations)")
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


def test_home_says_how_the_services_are(page: Page, api: Api) -> None:
    """What is in trouble is said in words, with each process; what runs leads to its page; acts stay in the browser."""
    _answers(api)
    api.answers["StartExecution"] = lambda _: {"executionArn": EXECUTION}
    page.goto(address("machine", MACHINE))
    page.get_by_role("button", name="Start an execution").click()
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    expect(page.get_by_role("status").filter(has_text="Started")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Close").first.click()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("alert")).to_have_text(HEALTH["troubles"][0])
    services = page.get_by_role("region", name="Services")
    expect(services).to_contain_text("12 of items")
    expect(services).to_contain_text("silent: hung")
    expect(page.locator(".figure", has_text="Map Runs queued")).to_contain_text("7")
    expect(page.get_by_role("region", name="Errors of the last hour")).to_contain_text("unexpected_error")
    expect(page.locator(".events li")).to_contain_text("Start an execution orders")
    page.get_by_role("region", name="Executions that run").get_by_role("link", name="nightly").click()
    expect(page.get_by_role("heading", name="nightly")).to_be_visible()


def test_one_signs_in_where_the_api_asks_for_it(page: Page, api: Api) -> None:
    """The form comes by itself; from then on requests are signed, until one signs out. The secret stays in the tab."""
    _answers(api)

    def signed_only(_: object) -> Any:
        if "AKID" not in api.authorizations[-1]:
            raise RefusedError("MissingAuthenticationTokenException", "Missing Authentication Token")
        return {"stateMachines": []}

    api.answers["ListStateMachines"] = signed_only
    page.goto("/console/#/machines")
    form = page.get_by_role("dialog", name="Sign in")
    expect(form).to_contain_text("Missing Authentication Token")
    form.get_by_label("Access key id").fill("AKID")
    form.get_by_label("Secret access key").fill("very-secret-key")
    form.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("There is no state machine yet")).to_be_visible()
    assert "/us-east-1/states/aws4_request" in api.authorizations[-1]
    assert not any("very-secret-key" in given for given in api.authorizations)
    page.get_by_role("button", name="Sign out").click()
    expect(form).to_be_visible()


def test_one_goes_from_machines_to_a_map_run(page: Page, api: Api) -> None:
    """Each list leads to what stands in it, and Back leads back."""
    _answers(api)
    page.goto("/console")
    page.get_by_role("link", name="State machines").click()
    page.get_by_role("link", name="orders").click()
    expect(page.get_by_role("heading", name="orders")).to_be_visible()
    page.get_by_role("link", name="nightly").click()
    page.get_by_role("link", name="Each 0a0b0c0d").click()
    expect(page.get_by_role("heading", name="Map Run Each 0a0b0c0d")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Definition").click()
    expect(page.get_by_label("Definition")).to_contain_text('"StartAt": "B"')


def test_a_history_is_a_table_that_can_be_narrowed_to_failures(page: Page, api: Api) -> None:
    """Each event says when it was and opens its details; a filter leaves those that went wrong."""
    _answers(api)
    page.goto(address("execution", EXECUTION, "?tab=history"))
    events = page.locator(".events li")
    expect(events).to_have_count(3)
    expect(events.nth(2)).to_contain_text(HOSTILE)
    page.get_by_label("Only what went wrong").check()
    expect(events).to_have_count(1)
    expect(events.first).to_contain_text("TaskFailed")
    expect(events.first).to_contain_text("+1.250 s")


def test_an_execution_is_started_with_input_that_is_json(page: Page, api: Api) -> None:
    """What is not JSON is said while it is typed and never sent; what was typed stays."""
    _answers(api)
    api.answers["StartExecution"] = lambda _: {"executionArn": EXECUTION, "startDate": START}
    page.goto(address("machine", MACHINE))
    page.get_by_role("button", name="Start an execution").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Input").fill('{"day": }')
    expect(form.get_by_role("status")).to_contain_text("Not JSON")
    form.get_by_role("button", name="Start").click()
    expect(form.get_by_role("alert")).to_contain_text("Not JSON")
    assert api.members_of("StartExecution") == []
    form.get_by_label("Input").fill('{"day": 1}')
    form.get_by_role("button", name="Start").click()
    expect(form.get_by_role("link", name=EXECUTION)).to_be_visible()
    assert api.members_of("StartExecution") == [{"stateMachineArn": MACHINE, "input": '{"day": 1}'}]


def test_an_arn_leads_to_its_view(page: Page, api: Api) -> None:
    """The field above takes the ARN of a machine, an execution or a Map Run; it says when it is none."""
    _answers(api)
    page.goto("/console/")
    field = page.get_by_role("searchbox")
    field.fill("nonsense")
    field.press("Enter")
    expect(page.get_by_role("banner").get_by_role("alert")).to_contain_text("no ARN")
    field.fill(RUN)
    field.press("Enter")
    expect(page.get_by_role("heading", name="Map Run")).to_be_visible()


def test_a_view_without_an_answer_says_why_and_tries_again(page: Page, api: Api) -> None:
    """A refusal stands on the page in the API's words; after it the same view comes without a reload."""
    _answers(api)
    page.goto("/console/")

    def no(_: object) -> Any:
        raise RefusedError("ExecutionDoesNotExist", "Execution Does Not Exist")

    good, api.answers["DescribeExecution"] = api.answers["DescribeExecution"], no
    page.goto(address("execution", EXECUTION))
    expect(page.get_by_role("alert")).to_contain_text("ExecutionDoesNotExist")
    api.answers["DescribeExecution"] = good
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Map Runs", exact=True)).to_be_visible()


def test_empty_lists_say_so(page: Page, api: Api) -> None:
    """Without machines the console says what makes one."""
    api.answers = {"ListStateMachines": lambda _: {"stateMachines": []}}
    page.goto("/console/#/machines")
    expect(page.get_by_text("There is no state machine yet")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "where",
    [
        "/console/",
        "/console/#/machines",
        address("machine", MACHINE),
        address("machine", MACHINE, "?tab=definition"),
        address("execution", EXECUTION, "?tab=history"),
        address("execution", EXECUTION, "?tab=data"),
        address("map-run", RUN),
        address("map-run", RUN, "?tab=errors"),
        address("map-run", RUN, f"?child={EXECUTION}"),
    ],
)
def test_every_view_fits_a_narrow_screen(page: Page, api: Api, where: str, scheme: Any) -> None:
    """At 360 pixels nothing sticks out, light or dark, and axe finds nothing: names, roles, order, contrast (AA)."""
    _answers(api)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(where)
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


def test_every_act_is_reached_by_the_keyboard(page: Page, api: Api) -> None:
    """From the top of the page Tab leads to the acts, Enter opens one, Escape closes it where the reader was."""
    _answers(api)
    page.goto(address("machine", MACHINE))
    act = page.get_by_role("button", name="Start an execution")
    expect(act).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        if act.evaluate("element => element === document.activeElement"):
            break
    expect(act).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(act).to_be_focused()
