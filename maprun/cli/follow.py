"""Follows an execution to its end: asks the API twice a second and shows each of its Map Runs as a bar."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn

from maprun.cli import output
from maprun.cli.client import Api, Json
from maprun.cli.errors import EXIT_INTERRUPTED, CliError, Unreachable
from maprun.runtime import clock

POLL_SECONDS = 0.5
UNREACHABLE_SECONDS_MAX = 60.0  # a tracker that is started again recovers well within
_RATE_WINDOW_SECONDS = 5.0
_LINE_EVERY_SECONDS = 2.0
WIDE_COLUMNS = 170  # a line with everything in it, an unlabelled run's UUID too
_NUMBERS_COLUMNS = 70  # of a narrow line: all but the title
_TITLE_COLUMNS_MIN = 12
_ENDED = ("succeeded", "failed", "timedOut", "aborted")
_WORDS = {"timedOut": "timed out", "pendingRedrive": "pending redrive"}


class Outcome(msgspec.Struct, frozen=True):
    """How it ended: DescribeExecution, DescribeMapRun of each of its runs, and where their results are."""

    execution: Json
    map_runs: list[Json]
    results: list[str]

    @property
    def succeeded(self) -> bool:
        """True if the execution did what it should."""
        return bool(self.execution["status"] == "SUCCEEDED")


class Rate:
    """Items a second over the last few seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> float:
        """Notes how much is done at `now`; answers items a second."""
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[0][0] > _RATE_WINDOW_SECONDS:  # noqa: PLR2004
            self._samples.popleft()
        (then, before), span = self._samples[0], now - self._samples[0][0]
        return (done - before) / span if then != now and span > 0 else 0.0


def follow(api: Api, arn: str, console: Console) -> Outcome:
    """Shows the execution's progress on `console` until it ends.

    A tracker that can't answer for a while is waited for. Raises Unreachable if it stays away, CliError on Ctrl-C.
    """
    view: _Bars | _Lines = _Bars(console) if console.is_terminal else _Lines(console)
    runs: dict[str, Json] = {}
    try:
        with view:
            for execution in _polls(api, arn, runs):
                for run in runs.values():
                    view.show(run)
                if execution["status"] != "RUNNING":
                    return Outcome(execution, list(runs.values()), results_in(execution.get("output", "")))
    except KeyboardInterrupt:
        raise CliError(
            "no longer following", f"the execution goes on; `maprun stop {arn}` ends it", EXIT_INTERRUPTED
        ) from None
    raise AssertionError("polling ends only with the execution")


def _polls(api: Api, arn: str, runs: dict[str, Json]) -> Iterator[Json]:
    """DescribeExecution, again and again, and `runs` brought up to date; holes in the API's presence are bridged."""
    away_since: float | None = None
    while True:
        try:
            answer = api.call("DescribeExecution", executionArn=arn)
            _refresh(api, arn, runs)
        except Unreachable:
            now = clock.monotonic_seconds()
            away_since = away_since or now
            if now - away_since > UNREACHABLE_SECONDS_MAX:
                raise
        else:
            away_since = None
            yield answer
        time.sleep(POLL_SECONDS)


def _refresh(api: Api, arn: str, runs: dict[str, Json]) -> None:
    """Brings the descriptions of the execution's Map Runs up to date; the ended ones stay as they are."""
    for row in api.pages("ListMapRuns", "mapRuns", 0, executionArn=arn):
        arn = row["mapRunArn"]
        known = runs.get(arn)
        if known is None or known["status"] == "RUNNING":
            run = runs[arn] = api.call("DescribeMapRun", mapRunArn=arn)
            if run["status"] == "RUNNING":
                run["progress"] = api.progress(arn)


def done_of(run: Json) -> int:
    """Items of a run that have ended."""
    return sum(int(run["itemCounts"][name]) for name in _ENDED)


def label_of(run: Json) -> str:
    """The label in a Map Run's ARN."""
    return str(run["mapRunArn"]).split(":")[6].rpartition("/")[2]


def title_of(run: Json) -> str:
    """What a run is called in its progress: its label, and which redrive of it this is."""
    count = run.get("redriveCount", 0)
    return f"{label_of(run)} (redrive {count})" if count else label_of(run)


def counts_text(counts: Json) -> str:
    """The counts that are not zero, in the order a user asks for them."""
    names = ("succeeded", "failed", "timedOut", "aborted", "running", "pendingRedrive", "pending")
    shown = [f"{counts[name]:,} {_WORDS.get(name, name)}" for name in names if counts.get(name)]
    return ", ".join(shown) or "nothing yet"


def expected_of(run: Json) -> int | None:
    """Items that the run will have: what DescribeMapRun counts once all is read, before that an estimate.

    None while nothing is known of the source's length, as of a listing.
    """
    total = int(run["itemCounts"]["total"])
    if run["status"] != "RUNNING":
        return total
    expected = run.get("progress", {}).get("itemsExpected")
    return None if expected is None else max(total, int(expected))


def done_text(run: Json) -> str:
    """Items that have ended, of how many: of an estimate with a sign that it is one."""
    expected = expected_of(run)
    if expected is None:
        return f"{done_of(run):,} of {run['itemCounts']['total']:,} read so far"
    return f"{done_of(run):,}/{'' if expected == run['itemCounts']['total'] else '~'}{expected:,}"


def read_text(run: Json) -> str:
    """How far the reading of the source is, while it goes on."""
    progress = run.get("progress", {})
    if run["status"] != "RUNNING" or not progress or progress["sourceEnded"]:
        return ""
    share = progress.get("sourceShareRead")
    return "source being read" if share is None else f"{share:.0%} of the source read"


def eta_text(run: Json, rate: float) -> str:
    """How long the rest will take at this rate; nothing as long as nobody knows how much that is."""
    expected = expected_of(run)
    if run["status"] != "RUNNING" or expected is None or rate <= 0:
        return ""
    left = expected - done_of(run)
    return f"ETA {output.seconds(left / rate)}" if left > 0 else ""


def results_in(text: str) -> list[str]:
    """Addresses of the manifests that an execution's output names, wherever ResultPath put them."""
    found: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            details = value.get("ResultWriterDetails")
            if isinstance(details, dict) and "Bucket" in details and "Key" in details:
                found.append(f"s3://{details['Bucket']}/{details['Key']}")
            for member in value.values():
                look(member)
        elif isinstance(value, list):
            for member in value:
                look(member)

    try:
        look(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        return []
    return found


def short_title(title: str, width: int) -> str:
    """A title that leaves a line of `width` room for the bar and the numbers."""
    room = max(_TITLE_COLUMNS_MIN, width - _NUMBERS_COLUMNS)
    return title if len(title) <= room else f"{title[: room - 1]}…"


def short_read_text(run: Json) -> str:
    """`read_text` for a line without room: "25% read"."""
    return read_text(run).replace("of the source ", "").replace("source being read", "reading")


def bars_on(console: Console) -> Progress:
    """The columns that a terminal has room for: a narrow one leaves out the counts, which stand at the end."""
    wide = console.width >= WIDE_COLUMNS
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=28 if wide else 10, complete_style="cyan", finished_style="green"),
        TextColumn("{task.fields[done]}"),
        TextColumn("{task.fields[rate]}", style="cyan"),
        TextColumn("{task.fields[eta]}"),
        TextColumn("{task.fields[read]}", style="dim"),
    ]
    if wide:
        columns.append(TextColumn("{task.fields[counts]}", style="dim"))
    return Progress(*columns, console=console)


class _Bars:
    """A live bar for each Map Run on a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = bars_on(console)
        self._width = console.width
        self._wide = console.width >= WIDE_COLUMNS
        self._tasks: dict[str, tuple[TaskID, Rate]] = {}

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, run: Json) -> None:
        """Brings one run's bar up to date."""
        arn = run["mapRunArn"]
        if arn not in self._tasks:
            title = title_of(run) if self._wide else short_title(title_of(run), self._width)
            task = self._progress.add_task(title, total=None, done="", rate="", eta="", read="", counts="")
            self._tasks[arn] = (task, Rate())
        task, rate = self._tasks[arn]
        speed = rate.add(clock.monotonic_seconds(), done_of(run))
        self._progress.update(
            task,
            completed=done_of(run),
            total=expected_of(run),
            done=done_text(run),
            rate=f"{speed:,.0f}/s" if speed else "",
            eta=eta_text(run, speed),
            read=read_text(run) if self._wide else short_read_text(run),
            counts=counts_text(run["itemCounts"]),
        )


class _Lines:
    """A line now and then, where there is no terminal: for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rates: dict[str, Rate] = {}
        self._shown: dict[str, tuple[float, str]] = {}

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def show(self, run: Json) -> None:
        """Prints where a run is, if that changed and the last line is old enough, or if it ended."""
        arn, now = run["mapRunArn"], clock.monotonic_seconds()
        speed = self._rates.setdefault(arn, Rate()).add(now, done_of(run))
        then, before = self._shown.get(arn, (-_LINE_EVERY_SECONDS, ""))
        text = f"{title_of(run)}  {done_text(run)}  {counts_text(run['itemCounts'])}"
        ended = run["status"] != "RUNNING"
        if text == before or (now - then < _LINE_EVERY_SECONDS and not ended):
            return
        self._shown[arn] = (now, text)
        tail = run["status"] if ended else f"{speed:,.0f}/s  {eta_text(run, speed)}  {read_text(run)}".strip()
        self._console.print(f"{text}  {tail}")


def print_outcome(outcome: Outcome) -> None:
    """The end of the story: outcome, counts, where the results are, how long it took."""
    execution = outcome.execution
    began = execution.get("redriveDate", execution["startDate"])
    spent = execution["stopDate"] - began
    lines: list[tuple[str, object]] = [
        ("execution", execution["executionArn"]),
        ("status", execution["status"]),
        ("error", execution.get("error")),
        ("cause", execution.get("cause")),
        ("redrives", execution.get("redriveCount") or None),
        ("time", output.seconds(spent)),
    ]
    for run in outcome.map_runs:
        items, children = run["itemCounts"], run["executionCounts"]
        lines.append(("map run", f"{run['mapRunArn']} {run['status']}"))
        lines.append(("items", f"{counts_text(items)} of {items['total']:,}"))
        if children["total"] != items["total"]:
            lines.append(("children", f"{counts_text(children)} of {children['total']:,}"))
        if "stopDate" in run and run["stopDate"] > run["startDate"] and not run.get("redriveCount"):
            took = run["stopDate"] - run["startDate"]
            lines.append(("rate", f"{done_of(run) / took:,.0f} items/s over {output.seconds(took)}"))
    lines += [("results", address) for address in outcome.results]
    output.print_block(lines)
