"""`maprun logs`: what the functions that an execution called have printed."""

import click

from maprun.cli import output
from maprun.cli.errors import CliError
from maprun.cli.options import Context, json_option


@click.command()
@click.argument("execution")
@json_option
@click.pass_obj
def logs(context: Context, *, execution: str, as_json: bool) -> None:
    """Print what functions printed for the EXECUTION with this ARN, a Map Run's child or any other."""
    found = context.api.ask("/maprun/function-logs", execution)
    if as_json:
        output.print_json(found)
        return
    if found.get("error") and not found["calls"]:
        raise CliError(found["error"])
    for call in found["calls"]:
        click.echo(f"{call['functionName']}:")
        click.echo(call["log"])
    if not found["calls"]:
        output.err().print("no function has printed anything for it, or failed, as far as logs reach back")
    if found.get("error"):
        output.err().print(found["error"])
    if found["truncated"]:
        output.err().print("there are more: look into the functions' logs themselves, by the execution's ARN")
