"""Makes the data, deploys the tutorial's state machine, runs it with a progress bar, and checks every result."""

import os
import sys
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from examples.tutorial import results, source
from maprun.cli import output
from maprun.cli.client import Api
from maprun.cli.errors import EXIT_NOT_SUCCEEDED, CliError
from maprun.cli.follow import follow, print_outcome
from maprun.cli.machines import deploy_machine
from maprun.cli.options import Context
from maprun.cli.templates import MachineSource
from maprun.runtime import clock, settings

NAME = "tutorial"
ROWS = 100_000


def s3_client(endpoint: str, region: str) -> Any:
    """A client of the local S3, or of AWS's own when the endpoint is empty."""
    local = {"aws_access_key_id": "maprun", "aws_secret_access_key": "maprun-local"} if endpoint else {}
    return boto3.client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=region,
        config=Config(s3={"addressing_style": "path"} if endpoint else {}, retries={"max_attempts": 5}),
        **local,
    )


def upload(s3: Any, rows: int) -> bytes:
    """Makes the bucket if it isn't there, and puts the file into it."""
    file = source.ratings_csv(rows)
    try:
        s3.create_bucket(Bucket=source.BUCKET)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise
    s3.put_object(Bucket=source.BUCKET, Key=source.KEY, Body=file)
    return file


@click.command()
@click.option("--rows", type=click.IntRange(min=1), default=ROWS, show_default=True, help="Rows of ratings.csv.")
def main(rows: int) -> None:
    """AWS's tutorial "Copying large-scale CSV data using Distributed Map" on the local stack."""
    loaded = settings.load(os.environ)
    console = output.err()
    s3 = s3_client(loaded.s3, loaded.region)
    began = clock.monotonic_seconds()
    try:
        file = upload(s3, rows)
        console.print(f"uploaded s3://{source.BUCKET}/{source.KEY}: {rows:,} rows, {len(file):,} bytes")
        api = Api(loaded.api)
        definition = (Path(__file__).parent / "state-machine.json").read_text(encoding="utf-8")
        action, machine = deploy_machine(Context(api=api, settings=loaded), MachineSource(NAME, definition, "STANDARD"))
        console.print(f"{action} {machine}")
        arn = api.call("StartExecution", stateMachineArn=machine)["executionArn"]
        console.print(f"started {arn}")
        outcome = follow(api, arn, console)
        print_outcome(outcome)
        if not outcome.succeeded or len(outcome.results) != 1:
            sys.exit(EXIT_NOT_SUCCEEDED)
        wrong = check(s3, outcome.results[0], outcome.map_runs[0]["itemCounts"], rows)
    except (BotoCoreError, ClientError) as error:
        raise CliError(f"S3 at {loaded.s3}: {error}", "is the stack up? `maprun up` starts it") from error
    for line in wrong:
        console.print(f"WRONG: {line}")
    if wrong:
        sys.exit(EXIT_NOT_SUCCEEDED)
    spent = output.seconds(clock.monotonic_seconds() - began)
    output.print_block(
        {"checked": f"{rows:,} results read back from S3, each equal to its row of the source", "in all": spent}
    )


def check(s3: Any, manifest: str, counts: dict[str, int], rows: int) -> list[str]:
    """What is wrong with the counts and the result files, in words."""
    file = s3.get_object(Bucket=source.BUCKET, Key=source.KEY)["Body"].read()
    found, wrong = results.differences(s3, manifest, list(source.rows_of(file)))
    if found != rows:
        wrong.append(f"the result files hold {found} records, the source has {rows} rows")
    if counts["succeeded"] != rows or counts["total"] != rows:
        wrong.append(f"DescribeMapRun counts {counts['succeeded']} succeeded of {counts['total']}, not {rows}")
    return wrong


if __name__ == "__main__":
    main()
