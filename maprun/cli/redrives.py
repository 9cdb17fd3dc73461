"""`maprun redrive`: an execution with all that did not succeed in it, or chosen children of one of its Map Runs."""

import secrets
from collections.abc import Sequence

import click

from maprun.cli import output
from maprun.cli.client import Json
from maprun.cli.errors import EXIT_USAGE, CliError
from maprun.cli.executions import follow_to_end
from maprun.cli.failures import counted, pattern_option, status_option, wanted
from maprun.cli.options import Context, json_option, kind_of


@click.command()
@click.argument("arn")
@click.option("--error", default=None, help="Only children that ended with this error.")
@pattern_option
@status_option
@click.option("--child", "children", multiple=True, metavar="ARN", help="Only this child; may be given several times.")
@click.option("--yes", is_flag=True, help="Do not ask before chosen children are redriven.")
@click.option("--token", default=None, help="A client token: the same one again redrives nothing twice.")
@click.option("--follow", is_flag=True, help="Show progress until it ends; exit code 1 if it does not succeed.")
@json_option
@click.pass_context
def redrive(
    click_context: click.Context,
    *,
    arn: str,
    error: str | None,
    cause_pattern: str | None,
    status: str | None,
    children: Sequence[str],
    yes: bool,
    token: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Redrive what did not succeed, of the execution ARN or of the Map Run ARN.

    Of an execution all that failed, timed out or was aborted runs again, its Map Runs' children too. Of a Map Run the
    children that --error, --cause, --status or --child choose run again, and no others; how many is said first.
    """
    context: Context = click_context.obj
    kind = kind_of(arn)
    token = token or secrets.token_hex(16)  # a request that has to be sent twice redrives once
    chosen = any(given is not None for given in (error, cause_pattern, status)) or bool(children)
    if chosen != (kind == "mapRun"):
        what = (
            "choose children of it by --error, --cause, --status or --child" if kind == "mapRun" else "name a Map Run"
        )
        raise CliError(f"{arn} is {'a Map Run' if kind == 'mapRun' else 'no Map Run'}", what, EXIT_USAGE)
    if kind == "mapRun":
        execution = context.api.call("DescribeMapRun", mapRunArn=arn)["executionArn"]
        ranges, number = _of_clusters(context, arn, (error, cause_pattern, status), as_json=as_json)
        number += len(children)
        if not number:
            raise CliError("no child is chosen", "maprun errors MAP_RUN shows what there is", EXIT_USAGE)
        if not yes:
            click.confirm(f"Redrive {number:,} children?", abort=True, err=True)
        redriven = context.api.redrive_children(arn, ranges, list(children), token)
        redriven |= {"childrenRedriven": number}
    else:
        execution = arn
        redriven = context.api.call("RedriveExecution", executionArn=arn, clientToken=token)
    if follow:
        follow_to_end(click_context, execution, as_json=as_json)
    elif as_json:
        output.print_json(redriven)
    else:
        shown = {"redriven": arn, "at": output.date(redriven["redriveDate"])}
        if chosen:
            shown["children"] = f"{redriven['childrenRedriven']:,}"
        output.print_block({**shown, "look at it": f"maprun describe {execution}"})


def _of_clusters(
    context: Context, map_run: str, how: tuple[str | None, str | None, str | None], *, as_json: bool
) -> tuple[list[int], int]:
    """The children that ended so, as flat (first, count, …), and how many they are."""
    if how == (None, None, None):
        return [], 0
    clusters: list[Json] = wanted(counted(context, map_run, children=True, quiet=as_json)[1], *how)
    ranges = [number for cluster in clusters for number in cluster["children"]]
    return ranges, sum(cluster["count"] for cluster in clusters)
