"""A Map Run watched by browsers: its speed beside one that nobody watches, and what watching costs a page."""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench import pages, processes
from tests.bench.asking import asked
from tests.bench.workloads import PASS, WAIT, Runner, csv_machine, put_rows
from tests.browser.chromium import executable
from tests.integration.system.stack import Stack

_SETTLED_SECONDS = 3.0  # after a run, before the next one
_MEMORY_EVERY_SECONDS = 30.0
_TASKS_TRACED_SECONDS = 60.0
_GENTLE = 10  # how much nicer browsers are than what is measured: they belong to other people's machines
_CATEGORIES = ["disabled-by-default-devtools.timeline", "devtools.timeline", "toplevel", "__metadata"]
_SEEN = """
  window.asked = 0;
  const fetched = window.fetch;
  window.fetch = (...given) => { window.asked += 1; return fetched(...given); };
  new MutationObserver((_, observer) => {
    if (!document.querySelector(".bar svg")) return;
    window.figures = performance.now();
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
"""
ALONE, ASKED, BROWSERS = "alone", "asked", "browsers"
KINDS = (ALONE, ASKED, BROWSERS)
Json = dict[str, Any]


class Run(msgspec.Struct, kw_only=True):
    """One run: watched by nobody (ALONE), by clients that ask what pages ask (ASKED), or by pages (BROWSERS)."""

    kind: str
    seconds: float
    cpu_us: float  # of the stack's processes together, a child
    asked: list[int]  # requests of each page
    paint_ms: list[float]  # first contentful paint of each page
    figures_ms: list[float]  # until it showed the counts


class Memory(msgspec.Struct, kw_only=True):
    """One page after a collection of garbage."""

    seconds: float
    heap_kib: int
    nodes: int
    listeners: int


class Watched(msgspec.Struct, kw_only=True):
    """Rounds of runs, one of each kind."""

    items: int
    browsers: int
    runs: list[Run]
    load: float  # processes that wanted the cores when it began

    def ratio(self, kind: str, of: str) -> float:
        """The median of runs ALONE over that of another kind: 1 where watching costs nothing, less where it does."""
        alone, watched = (
            statistics.median(float(getattr(run, of)) for run in self.runs if run.kind == each)
            for each in (ALONE, kind)
        )
        return alone / watched


class Lasting(msgspec.Struct, kw_only=True):
    """One page on a run that goes on."""

    items: int
    concurrency: int
    paint_ms: float
    figures_ms: float
    tasks: int  # of the page's main thread while it was traced
    task_cpu_ms_max: float
    task_wall_ms_max: float
    memory: list[Memory]
    load: float


def measure(items: int, browsers: int, rounds: int) -> Watched:
    """On one fresh stack, each round in another order; a first run that warms it does not count."""
    load = os.getloadavg()[0]
    with _stack(items) as (stack, runner, folder), sync_playwright() as playwright, ExitStack() as opened:
        gentle = _gentle(folder)
        windows = [playwright.chromium.launch(executable_path=gentle) for _ in range(browsers)]
        for window in windows:
            opened.callback(window.close)
        _run(stack, runner, items, ALONE, windows)
        runs = []
        for number in range(rounds):
            for step in range(len(KINDS)):
                time.sleep(_SETTLED_SECONDS)
                runs.append(_run(stack, runner, items, KINDS[(number + step) % len(KINDS)], windows))
    return Watched(items=items, browsers=browsers, runs=runs, load=round(load, 1))


@contextmanager
def _stack(items: int) -> Iterator[tuple[Stack, Runner, Path]]:
    with tempfile.TemporaryDirectory(prefix="maprun-watched-") as name:
        stack = Stack(Path(name) / "stack")
        stack.up()
        try:
            put_rows(stack, items)
            yield stack, Runner(stack), Path(name)
        finally:
            stack.down()


def _gentle(folder: Path) -> str:
    """A way to start the browser at a lower priority than the stack's."""
    path = folder / "browser"
    path.write_text(f'#!/bin/sh\nexec nice -n {_GENTLE} {executable()} "$@"\n')
    path.chmod(0o755)
    return str(path)


def _run(stack: Stack, runner: Runner, items: int, kind: str, windows: Sequence[Browser]) -> Run:
    """One run from StartExecution to its end by its history."""
    pids = stack.pids()
    before = sum(processes.cpu_seconds(pids).values())
    with ExitStack() as opened:
        looking = [opened.enter_context(_page(window, stack)) for window in windows if kind == BROWSERS]
        arn = runner.start(f"watched-{items}", csv_machine(items, PASS))
        run = _map_run(runner, arn)
        for page in looking:
            page.goto(_address(run), wait_until="commit")
        asking = [opened.enter_context(asked(stack.api, run)) for _ in windows if kind == ASKED]
        described = runner.wait(arn, 0.5, 300 + items / 500)
        spent = sum(processes.cpu_seconds(pids).values()) - before
        seen = [_seen(page) for page in looking]
    return Run(
        kind=kind,
        seconds=round((described["stopDate"] - described["startDate"]).total_seconds(), 2),
        cpu_us=round(spent * 1e6 / items, 2),
        asked=[each["asked"] for each in seen] + [each.answered for each in asking],
        paint_ms=[each["paint"] for each in seen],
        figures_ms=[each["figures"] for each in seen],
    )


@contextmanager
def _page(window: Browser, stack: Stack) -> Iterator[Page]:
    context = window.new_context(base_url=stack.api)
    context.set_default_timeout(120_000)
    context.add_init_script(_SEEN)
    yield context.new_page()
    context.close()


def _address(map_run_arn: str) -> str:
    return f"/console/#/map-run/{quote(map_run_arn, safe='')}"


def _map_run(runner: Runner, arn: str) -> str:
    deadline = time.monotonic() + 60
    while (run := runner.map_run(arn)) is None:
        assert time.monotonic() < deadline, "no Map Run"
        time.sleep(0.02)
    found: str = run["mapRunArn"]
    return found


def _seen(page: Page) -> Json:
    """What a page says of itself once it shows figures; times in ms."""
    page.locator(".bar svg").wait_for()
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    script = f"({{ asked: window.asked, figures: window.figures, paint: {paint} }})"
    found: Json = page.evaluate(script)
    return {name: round(value) for name, value in found.items()}


def measure_lasting(items: int, minutes: float) -> Lasting:
    """A run whose children wait, so that it lasts, and one page that watches it: paint, figures, memory, tasks."""
    load = os.getloadavg()[0]
    lasts = 1.3 * (minutes * 60 + _TASKS_TRACED_SECONDS + 60)  # it must outlast the watching
    concurrency = max(1, int(items / lasts))
    with _stack(items) as (stack, runner, folder), sync_playwright() as playwright, ExitStack() as opened:
        window = playwright.chromium.launch(executable_path=_gentle(folder))
        opened.callback(window.close)
        arn = runner.start(f"lasting-{items}", csv_machine(items, WAIT, concurrency=concurrency))
        run = _map_run(runner, arn)
        page = opened.enter_context(_page(window, stack))
        page.goto(_address(run))
        first = _seen(page)
        page.wait_for_timeout(5_000)
        window.start_tracing(page=page, categories=_CATEGORIES)
        page.wait_for_timeout(_TASKS_TRACED_SECONDS * 1_000)
        tasks = tasks_of(window.stop_tracing())
        memory = _memory(page, minutes)
        assert runner.sfn.describe_execution(executionArn=arn)["status"] == "RUNNING", "it ended before the watching"
        runner.sfn.stop_execution(executionArn=arn)
    return Lasting(
        items=items,
        concurrency=concurrency,
        paint_ms=first["paint"],
        figures_ms=first["figures"],
        tasks=len(tasks),
        task_cpu_ms_max=max(cpu for cpu, _ in tasks),
        task_wall_ms_max=max(wall for _, wall in tasks),
        memory=memory,
        load=round(load, 1),
    )


def _memory(page: Page, minutes: float) -> list[Memory]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    began = time.monotonic()
    found: list[Memory] = []
    while True:
        session.send("HeapProfiler.collectGarbage")
        values = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        spent = time.monotonic() - began
        found.append(
            Memory(
                seconds=round(spent),
                heap_kib=round(values["JSHeapUsedSize"] / 1024),
                nodes=round(values["Nodes"]),
                listeners=round(values["JSEventListeners"]),
            )
        )
        if spent >= minutes * 60:
            return found
        page.wait_for_timeout(min(_MEMORY_EVERY_SECONDS, minutes * 60 - spent + 1) * 1_000)


def tasks_of(trace: bytes) -> list[tuple[float, float]]:
    """(CPU, wall) ms of each task of the page's main thread: each holds at most one frame's work."""
    events = json.loads(trace)["traceEvents"]
    mains = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    return [
        (each.get("tdur", 0) / 1000, each["dur"] / 1000)
        for each in events
        if each["name"] == "RunTask" and each.get("ph") == "X" and (each["pid"], each["tid"]) in mains
    ]


def page(found: Watched) -> str:
    """What was seen, as text for the docs."""
    heads = ("run", "seconds", "CPU of the stack, us a child", "requests of each", "first paint, ms", "counts, ms")
    table = [
        (
            *(run.kind, run.seconds, run.cpu_us, " ".join(map(str, run.asked)) or "none"),
            *(_range(run.paint_ms), _range(run.figures_ms)),
        )
        for run in found.runs
    ]
    ratios = [(kind, *(f"{found.ratio(kind, of):.3f}" for of in ("seconds", "cpu_us"))) for kind in (ASKED, BROWSERS)]
    return f"""\
Map Runs of {found.items:,} children that pass their row on, results in S3, one after the other on one stack:
`{ALONE}`; `{ASKED}` by {found.browsers} clients that ask what pages ask, as often, as browsers elsewhere do; and in
{found.browsers} `{BROWSERS}` on the same cores, {_GENTLE} steps nicer than the stack, whose pages are opened once the
Map Run is there and stay to the end. When it began {found.load} other processes wanted the cores.

By the medians, `alone` over watched (1: watching costs nothing):

{pages.table(("watched", "speed", "CPU of the stack"), ratios)}
{pages.table(heads, table)}"""


def lasting_page(found: Lasting) -> str:
    """The same of one page on a run that goes on."""
    memory = [(each.seconds, each.heap_kib, each.nodes, each.listeners) for each in found.memory]
    return f"""\
A run of {found.items:,} children that wait a second each, {found.concurrency:,} at once, and one page that watches
it. When it began {found.load} other processes wanted the cores. First paint after {found.paint_ms} ms, counts after
{found.figures_ms} ms. Of {found.tasks:,} tasks of the page's main thread, traced for {_TASKS_TRACED_SECONDS:.0f} s,
the longest took {found.task_cpu_ms_max:.1f} ms of CPU, {found.task_wall_ms_max:.1f} ms by the wall clock; a frame's
work is one task. Memory, each time after a collection of garbage:

{pages.table(("s", "JavaScript heap, KiB", "nodes", "listeners"), memory)}"""


def _range(values: list[float]) -> str:
    return f"{min(values):.0f} to {max(values):.0f}" if values else "none"
