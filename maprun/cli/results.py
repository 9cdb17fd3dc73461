"""`maprun results`: the files that the results of a Map Run are in."""

import click

from maprun.cli import output
from maprun.cli.errors import CliError
from maprun.cli.options import Context, json_option, kind_of


@click.command()
@click.argument("map_run")
@json_option
@click.pass_obj
def results(context: Context, *, map_run: str, as_json: bool) -> None:
    """List the result files of the MAP_RUN with this ARN; --json has their first records too."""
    kind_of(map_run)
    found = context.api.results(map_run)
    if as_json:
        output.print_json(found)
        return
    if not found.get("manifestKey"):
        raise CliError("no results were written", "a Map Run without ResultWriter has them in its output")
    if found.get("error"):
        raise CliError(f"s3://{found['bucket']}/{found['manifestKey']} can't be read: {found['error']}")
    rows = [(each["status"], f"{each['size']:,}", f"s3://{found['bucket']}/{each['key']}") for each in found["files"]]
    output.print_rows(("STATUS", "BYTES", "FILE"), rows)
    left = found["filesInAll"] - len(rows)
    if left:
        output.err().print(f"{left:,} more files stand in s3://{found['bucket']}/{found['manifestKey']}")
