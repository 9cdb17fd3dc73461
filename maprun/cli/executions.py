"""`maprun start`, `stop` and `update-map-run`."""

import click

from maprun.cli import follow as following
from maprun.cli import output
from maprun.cli.errors import EXIT_NOT_SUCCEEDED
from maprun.cli.options import Context, json_option, kind_of, map_run_of, text_or_file


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
    follow_to_end(click_context, arn, as_json=as_json)


def follow_to_end(click_context: click.Context, arn: str, *, as_json: bool) -> None:
    """Shows an execution's progress, then its outcome; the exit code says whether it succeeded."""
    context: Context = click_context.obj
    outcome = following.follow(context.api, arn, output.err())
    if as_json:
        output.print_json({"execution": outcome.execution, "mapRuns": outcome.map_runs, "results": outcome.results})
    else:
        following.print_outcome(outcome)
    if not outcome.succeeded:
        click_context.exit(EXIT_NOT_SUCCEEDED)


@click.command("update-map-run")
@click.argument("arn")
@click.option("--max-concurrency", type=click.IntRange(min=0), default=None, help="Children at once; 0 = the default.")
@click.option("--tolerated-failure-count", type=click.IntRange(min=0), default=None, help="Failed items tolerated.")
@click.option(
    "--tolerated-failure-percentage", type=click.FloatRange(0, 100), default=None, help="Per cent of failed items."
)
@json_option
@click.pass_obj
def update_map_run(
    context: Context,
    *,
    arn: str,
    max_concurrency: int | None,
    tolerated_failure_count: int | None,
    tolerated_failure_percentage: float | None,
    as_json: bool,
) -> None:
    """Change the limits of the Map Run ARN, or of an execution's only one, while it runs; what isn't given stays."""
    changes = {
        "maxConcurrency": max_concurrency,
        "toleratedFailureCount": tolerated_failure_count,
        "toleratedFailurePercentage": tolerated_failure_percentage,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise click.UsageError("give at least one limit to change")
    arn = map_run_of(context.api, arn)
    context.api.call("UpdateMapRun", mapRunArn=arn, **given)
    if as_json:
        output.print_json({"mapRunArn": arn, **given})
    else:
        output.print_block({"updated": arn, **given})


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
