"""Five tasks that people have with a failed Map Run, done on a whole stack by the console alone; clicks are counted."""

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from maprun.cli.client import Api
from tests.browser.chromium import chromium
from tests.integration.system.running import Json, body, ended, map_definition, map_run_of
from tests.integration.system.stack import ROLE, ROOT, Stack

pytestmark = pytest.mark.integration
BUCKET = "console-tasks"
_MS_MAX = 60_000
_CAUSES = (("Order.Invalid", 40), ("Price.Missing", 15), ("Stock.Gone", 5))


class Person:
    """Whoever sits before the console: from its first page on, with clicks that are counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        page.goto("/console/")

    def click(self, what: Locator) -> None:
        """One click."""
        what.click()
        self.clicks += 1

    def link(self, name: str | re.Pattern[str]) -> None:
        """A click on a link."""
        self.click(self.page.get_by_role("link", name=name).first)

    def button(self, name: str | re.Pattern[str]) -> None:
        """A click on a button."""
        self.click(self.page.get_by_role("button", name=name, exact=isinstance(name, str)).last)

    def run_of(self, machine: str) -> None:
        """To the Map Run of the machine's newest execution, by the lists."""
        self.link("State machines")
        self.link(machine)
        self.click(self.page.get_by_role("region", name="Executions").get_by_role("link").first)
        self.click(self.page.get_by_role("region", name="Map Runs").get_by_role("link").first)


@contextmanager
def person(stack: Stack) -> Iterator[Person]:
    """A browser that has never been here."""
    expect.set_options(timeout=_MS_MAX)
    with chromium() as browser:
        context = browser.new_context(base_url=stack.api, locale="en-GB")
        context.set_default_timeout(_MS_MAX)
        yield Person(context.new_page())


def clicks_told() -> dict[str, int]:
    """By its task what docs/console.md says of our clicks."""
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \|", (ROOT / "docs" / "console.md").read_text(), re.MULTILINE)
    return {task: int(clicks) for task, clicks in rows}


def failed_run(sfn: Any, s3: Any) -> str:
    """The ARN of an execution whose Map Run failed: sixty children of three causes, one more than are tolerated."""
    s3.create_bucket(Bucket=BUCKET)
    bad: Json = {}
    choices = []
    below = 0
    for error, count in _CAUSES:
        below += count
        choices.append({"Variable": "$.n", "NumericLessThan": below, "Next": error})
        bad[error] = {"Type": "Fail", "Error": error, "CausePath": "States.Format('Order {} can not be', $.n)"}
    child = {"Look": {"Type": "Choice", "Choices": choices, "Default": "Good"}, **bad, "Good": {"Type": "Succeed"}}
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": BUCKET, "Prefix": "out"}}
    definition = map_definition(child, ToleratedFailureCount=below - 1, ResultWriter=writer)
    made = sfn.create_state_machine(name="nightly-orders", definition=definition, roleArn=ROLE)
    given = json.dumps([{"n": n} for n in range(2 * below)])
    arn: str = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input=given)["executionArn"]
    assert ended(sfn, arn)["status"] == "FAILED"
    return arn


def test_a_failed_run_is_understood_and_mended(stack: Stack, sfn: Any, s3: Any) -> None:
    """Why it failed, how many by cause, only those again, the results: as many clicks as the documentation says."""
    arn = failed_run(sfn, s3)
    run = map_run_of(sfn, arn)["mapRunArn"]
    took: dict[str, int] = {}
    with person(stack) as someone:
        someone.run_of("nightly-orders")
        expect(someone.page.get_by_text("States.ExceedToleratedFailureThreshold")).to_be_visible()
        someone.link("What went wrong")
        rows = someone.page.get_by_role("region", name="What went wrong").locator("tbody tr")
        expect(rows.first).to_contain_text("Order <n> can not be")
        took["Find why it failed"] = someone.clicks
        expect(someone.page.get_by_text("Counted:")).to_be_visible()
        for error, count in _CAUSES:
            expect(rows.filter(has_text=error)).to_contain_text(f"{count} ")
        took["How many by cause"] = someone.clicks
        someone.click(rows.filter(has_text=_CAUSES[1][0]).get_by_role("checkbox"))
        someone.button("Redrive these")
        someone.button("Redrive 15 children")
        expect(someone.page.get_by_text("15 children run again")).to_be_visible()
        took["Redrive only those of one cause"] = someone.clicks
        assert ended(sfn, arn)["error"] == "Maprun.RedrivenInPart"
        with closing(Api(stack.api)) as api:
            again = list(api.children(run, 0, redrive="latest"))
        assert [row["error"] for row in again] == [_CAUSES[1][0]] * _CAUSES[1][1]
    with person(stack) as someone:
        someone.run_of("nightly-orders")
        file = someone.page.get_by_role("region", name="Result files").locator("tbody tr").first
        someone.click(file.get_by_text(re.compile(r"^\d+ records$")))
        expect(file.locator("pre").first).to_contain_text('"Status"')
        took["Fetch the results"] = someone.clicks
        address = file.locator("code").text_content() or ""
    assert address.startswith(f"s3://{BUCKET}/")
    assert json.loads(body(s3, BUCKET, address.removeprefix(f"s3://{BUCKET}/")))
    told = clicks_told()
    assert {task: told.get(task) for task in took} == took


def test_the_concurrency_of_a_run_that_goes_on_is_halved(stack: Stack, sfn: Any) -> None:
    """From Home, where it is listed among what runs; as many clicks as the documentation says."""
    child = {"W": {"Type": "Wait", "Seconds": 600, "End": True}}
    made = sfn.create_state_machine(
        name="nightly-waits", definition=map_definition(child, MaxConcurrency=8), roleArn=ROLE
    )
    arn = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input=json.dumps(list(range(40))))[
        "executionArn"
    ]
    with person(stack) as someone:
        running = someone.page.get_by_role("region", name="Executions that run")
        someone.click(running.locator("tr", has_text="nightly-waits").get_by_role("link").first)
        someone.click(someone.page.get_by_role("region", name="Map Runs").get_by_role("link").first)
        someone.button("Change limits")
        someone.page.get_by_label("Children at once").fill("4")
        someone.button("Change")
        expect(someone.page.get_by_role("status").filter(has_text="from 8 to 4")).to_be_visible()
        took = someone.clicks
    assert map_run_of(sfn, arn)["maxConcurrency"] == 4
    sfn.stop_execution(executionArn=arn)
    assert clicks_told()["Halve the concurrency"] == took
