"""`maprun describe`, `list` and `history`: what there is and what became of it."""

import itertools

import click
import msgspec

from maprun.cli import output
from maprun.cli.client import Json
from maprun.cli.errors import EXIT_USAGE, CliError
from maprun.cli.failures import pattern_option
from maprun.cli.options import Context, json_option, kind_of, map_run_of

_DESCRIBE = {
    "stateMachine": ("DescribeStateMachine", "stateMachineArn"),
    "execution": ("DescribeExecution", "executionArn"),
    "express": ("DescribeExecution", "executionArn"),
    "mapRun": ("DescribeMapRun", "mapRunArn"),
}
_ROWS_DEFAULT = 100
_STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE")
_REDRIVES = ("REDRIVEN", "NOT_REDRIVEN")
_limit_option = click.option(
    "--limit", type=click.IntRange(min=0), default=_ROWS_DEFAULT, show_default=True, help="Rows at most; 0 = all."
)


@click.command()
@click.argument("arn")
@json_option
@click.pass_obj
def describe(context: Context, *, arn: str, as_json: bool) -> None:
    """Describe an execution, a Map Run or a state machine by its ARN."""
    kind = kind_of(arn)
    if kind not in _DESCRIBE:
        raise CliError(f"{arn}: a {kind} can't be described", f"what can: {', '.join(_DESCRIBE)}", EXIT_USAGE)
    operation, member = _DESCRIBE[kind]
    answer = context.api.call(operation, **{member: arn})
    if as_json:
        output.print_json(answer)
        return
    counts = {name: answer.pop(name) for name in ("itemCounts", "executionCounts") if name in answer}
    output.print_block(output.readable(answer))
    if counts:
        rows = [(name, *(counts[kind][name] for kind in counts)) for name in counts["itemCounts"]]
        output.print_rows(("COUNT", "ITEMS", "EXECUTIONS"), [(n, f"{i:,}", f"{e:,}") for n, i, e in rows])


@click.group("list")
def list_() -> None:
    """List machines, executions or Map Runs."""


@list_.command("machines")
@_limit_option
@json_option
@click.pass_obj
def list_machines(context: Context, *, limit: int, as_json: bool) -> None:
    """List the state machines."""
    rows = list(context.api.pages("ListStateMachines", "stateMachines", limit))
    _print(rows, ("name", "type", "creationDate", "stateMachineArn"), as_json=as_json)


@list_.command("executions")
@click.option("--machine", default=None, help="Of this state machine (a name or an ARN).")
@click.option("--map-run", default=None, metavar="ARN", help="The children of this Map Run, or of an execution's one.")
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False), default=None, help="Only these.")
@click.option(
    "--redrive",
    type=click.Choice(_REDRIVES, case_sensitive=False),
    default=None,
    help="Only those that were redriven, or only the others.",
)
@click.option("--error", default=None, help="Only children that ended with this error.")
@pattern_option
@click.option("--text", default=None, help="Only children with this text in name, input, output, error or cause.")
@click.option("--longer-than", type=float, default=None, metavar="SECONDS", help="Only children that took so long.")
@_limit_option
@json_option
@click.pass_obj
def list_executions(
    context: Context,
    *,
    machine: str | None,
    map_run: str | None,
    status: str | None,
    redrive: str | None,
    error: str | None,
    cause_pattern: str | None,
    text: str | None,
    longer_than: float | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the executions of a machine, or the children of a Map Run."""
    if (machine is None) == (map_run is None):
        raise click.UsageError("give either --machine or --map-run")
    looked_for = {"error": error, "causePattern": cause_pattern, "text": text, "minSeconds": longer_than}
    if any(value is not None for value in looked_for.values()):
        if map_run is None or redrive is not None:
            raise click.UsageError("--error, --cause, --text and --longer-than are of --map-run, without --redrive")
        wanted = None if status is None else status.upper()
        map_run = map_run_of(context.api, map_run)
        rows = list(context.api.children(map_run, limit, status=wanted, **looked_for))
        _print(rows, ("status", "startDate", "stopDate", "error", "cause", "executionArn"), as_json=as_json)
        return
    found = context.api.pages(
        "ListExecutions",
        "executions",
        limit,
        stateMachineArn=None if machine is None else context.machine_arn(machine),
        mapRunArn=None if map_run is None else map_run_of(context.api, map_run),
        statusFilter=None if status is None else status.upper(),
        redriveFilter=None if redrive is None else redrive.upper(),
    )
    rows = list(found)
    redriven = ("redriveCount", "redriveDate") if any(row.get("redriveCount") for row in rows) else ()
    members = ("status", "startDate", "stopDate", *redriven, *(("itemCount",) if map_run else ()), "executionArn")
    _print(rows, members, as_json=as_json)


@list_.command("map-runs")
@click.argument("execution")
@_limit_option
@json_option
@click.pass_obj
def list_map_runs(context: Context, *, execution: str, limit: int, as_json: bool) -> None:
    """List the Map Runs of the EXECUTION with this ARN."""
    kind_of(execution)
    rows = list(context.api.pages("ListMapRuns", "mapRuns", limit, executionArn=execution))
    _print(rows, ("startDate", "stopDate", "mapRunArn"), as_json=as_json)


@click.command()
@click.argument("arn")
@click.option("--reverse", is_flag=True, help="The newest event first.")
@click.option("--limit", type=click.IntRange(min=0), default=0, help="Events at most; 0 = all.")
@json_option
@click.pass_obj
def history(context: Context, *, arn: str, reverse: bool, limit: int, as_json: bool) -> None:
    """Show the events of the execution ARN, EXPRESS or not: of those that no Map Run started, for a while."""
    if kind_of(arn) == "express":
        events = list(context.api.history(arn))
        events = list(itertools.islice(events[::-1] if reverse else events, limit or None))
    else:
        pages = context.api.pages("GetExecutionHistory", "events", limit, executionArn=arn, reverseOrder=reverse)
        events = list(pages)
    if as_json:
        output.print_json(events)
        return
    output.print_rows(
        ("ID", "PREVIOUS", "TIME", "EVENT", "DETAILS"),
        [(e["id"], e.get("previousEventId", 0), output.date(e["timestamp"]), e["type"], _details(e)) for e in events],
    )


def _details(event: Json) -> str:
    """The event's own member, without what only says that nothing was cut."""
    for name, value in event.items():
        if name.endswith("EventDetails"):
            kept = {n: v for n, v in value.items() if not n.endswith("Details")}
            return msgspec.json.encode(kept).decode() if kept else ""
    return ""


def _print(rows: list[Json], members: tuple[str, ...], *, as_json: bool) -> None:
    """Rows as columns or as JSON."""
    if as_json:
        output.print_json(rows)
        return
    headers = [_header(member) for member in members]
    output.print_rows(headers, [[output.cell(m, row.get(m, "")) for m in members] for row in rows])


def _header(member: str) -> str:
    """`startDate` → `START DATE`."""
    return "".join(f" {c}" if c.isupper() else c for c in member).upper()
