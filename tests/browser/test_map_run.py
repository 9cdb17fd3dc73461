"""The page of a Map Run in a browser: what it shows of the API's answers, and what its acts ask for."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.api import (
    CHILD,
    EXECUTION,
    HOSTILE,
    RUN,
    START,
    Api,
    RefusedError,
    address,
    child_row,
    counts,
    described,
    found,
    of_run,
)

ITEMS = counts(total=1_000, failed=40, succeeded=600, running=40, pending=320)


def test_counts_are_a_bar_with_the_tolerance_on_it(page: Page, api: Api) -> None:
    """Each status has its share of the items expected; the line stands where the tolerated failures end."""
    api.answers = of_run(ITEMS, expected=2_000, toleratedFailurePercentage=5.0, toleratedFailureCount=90)
    page.goto(address("map-run", RUN))
    bar = page.get_by_role("img", name="Of 2,000 items")
    expect(bar).to_have_attribute("aria-label", "Of 2,000 items: Failed 40, Succeeded 600, Running 40, Pending 1,320")
    assert bar.locator(".fill-failed").get_attribute("width") == "20"
    assert bar.locator(".fill-succeeded").get_attribute("x") == "20"
    assert bar.locator(".fill-succeeded").get_attribute("width") == "300"
    assert bar.locator("line").get_attribute("x1") == "45"
    expect(page.get_by_text("50 more of 2,000 may fail")).to_be_visible()
    expect(page.get_by_text("of about 2,000")).to_be_visible()


def test_counts_follow_the_run_and_say_how_old_they_are(page: Page, api: Api) -> None:
    """New answers change the page without a reload; when they stay away it says so and keeps the last one."""
    api.answers = of_run(ITEMS)
    page.goto(address("map-run", RUN))
    expect(page.get_by_text("640", exact=True)).to_be_visible()
    api.answers = of_run(counts(total=1_000, failed=40, succeeded=800, running=40, pending=120))
    expect(page.get_by_text("840", exact=True)).to_be_visible()
    pace = page.locator(".figure", has_text="Items a second").locator(".value")
    expect(pace).to_have_text(re.compile(r"[1-9]"))

    def gone(_: object) -> Any:
        raise RefusedError("ServiceUnavailable", "Home 1 is being read", 503)

    api.answers["DescribeMapRun"] = gone
    stale = page.get_by_role("status").filter(has_text="Last update")
    expect(stale).to_contain_text("s ago: Home 1 is being read")
    expect(page.get_by_text("840", exact=True)).to_be_visible()


def test_children_are_filtered_and_paged_by_the_server(page: Page, api: Api) -> None:
    """A status and a next page are asked for; the page's address keeps the status."""
    api.answers = of_run(ITEMS, status="FAILED", stopDate=START + 60)
    pages = {None: [child_row(n) for n in range(50)], "t": [child_row(50)]}
    api.answers["children"] = lambda ask: found(*pages[ask.get("nextToken")], token="" if "nextToken" in ask else "t")
    page.goto(address("map-run", RUN))
    page.get_by_role("navigation", name="Status of children").get_by_role("link", name="failed").click()
    expect(page.get_by_role("link", name="child-1", exact=True)).to_be_visible()
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("link", name="child-50")).to_be_visible()
    expect(page.get_by_role("link", name="child-1", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    assert api.members_of("children")[-1] == {"arn": RUN, "status": "FAILED", "maxResults": "50", "nextToken": "t"}
    assert page.url.endswith("?status=FAILED")
    page.reload()
    expect(page.get_by_role("link", name="child-1", exact=True)).to_be_visible()
    assert api.members_of("children")[-1]["status"] == "FAILED"


def test_whatever_a_user_names_is_text(page: Page, api: Api) -> None:
    """Markup in names, errors, causes, inputs, outputs and events is shown letter by letter and runs nowhere."""
    api.answers = of_run(ITEMS, status="FAILED", stopDate=START + 60)
    api.answers["children"] = lambda _: found(child_row(1, name=HOSTILE))
    api.answers["DescribeExecution"] = lambda ask: described(
        ask["executionArn"], error=HOSTILE, cause=HOSTILE, input=HOSTILE, output=HOSTILE
    )
    failed = {"error": HOSTILE, "cause": HOSTILE}
    api.answers["history"] = lambda _: {
        "events": [{"id": 1, "timestamp": START, "type": "ExecutionFailed", "executionFailedEventDetails": failed}]
    }
    page.goto(address("map-run", RUN))
    page.get_by_role("link", name="<img").click()
    drawer = page.get_by_role("dialog", name="Child execution")
    shown = (".failure strong", ".failure pre", "pre[aria-label=Input]", "pre[aria-label=Output]", ".events summary")
    for place in shown:
        expect(drawer.locator(place)).to_contain_text(HOSTILE)
    drawer.locator(".events summary").click()
    expect(drawer.locator("li dd").first).to_have_text(HOSTILE)
    assert page.locator("img, main script").count() == 0
    assert page.evaluate("window.broken") is None


def test_children_are_looked_for_and_ticked_ones_redriven(page: Page, api: Api) -> None:
    """What is searched for stands in the address; parts without any are passed over; a refusal stays in the form."""
    api.answers = of_run(ITEMS, status="FAILED", stopDate=START + 60)
    rows: dict[str | None, list[Any]] = {
        "t": [{**child_row(1), "error": "E", "cause": HOSTILE}, child_row(2, "SUCCEEDED")]
    }
    api.answers["children"] = lambda ask: found(*rows.get(ask.get("nextToken"), []), token=_NEXT[ask.get("nextToken")])
    page.goto(address("map-run", RUN))
    form = page.get_by_role("search", name="Search children")
    form.get_by_label("Text").fill("<b>")
    form.get_by_label("Took at least").fill("1.5")
    form.get_by_role("button", name="Search").press("Enter")
    expect(page.get_by_text("2 children looked at, all there are.")).to_be_visible()
    assert page.url.endswith("?text=%3Cb%3E&slow=1.5")
    wanted = {"arn": RUN, "text": "<b>", "minSeconds": "1.5", "maxResults": "48", "nextToken": "u"}
    assert api.members_of("children")[-1] == wanted
    expect(form.get_by_label("Text")).to_have_value("<b>")
    expect(page.get_by_role("checkbox")).to_have_count(1)
    page.get_by_role("checkbox", name="Choose child-1").check()
    page.get_by_role("button", name="Redrive these").click()

    def no(_: object) -> Any:
        raise RefusedError("ValidationException", "It has changed")

    api.answers["redrive"] = no
    page.get_by_role("button", name="Redrive 1 child").click()
    expect(page.get_by_role("alert")).to_have_text("ValidationException: It has changed")
    api.answers["redrive"] = lambda _: {"redriveDate": START}
    page.get_by_role("button", name="Redrive 1 child").click()
    expect(page.get_by_role("status").filter(has_text="1 child runs again")).to_be_visible()
    first, again = api.members_of("redrive")
    assert first == again
    assert (first["executionArns"], first["children"]) == ([CHILD.format(1)], [])


_NEXT: dict[str | None, str] = {None: "t", "t": "u", "u": ""}


def test_a_child_opens_in_a_drawer_that_has_an_address(page: Page, api: Api) -> None:
    """Its address opens it again; Escape closes it, leads back to the list, and the keyboard goes on where it was."""
    api.answers = of_run(ITEMS, status="FAILED", stopDate=START + 60)
    api.answers["children"] = lambda _: found(child_row(1))
    page.goto(address("map-run", RUN, "?status=FAILED"))
    page.get_by_role("link", name="child-1").press("Enter")
    drawer = page.get_by_role("dialog", name="Child execution")
    expect(drawer.get_by_text('"order": 7')).to_be_visible()
    page.reload()
    expect(drawer.get_by_text('"order": 7')).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    assert page.url.endswith("?status=FAILED")
    expect(page.get_by_role("link", name="child-1")).to_be_visible()


def test_a_child_shows_what_its_functions_printed(page: Page, api: Api) -> None:
    """The host is asked once the part is opened; logs are text, and why there are none is said."""
    api.answers = of_run(ITEMS, status="FAILED", stopDate=START + 60)
    call = {"functionName": HOSTILE, "requestId": "r", "log": f"START\n{HOSTILE}\nEND", "truncated": True}
    api.answers["function-logs"] = lambda _: {"calls": [call], "truncated": True}
    page.goto(address("map-run", RUN, f"?child={CHILD.format(1)}"))
    logs = page.get_by_role("dialog", name="Child execution").locator(".function-logs")
    expect(logs).to_be_visible()
    assert api.members_of("function-logs") == []
    logs.get_by_text("Logs of its functions").click()
    expect(logs.locator("pre")).to_contain_text(HOSTILE)
    expect(logs.locator("h4")).to_contain_text(HOSTILE)
    expect(logs).to_contain_text("The end of it is left out")
    assert api.members_of("function-logs") == [{"arn": CHILD.format(1)}]
    assert page.evaluate("window.broken") is None
    api.answers["function-logs"] = lambda _: {"calls": [], "truncated": False, "error": "they are in CloudWatch Logs"}
    page.reload()
    logs.get_by_text("Logs of its functions").click()
    expect(logs).to_contain_text("they are in CloudWatch Logs")


def test_limits_are_changed_once_and_only_what_was_changed(page: Page, api: Api) -> None:
    """UpdateMapRun has the changed member alone; a refusal stays in the form with what was typed."""
    api.answers = of_run(ITEMS)

    def no(_: object) -> Any:
        raise RefusedError("ValidationException", "Not now")

    api.answers["UpdateMapRun"] = no
    page.goto(address("map-run", RUN))
    page.get_by_role("button", name="Change limits").click()
    form = page.get_by_role("dialog", name="Change limits")
    form.get_by_label("Children at once").fill("20")
    form.get_by_role("button", name="Change", exact=True).click()
    expect(form.get_by_role("alert")).to_have_text("ValidationException: Not now")
    expect(form.get_by_label("Children at once")).to_have_value("20")
    api.answers["UpdateMapRun"] = lambda _: {}
    form.get_by_role("button", name="Change", exact=True).click()
    expect(form.get_by_role("status")).to_have_text("Changed: children at once from 40 to 20.")
    assert api.members_of("UpdateMapRun") == [{"mapRunArn": RUN, "maxConcurrency": 20}] * 2


def test_a_run_is_stopped_and_redriven_by_its_execution(page: Page, api: Api) -> None:
    """Each act asks once: what is closed does nothing. A redrive says how many children run again."""
    api.answers = of_run(ITEMS) | {"StopExecution": lambda _: {"stopDate": START}}
    page.goto(address("map-run", RUN))
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert api.members_of("StopExecution") == []
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_label("Error").fill("Operator")
    page.get_by_role("button", name="Stop it").click()
    expect(page.get_by_role("status").filter(has_text="Stopped")).to_be_visible()
    assert api.members_of("StopExecution") == [{"executionArn": EXECUTION, "error": "Operator"}]

    api.answers = of_run(counts(failed=3, timedOut=1, aborted=2, succeeded=4), status="ABORTED", stopDate=START + 9)
    api.answers["RedriveExecution"] = lambda _: {"redriveDate": START}
    page.reload()
    page.get_by_role("button", name="Redrive").click()
    expect(page.get_by_text("6 children of this Map Run")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Redrive").click()
    expect(page.get_by_role("status").filter(has_text="Redriven")).to_be_visible()
    (asked,) = api.members_of("RedriveExecution")
    assert asked["executionArn"] == EXECUTION
    assert asked["clientToken"]


def test_what_went_wrong_is_counted_over_all_parts(page: Page, api: Api) -> None:
    """Parts are asked for one after the other and summed; errors and causes are text; a sample opens its child."""
    api.answers = of_run(counts(failed=5, succeeded=5), status="FAILED", stopDate=START + 60)

    def part(ask: Any) -> Any:
        few = {"status": "FAILED", "error": "E", "causePattern": HOSTILE, "firstDate": START, "lastDate": START}
        if "nextToken" not in ask:
            cluster = {**few, "count": 2, "executionArns": [CHILD.format(1)], "children": [1, 2]}
            return {"mapRunArn": RUN, "childrenCounted": 2, "clusters": [cluster], "nextToken": "t"}
        ours = {**few, "count": 2, "executionArns": [CHILD.format(2)], "children": [7, 2]}
        others = [ours, {"status": "ABORTED", **_BARE}]
        return {"mapRunArn": RUN, "childrenCounted": 3, "clusters": others}

    api.answers["errors"] = part
    page.goto(address("map-run", RUN))
    page.get_by_role("link", name="What went wrong").click()
    expect(page.get_by_text("Counted: 5 children")).to_be_visible()
    rows = page.get_by_role("region", name="What went wrong").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text(HOSTILE)
    expect(rows.nth(0)).to_contain_text("4 80%")
    expect(rows.nth(1)).to_contain_text("No error")
    assert page.evaluate("window.broken") is None
    assert [(ask.get("nextToken"), ask.get("children")) for ask in api.members_of("errors")] == [
        (None, "true"),
        ("t", "true"),
    ]
    rows.nth(0).get_by_role("link", name="child-2").click()
    expect(page.get_by_role("dialog", name="Child execution")).to_be_visible()
    assert "tab=errors" in page.url
    page.keyboard.press("Escape")
    rows.nth(0).get_by_role("checkbox").check()
    api.answers["redrive"] = lambda _: {"redriveDate": START}
    expect(page.get_by_text("4 children chosen")).to_be_visible()
    page.get_by_role("button", name="Redrive these").click()
    page.get_by_role("button", name="Redrive 4 children").click()
    page.get_by_role("dialog").get_by_role("link", name="Look at them").click()
    (asked,) = api.members_of("redrive")
    assert (asked["mapRunArn"], asked["children"], asked["executionArns"]) == (RUN, [1, 2, 7, 2], [])
    assert asked["clientToken"]
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("No child is so.")).to_be_visible()
    assert api.members_of("children")[-1]["redrive"] == "latest"


_BARE = {"count": 1, "firstDate": START, "lastDate": START, "executionArns": [CHILD.format(3)], "children": [3, 1]}


def test_results_are_listed_with_their_first_records(page: Page, api: Api) -> None:
    """Each file has address and size; records are shown as text; what S3 says against it stands beside the manifest."""
    api.answers = of_run(ITEMS, status="SUCCEEDED", stopDate=START + 60)
    files = [
        {"status": "SUCCEEDED", "key": "n/SUCCEEDED_0.json", "size": 5_000_000, "firstRecords": ['{"a":1}', HOSTILE]},
        {"status": "PENDING", "key": "n/PENDING_0.json", "size": 12, "firstRecords": []},
    ]
    there = {"mapRunArn": RUN, "bucket": "out", "manifestKey": "n/manifest.json"}
    api.answers["results"] = lambda _: {**there, "files": files, "filesInAll": 7}
    page.goto(address("map-run", RUN))
    expect(page.get_by_text("s3://out/n/manifest.json")).to_be_visible()
    rows = page.get_by_role("region", name="Result files").locator("tbody tr")
    expect(rows.nth(0)).to_contain_text("4.8 MiB")
    rows.nth(0).get_by_text("2 records").click()
    expect(rows.nth(0).locator("pre").nth(1)).to_have_text(HOSTILE)
    expect(page.get_by_text("5 more files")).to_be_visible()
    api.answers["results"] = lambda _: {**there, "files": [], "filesInAll": 0, "error": "NoSuchBucket"}
    page.reload()
    expect(page.get_by_role("alert")).to_have_text("NoSuchBucket")


def test_a_run_that_failed_says_with_what(page: Page, api: Api) -> None:
    """The error of its execution stands on the page of the run: it may be none of its children's."""
    api.answers = of_run(ITEMS, status="FAILED", stopDate=START + 60)
    api.answers["DescribeExecution"] = lambda ask: described(
        ask["executionArn"], error="States.DataLimitExceeded", cause="too large"
    )
    page.goto(address("map-run", RUN))
    expect(page.locator(".failure")).to_contain_text("States.DataLimitExceeded")
    expect(page.locator(".failure")).to_contain_text("too large")
