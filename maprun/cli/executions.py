"""`maprun start` and `maprun stop`."""

import click

from maprun.cli import follow as following
from maprun.cli import output
from maprun.cli.errors import EXIT_NOT_SUCCEEDED
from maprun.cli.options import Context, json_option, kind_of, text_or_file


@click.command()
@click.argument("machine")
@click.option("--name", default=None, help="The execution's name; by default the API makes one.")
@click.option("--input", "input_", default=None, metavar="JSON|@FILE", help="The input; {} unless given.")
@click.option("--follow", is_flag=True, help="Show progress until it ends; exit code 1 if it does not succeed.")
@json_option
@click.pass_context
def start(
    click_context: click.Context, *, machine: str, name: str | None, input_: str | None, follow: bool, as_json: bool
) -> None:
    """Start an execution of MACHINE (a name or an ARN)."""
    context: Context = click_context.obj
    given = None if input_ is None else text_or_file(input_)
    started = context.api.call("StartExecution", stateMachineArn=context.machine_arn(machine), name=name, input=given)
    arn = started["executionArn"]
    if not follow:
        if as_json:
            output.print_json(started)
        else:
            output.print_block({"started": arn, "look at it": f"maprun describe {arn}"})
        return
    outcome = following.follow(context.api, arn, output.err())
    if as_json:
        output.print_json({"execution": outcome.execution, "mapRuns": outcome.map_runs, "results": outcome.results})
    else:
        following.print_outcome(outcome)
    if not outcome.succeeded:
        click_context.exit(EXIT_NOT_SUCCEEDED)


@click.command()
@click.argument("arn")
@click.option("--error", default=None, help="An error name to write down.")
@click.option("--cause", default=None, help="A cause to write down.")
@json_option
@click.pass_obj
def stop(context: Context, *, arn: str, error: str | None, cause: str | None, as_json: bool) -> None:
    """Stop the execution ARN: it ends ABORTED, and so do its Map Runs."""
    kind_of(arn)
    stopped = context.api.call("StopExecution", executionArn=arn, error=error, cause=cause)
    if as_json:
        output.print_json(stopped)
    else:
        output.print_block({"stopped": arn, "at": output.date(stopped["stopDate"])})
