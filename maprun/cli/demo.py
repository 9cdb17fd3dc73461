"""`maprun demo`: AWS's tutorial on the stack that is up, with a progress bar, every result checked."""

import sys

import click

from maprun.cli import output
from maprun.cli.errors import EXIT_NOT_SUCCEEDED, CliError
from maprun.cli.follow import follow, print_outcome
from maprun.cli.machines import deploy_machine
from maprun.cli.options import Context
from maprun.cli.templates import MachineSource, Origin
from maprun.runtime import clock

NAME = "tutorial"
ROWS = 100_000


@click.command()
@click.option("--rows", type=click.IntRange(min=1), default=ROWS, show_default=True, help="Rows of ratings.csv.")
@click.pass_obj
def demo(context: Context, *, rows: int) -> None:
    """Run AWS's tutorial "Copying large-scale CSV data using Distributed Map" on the stack that is up, and check it."""
    from maprun.tutorial import source  # noqa: PLC0415 - boto3, which few commands need
    from maprun.tutorial.bucket import Bucket, BucketError  # noqa: PLC0415

    settings, api, console = context.settings, context.api, output.err()
    began = clock.monotonic_seconds()
    definition = source.DEFINITION.read_text(encoding="utf-8")
    try:
        bucket = Bucket(settings.s3, settings.region)
        size = bucket.upload(rows)
        console.print(f"uploaded s3://{source.BUCKET}/{source.KEY}: {rows:,} rows, {size:,} bytes")
        action, machine = deploy_machine(
            context, MachineSource(NAME, definition, Origin(source.DEFINITION), "STANDARD")
        )
        console.print(f"{action} {machine}")
        arn = api.call("StartExecution", stateMachineArn=machine)["executionArn"]
        console.print(f"started {arn}")
        outcome = follow(api, arn, console)
        print_outcome(outcome)
        if not outcome.succeeded or len(outcome.results) != 1:
            sys.exit(EXIT_NOT_SUCCEEDED)
        wrong = bucket.check(outcome.results[0], outcome.map_runs[0]["itemCounts"], rows)
    except BucketError as error:
        raise CliError(f"S3 at {settings.s3}: {error}", "is the stack up? `maprun up` starts it") from error
    for line in wrong:
        console.print(f"WRONG: {line}")
    if wrong:
        sys.exit(EXIT_NOT_SUCCEEDED)
    spent = output.seconds(clock.monotonic_seconds() - began)
    output.print_block(
        {"checked": f"{rows:,} results read back from S3, each equal to its row of the source", "in all": spent}
    )
