"""`maprun errors`: what the unsuccessful children of a Map Run ended with, counted."""

from collections.abc import Iterable

import click
from rich.progress import Progress, SpinnerColumn, TextColumn

from maprun.cli import output
from maprun.cli.client import Json
from maprun.cli.options import Context, json_option, map_run_of

pattern_option = click.option(
    "--cause",
    "cause_pattern",
    default=None,
    metavar="PATTERN",
    help="Only causes of this pattern, as `errors` prints it.",
)
status_option = click.option(
    "--status", type=click.Choice(("FAILED", "TIMED_OUT", "ABORTED")), default=None, help="Only children that ended so."
)
_SAMPLES_MAX = 3
_CLUSTERS_DEFAULT = 20


@click.command()
@click.argument("arn")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=_CLUSTERS_DEFAULT,
    show_default=True,
    help="Rows at most, the largest counts first; 0 = all.",
)
@json_option
@click.pass_obj
def errors(context: Context, *, arn: str, limit: int, as_json: bool) -> None:
    """Count what the unsuccessful children of the Map Run ARN ended with, by error and cause.

    ARN may be an execution's that has one Map Run.
    """
    map_run = map_run_of(context.api, arn)
    number, clusters = counted(context, map_run, quiet=as_json)
    if as_json:
        output.print_json({"mapRunArn": map_run, "childrenCounted": number, "clusters": clusters[: limit or None]})
        return
    rows = [
        (
            f"{each['count']:,}",
            each["status"],
            each.get("error", ""),
            each.get("causePattern", ""),
            each["executionArns"][0],
        )
        for each in clusters[: limit or None]
    ]
    output.print_rows(("COUNT", "STATUS", "ERROR", "CAUSE", "FOR EXAMPLE"), rows)
    left = sum(each["count"] for each in clusters[len(rows) :])
    if left:
        output.err().print(f"{left:,} more children in {len(clusters) - len(rows):,} more rows: --limit 0 shows all")


def counted(context: Context, map_run: str, *, children: bool = False, quiet: bool) -> tuple[int, list[Json]]:
    """How many unsuccessful children there are, and their clusters; with `children` those say who is in them."""
    number = 0
    parts: list[Json] = []
    shown = (SpinnerColumn(), TextColumn("{task.description}"))
    console = output.err()
    with Progress(*shown, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("")
        for part in context.api.errors(map_run, children=children):
            parts.append(part)
            number += part["childrenCounted"]
            progress.update(task, description=f"{number:,} children")
    return number, summed(parts)


def wanted(clusters: list[Json], error: str | None, pattern: str | None, status: str | None) -> list[Json]:
    """The clusters with this error, pattern and status; what is None may be anything."""
    return [
        cluster
        for cluster in clusters
        if (error is None or cluster.get("error") == error)
        and (pattern is None or cluster.get("causePattern") == pattern)
        and (status is None or cluster["status"] == status)
    ]


def summed(parts: Iterable[Json]) -> list[Json]:
    """The clusters of all parts together, the largest first."""
    found: dict[tuple[str, str | None, str | None], Json] = {}
    for part in parts:
        for cluster in part["clusters"]:
            key = (cluster["status"], cluster.get("error"), cluster.get("causePattern"))
            had = found.get(key)
            if had is None:
                found[key] = dict(cluster)
                continue
            had["count"] += cluster["count"]
            had["firstDate"] = min(had["firstDate"], cluster["firstDate"])
            had["lastDate"] = max(had["lastDate"], cluster["lastDate"])
            if "children" in had:
                had["children"] = [*had["children"], *cluster["children"]]
            had["executionArns"] = [*had["executionArns"], *cluster["executionArns"]][:_SAMPLES_MAX]
    return sorted(found.values(), key=lambda cluster: -cluster["count"])
