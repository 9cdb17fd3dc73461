"""`python -m tests.browser.pictures`: runs of four kinds on a stack of its own, and pictures of their pages.

Each page is taken light, dark and as a phone shows it, into docs/pictures. It needs 2 GiB of disk.
"""

import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from playwright.sync_api import Browser, Page

from tests.bench.workloads import BUCKET, WAIT, Runner, csv_machine, put_lines, put_rows
from tests.browser.chromium import chromium
from tests.browser.png import paletted
from tests.integration.system.running import ended, map_definition
from tests.integration.system.stack import ROOT, Stack

FOLDER = ROOT / "docs" / "pictures"
KINDS: dict[str, dict[str, Any]] = {
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 640}},
    "light": {"color_scheme": "light", "viewport": {"width": 1000, "height": 760}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1000, "height": 760}},
}
FAILURES = (
    ("Order.Invalid", "Order {} has no price", 0.744),
    ("Stock.Missing", "Nothing is left of article {}", 0.2539),
    ("Address.Unknown", "Street {} is not known", 0.0021),
)
"""Error, cause, share of the failures."""
_SHARE = 0.020042
_LIVE_ROWS = 1_000_000
_LIVE_AT_ONCE = 400
_LOOKED_SECONDS = 25.0  # at the live page, so that its charts have something to show
_REDRIVEN = 400
_SECONDS_MAX = 600.0
Json = dict[str, Any]


@click.command()
@click.option("--items", default=1_000_000, show_default=True, help="Of the run that fails.")
def main(items: int) -> None:
    """Take all pictures anew."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="maprun-pictures-") as name:
        stack = Stack(Path(name))
        stack.up()
        try:
            runner = Runner(stack)
            failed, redriven = _failed(stack, runner, items), _redriven(stack, runner)
            outer, inner = _nested(runner)
            live = _live(stack, runner)
            with chromium() as browser:
                for kind in KINDS:
                    _taken(browser, stack, runner, kind, failed, redriven, outer, inner, live)
            runner.sfn.stop_execution(executionArn=live)
        finally:
            stack.down()


def _taken(
    browser: Browser,
    stack: Stack,
    runner: Runner,
    kind: str,
    failed: str,
    redriven: str,
    outer: str,
    inner: str,
    live: str,
) -> None:
    """All pages in one look."""
    context = browser.new_context(base_url=stack.api, locale="en-GB", timezone_id="UTC", **KINDS[kind])
    context.set_default_timeout(120_000)
    page = context.new_page()
    machine = runner.sfn.describe_execution(executionArn=live)["stateMachineArn"]
    lost = _run(runner, failed)
    bad = runner.sfn.list_executions(mapRunArn=lost, statusFilter="FAILED", maxResults=1)["executions"][0]
    views = {
        "live": _path("map-run", _run(runner, live)),
        "home": "/console/",
        "machine": _path("machine", machine),
        "graph": _path("execution", live, "?tab=definition"),
        "failed": _path("map-run", lost),
        "clusters": _path("map-run", lost, "?tab=errors"),
        "child": _path("map-run", lost, f"?status=FAILED&child={quote(bad['executionArn'], safe='')}"),
        "redriven": _path("map-run", _run(runner, redriven), "?redrive=latest"),
        "nested": _path("map-run", inner),
        "nested-in": _path("map-run", _run(runner, outer), f"?child={quote(_execution_of(runner, inner), safe='')}"),
    }
    for name, path in views.items():
        page.goto("about:blank")
        page.goto(path)
        _settled(page)
        if name == "live":
            page.wait_for_timeout(_LOOKED_SECONDS * 1_000)
        if name in {"clusters", "redriven"}:
            page.get_by_role("heading", name="Children", exact=True).scroll_into_view_if_needed()
            page.evaluate("scrollBy(0, document.querySelector('.choices').getBoundingClientRect().top - 60)")
        (FOLDER / f"console-{name}-{kind}.png").write_bytes(paletted(page.screenshot()))
    context.close()


def _settled(page: Page) -> None:
    page.locator("h1").wait_for()
    page.wait_for_timeout(1_500)
    while page.locator("[aria-busy=true]").count() or page.get_by_text("Counting:").count():
        page.wait_for_timeout(250)


def _path(view: str, arn: str, query: str = "") -> str:
    return f"/console/#/{view}/{quote(arn, safe='')}{query}"


def _run(runner: Runner, arn: str) -> str:
    deadline = time.monotonic() + _SECONDS_MAX
    while (run := runner.map_run(arn)) is None:
        assert time.monotonic() < deadline, "no Map Run"
        time.sleep(0.2)
    found: str = run["mapRunArn"]
    return found


def _execution_of(runner: Runner, run: str) -> str:
    found: str = runner.sfn.describe_map_run(mapRunArn=run)["executionArn"]
    return found


def _failed(stack: Stack, runner: Runner, items: int) -> str:
    """A run one more of whose children fails than is tolerated, the last row among them."""
    chance = random.Random(15)
    count = max(len(FAILURES), round(items * _SHARE))
    bad = {items - 1, *chance.sample(range(items - 1), count - 1)}
    fates: list[str] = []
    for error, _, share in FAILURES[1:]:
        fates += [error] * max(1, round(count * share))
    fates += [FAILURES[0][0]] * (count - len(fates))
    chance.shuffle(fates)
    of = dict(zip(sorted(bad), fates, strict=True))
    rows = (f"{n},{of.get(n, 'none')}\n" for n in range(items))
    put_lines(stack, f"rows-{items}.csv", "id,fate\n", rows)
    choices = [{"Variable": "$.fate", "StringEquals": error, "Next": error} for error, _, _ in FAILURES]
    states: Json = {"Check": {"Type": "Choice", "Choices": choices, "Default": "Sold"}, "Sold": {"Type": "Succeed"}}
    for error, cause, _ in FAILURES:
        states[error] = {"Type": "Fail", "Error": error, "CausePath": f"States.Format('{cause}', $.id)"}
    machine = json.loads(csv_machine(items, {"StartAt": "Check", "States": states}))
    machine["States"]["Map"] |= {"ToleratedFailureCount": count - 1, "Label": "Orders"}
    arn = runner.start("nightly-orders", json.dumps(machine))
    ended(runner.sfn, arn, _SECONDS_MAX + items / 500)
    return arn


def _redriven(stack: Stack, runner: Runner) -> str:
    """Children that need objects of which some come late."""
    s3 = stack.client("s3")
    missing = set(range(0, _REDRIVEN, 7))

    def put(numbers: set[int]) -> None:
        for n in numbers:
            s3.put_object(Bucket=BUCKET, Key=f"pictures/{n}", Body=b"there")

    put(set(range(_REDRIVEN)) - missing)
    look = {
        "Look": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:s3:headObject",
            "Parameters": {"Bucket": BUCKET, "Key.$": "States.Format('pictures/{}', $.n)"},
            "ResultSelector": {"size.$": "$.ContentLength"},
            "End": True,
        }
    }
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": BUCKET, "Prefix": "pictured"}}
    definition = map_definition(look, ToleratedFailureCount=len(missing) - 1, ResultWriter=writer)
    arn = runner.start("thumbnails", definition, [{"n": n} for n in range(_REDRIVEN)])
    ended(runner.sfn, arn, _SECONDS_MAX)
    put(missing)
    runner.sfn.redrive_execution(executionArn=arn)
    ended(runner.sfn, arn, _SECONDS_MAX)
    return arn


def _nested(runner: Runner) -> tuple[str, str]:
    """The outer execution, and a Map Run that one of its children started."""
    inner = json.loads(map_definition({"Pack": {"Type": "Pass", "End": True}}, ItemsPath="$.parcels", ResultPath=None))
    child = {"Ship": inner["States"]["Map"] | {"Label": "Parcels"}}  # a state's name is its own in the whole machine
    given = [{"depot": n, "parcels": list(range(200))} for n in range(12)]
    arn = runner.start("depots", map_definition(child, ResultPath=None), given)
    ended(runner.sfn, arn, _SECONDS_MAX)
    first = runner.sfn.list_executions(mapRunArn=_run(runner, arn), maxResults=1)["executions"][0]
    found: str = runner.sfn.list_map_runs(executionArn=first["executionArn"])["mapRuns"][0]["mapRunArn"]
    return arn, found


def _live(stack: Stack, runner: Runner) -> str:
    """A run that goes on for longer than pictures take."""
    put_rows(stack, _LIVE_ROWS)
    machine = csv_machine(_LIVE_ROWS, WAIT, concurrency=_LIVE_AT_ONCE, tolerated_percentage=5)
    return runner.start("reminders", machine)


if __name__ == "__main__":
    main()
