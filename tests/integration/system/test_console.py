"""The console on a whole stack: a person starts, changes and stops a Map Run, and finds out why its children failed."""

import json
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from maprun.cli.client import Api
from maprun.cli.failures import summed
from tests.browser.chromium import chromium
from tests.integration.system.running import ended, map_definition, map_run_of, run
from tests.integration.system.stack import ROLE, Stack

pytestmark = pytest.mark.integration
_SECONDS_MAX = 30
"""Until a change that was accepted is seen in counts: lanes and pages tell and ask every few seconds."""
FAILING = {
    "Look": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericLessThan": 40, "Next": "Bad"}],
        "Default": "Good",
    },
    "Bad": {"Type": "Fail", "Error": "Order.Invalid", "CausePath": "States.Format('Order {} is <b>bad</b>', $.n)"},
    "Good": {"Type": "Pass", "End": True},
}


def test_failures_are_counted_by_what_they_have_in_common(stack: Stack, sfn: Any) -> None:
    """Forty children that fail for the same reason, each with a cause of its own, are one cluster of forty."""
    items = [{"n": n} for n in range(100)]
    described = run(sfn, map_definition(FAILING, ToleratedFailureCount=40), items)
    arn = map_run_of(sfn, described["executionArn"])["mapRunArn"]
    with closing(Api(stack.api)) as api:
        (cluster,) = summed(api.errors(arn))
    assert (cluster["status"], cluster["count"]) == ("FAILED", 40)
    assert (cluster["error"], cluster["causePattern"]) == ("Order.Invalid", "Order <n> is <b>bad</b>")
    for sample in cluster["executionArns"]:
        assert sfn.describe_execution(executionArn=sample)["error"] == "Order.Invalid"
    with chromium() as browser:
        page = browser.new_page(base_url=stack.api)
        page.goto(f"/console/#/map-run/{quote(arn, safe='')}?tab=errors")
        row = page.get_by_role("region", name="What went wrong").locator("tbody tr")
        expect(row).to_contain_text("Order <n> is <b>bad</b>")
        expect(row).to_contain_text("40 100%")


def test_a_run_is_started_changed_and_stopped_in_the_browser(stack: Stack, sfn: Any) -> None:
    """What a person does in the console is what the API then says."""
    waits = {"W": {"Type": "Wait", "Seconds": 600, "End": True}}
    definition = map_definition(waits, MaxConcurrency=8)
    sfn.create_state_machine(name="console-waits", definition=definition, roleArn=ROLE)
    with chromium() as browser:
        page = browser.new_page(base_url=stack.api)
        page.goto("/console/#/machines")
        page.get_by_role("link", name="console-waits").click()
        page.get_by_role("button", name="Start an execution").click()
        page.get_by_label("Input").fill(json.dumps(list(range(40))))
        page.get_by_role("dialog").get_by_role("button", name="Start").click()
        page.get_by_role("dialog").get_by_role("link").click()
        page.get_by_role("region", name="Map Runs").get_by_role("link").click()
        running = page.locator(".figure", has_text="Children running")
        expect(running).to_contain_text("8of 8 at once", timeout=_SECONDS_MAX * 1_000)
        page.get_by_role("button", name="Change limits").click()
        page.get_by_label("Children at once").fill("16")
        page.get_by_role("button", name="Change", exact=True).click()
        expect(page.get_by_role("status").filter(has_text="from 8 to 16")).to_be_visible()
        page.get_by_role("dialog").get_by_role("button", name="Close").first.click()
        expect(running).to_contain_text("16of 16 at once", timeout=_SECONDS_MAX * 1_000)
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Stop it").click()
        expect(page.get_by_role("status").filter(has_text="Stopped")).to_be_visible()
        page.get_by_role("dialog").get_by_role("button", name="Close").first.click()
        expect(page.locator("h1 .status")).to_have_text("aborted", timeout=_SECONDS_MAX * 1_000)
    machine = next(
        each["stateMachineArn"]
        for each in sfn.list_state_machines()["stateMachines"]
        if each["name"] == "console-waits"
    )
    (execution,) = sfn.list_executions(stateMachineArn=machine)["executions"]
    assert ended(sfn, execution["executionArn"])["status"] == "ABORTED"
