"""`maprun top`: what goes on at present, again and again: services, Map Runs, the states that take longest."""

import time
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from maprun.cli import output
from maprun.cli.client import Api, Json
from maprun.cli.errors import CliError
from maprun.cli.follow import Rate, done_of, eta_text
from maprun.cli.options import Context, json_option
from maprun.runtime import clock

_STATES_MAX = 8
_RUNS_DEFAULT = 10
_FAILURES = ("failed", "timedOut", "aborted")
_MARKS = {True: ("well", "green"), False: ("not well", "red")}


@click.command()
@click.option(
    "--interval", type=click.FloatRange(min=0.2), default=2.0, show_default=True, help="Seconds between two looks."
)
@click.option("--limit", type=click.IntRange(min=1), default=_RUNS_DEFAULT, show_default=True, help="Map Runs at most.")
@click.option("--once", is_flag=True, help="Look once and end; as where there is no terminal.")
@json_option
@click.pass_obj
def top(context: Context, *, interval: float, limit: int, once: bool, as_json: bool) -> None:
    """Show services, open Map Runs and their slowest states, live. Ctrl-C ends it.

    --json looks once, and gives what the API answered.
    """
    console, rates = output.out(), Rates()
    if as_json:
        output.print_json(look(context.api))
    elif once or not console.is_terminal:
        console.print(screen(look(context.api), rates, limit, console.width))
    else:
        _follow(context.api, console, rates, interval, limit)


class Rates:
    """Items a second of each Map Run, and all that a run shows beside it."""

    def __init__(self) -> None:
        self._rates: dict[str, Rate] = {}

    def of(self, run: Json, now: float) -> float:
        """Notes how far a run is at `now`; answers items a second."""
        return self._rates.setdefault(run["mapRunArn"], Rate()).add(now, done_of(run))


def look(api: Api) -> Json:
    """What there is to see: health, open Map Runs, and of the one that runs most children the slowest states."""
    seen: Json = {"health": api.ask("/maprun/health"), **api.ask("/maprun/map-runs")}
    busy = [run for run in seen["mapRuns"] if run["executionCounts"]["succeeded"] + run["executionCounts"]["failed"]]
    if busy:
        run = max(busy, key=lambda each: each["executionCounts"]["running"])
        seen["slowest"] = api.ask("/maprun/states", run["mapRunArn"])
    return seen


def _follow(api: Api, console: Console, rates: Rates, interval: float, limit: int) -> None:
    """Looks until Ctrl-C. An API that falls silent is waited for: its last answer stays, and why there is no newer."""
    seen = look(api)
    began, away = clock.wall_seconds(), ""
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                shown = screen(seen, rates, limit, console.width)
                age = f"no answer for {output.seconds(clock.wall_seconds() - began)}: {away}" if away else ""
                live.update(Group(Text(age, style="bold red"), shown) if age else shown, refresh=True)
                time.sleep(interval)
                try:
                    seen, away, began = look(api), "", clock.wall_seconds()
                except CliError as error:  # it is away; or a run is gone that was open: the next look leaves it out
                    away = str(error)
    except KeyboardInterrupt:
        return


# ---------------------------------------------------------------------- what is shown


def screen(seen: Json, rates: Rates, limit: int, width: int) -> RenderableType:
    """Everything, for a terminal of this width."""
    health = seen["health"]
    word, style = _MARKS[health["ok"]]
    runs = health["mapRuns"]
    head = Text.assemble(
        ("maprun ", "bold"),
        (word, f"bold {style}"),
        f"   executions open {health['openExecutions']:,}   Map Runs open {runs['open']:,} of {runs['limit']:,}",
        f"   waiting {runs['waiting']:,}" if runs["waiting"] else "",
    )
    parts: list[RenderableType] = [head]
    parts += [Text(f"! {trouble}", style="red") for trouble in health["troubles"]]
    parts += [Text(), services(health), Text(), map_runs(seen, rates, limit, width)]
    if seen.get("slowest", {}).get("states"):
        parts += [Text(), slowest(seen["slowest"])]
    if health["errorsLastHour"]:
        named = ", ".join(f"{e['service']} {e['event']} {e['count']:,}" for e in health["errorsLastHour"][:5])
        parts += [Text(), Text(f"errors logged within the hour: {named}", style="yellow")]
    return Group(*parts)


def services(health: Json) -> Table:
    """A row for each service: processes that are ready, partitions that have one, records behind."""
    table = _table("SERVICE", "READY", "PARTITIONS", "BEHIND", "ERRORS/H", "STARTS/H")
    for service in health["services"]:
        processes = service["processes"]
        ready = sum(process["status"] == "READY" for process in processes)
        owned = service["partitions"] - len(service["unownedPartitions"])
        table.add_row(
            service["service"],
            f"{ready}/{len(processes)}",
            f"{owned}/{service['partitions']}",
            f"{sum(service['recordsBehind'].values()):,}",
            f"{sum(process['errorsLastHour'] for process in processes):,}",
            f"{sum(process['startsLastHour'] for process in processes):,}",
            style="" if service["ok"] else "red",
        )
    return table


def map_runs(seen: Json, rates: Rates, limit: int, width: int) -> RenderableType:
    """A row for each open Map Run, the newest first."""
    found, now = seen["mapRuns"], clock.monotonic_seconds()
    if not found:
        return Text("no Map Run is open", style="dim")
    table = _table("MAP RUN", "DONE", "RUNNING", "FAILED", "ITEMS/S", "LEFT")
    speeds = [rates.of(run, now) for run in found]
    for run, speed in list(zip(found, speeds, strict=True))[:limit]:
        expected = run.get("itemsExpected")
        failed = sum(run["itemCounts"][name] for name in _FAILURES)
        left = eta_text({**run, "progress": {"itemsExpected": expected}}, speed).removeprefix("ETA ")
        table.add_row(
            _cut(run["stateMachineArn"].split(":", 6)[6], max(12, width - 55)),
            f"{done_of(run):,}/{'?' if expected is None else f'{expected:,}'}",
            "waiting" if run["waiting"] else f"{run['executionCounts']['running']:,}",
            Text(f"{failed:,}", style="red" if failed else ""),
            f"{speed:,.0f}",
            left,
        )
    more = seen["count"] - min(limit, len(found))
    return Group(table, Text(f"and {more:,} more", style="dim")) if more > 0 else table


def slowest(times: Json) -> RenderableType:
    """A row for each of the states that took longest, of the children that ended last."""
    table = _table("SLOWEST STATES", "TYPE", "VISITS", "MEDIAN", "95 %", "MAX", "ENDED IN IT")
    for state in times["states"][:_STATES_MAX]:
        spans: list[Any] = [state[name] for name in ("medianSeconds", "p95Seconds", "maxSeconds")]
        table.add_row(
            _cut(state["name"], 24),
            state["type"],
            f"{state['visits']:,}",
            *(_span(seconds) for seconds in spans),
            f"{state['endedInIt']:,}",
        )
    label = times["mapRunArn"].split(":")[6].rpartition("/")[2]
    return Group(table, Text(f"of the last {times['childrenCounted']:,} children of {label}", style="dim"))


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True, overflow="ellipsis")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _span(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else output.seconds(seconds)
