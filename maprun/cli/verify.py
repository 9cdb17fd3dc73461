"""`maprun verify`: a Map Run's results recounted from outside, against the source they came from."""

import os
import time
from typing import Any

import click
from rich.progress import Progress, SpinnerColumn, TextColumn

from maprun.cli import output
from maprun.cli.client import Json
from maprun.cli.errors import EXIT_USAGE, CliError
from maprun.cli.options import Context, json_option, kind_of
from maprun.interpreter import ExecutionHead
from maprun.language.machines import Machines
from maprun.local.environment import keys_beside_services
from maprun.runtime import chance, clock


@click.command()
@click.argument("map_run")
@json_option
@click.pass_obj
def verify(context: Context, *, map_run: str, as_json: bool) -> None:
    """Check the results of the MAP_RUN with this ARN against its source: every index once, each with its own input.

    The result files and the source are read from S3 by the code that Map Runs read with, a piece at a time; it takes
    some ten bytes of memory a child. Give it the AWS settings of the services. Exit code 1 if something is wrong.
    """
    if kind_of(map_run) != "mapRun":
        raise CliError(
            f"{map_run} is no Map Run", "maprun list map-runs EXECUTION lists those of an execution", EXIT_USAGE
        )
    described = context.api.call("DescribeMapRun", mapRunArn=map_run)
    if described["status"] == "RUNNING":
        raise CliError(f"{map_run} is still running", "wait for its end: maprun describe shows how far it is")
    began = clock.monotonic_seconds()
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=output.err(), transient=True, disable=as_json
    ) as progress:
        task = progress.add_task("")
        verdict = _checked(context, described, lambda said: progress.update(task, description=said))
    if as_json:
        output.print_json(verdict)
    else:
        _show(verdict, clock.monotonic_seconds() - began)
    if not verdict.right:
        raise CliError(f"the results of {map_run} are not right", "what is wrong stands above")


def _checked(context: Context, described: Json, say: Any) -> Any:
    """The verdict on a Map Run. Raises CliError."""
    from maprun.aws.clients import AwsSettings, make_s3  # noqa: PLC0415 - boto3, which few commands need
    from maprun.aws.errors import SourceError  # noqa: PLC0415
    from maprun.verification import Facts, UnknownPlanError, begun_of, plan_of, verify  # noqa: PLC0415

    settings, api = context.settings, context.api
    arn, execution_arn = described["mapRunArn"], described["executionArn"]
    execution = api.call("DescribeExecution", executionArn=execution_arn)
    machine = api.call("DescribeStateMachineForExecution", executionArn=execution_arn)
    events = list(api.pages("GetExecutionHistory", "events", 0, executionArn=execution_arn))
    key, secret = keys_beside_services(os.environ, settings.s3)
    aws = AwsSettings(region=settings.region, access_key_id=key, secret_access_key=secret, s3_endpoint=settings.s3)
    try:
        compiled = Machines().compiled(machine["definition"].encode())
        plan = plan_of(compiled, _head(execution, machine), begun_of(events, arn))
        facts = Facts(
            arn,
            arn.rpartition(":")[2],
            described["status"],
            described.get("redriveCount", 0),
            described["executionCounts"],
        )
        return verify(make_s3(aws, time.sleep, chance.chance), compiled, plan, facts, say)
    except UnknownPlanError as error:
        raise CliError(f"what {arn} read can't be told: {error}") from error
    except SourceError as error:
        raise CliError(f"the source of {arn} can't be read: {error.cause}") from error


def _head(execution: Json, machine: Json) -> ExecutionHead:
    """The execution that the Map Run is of, as its context object shows it."""
    return ExecutionHead(
        arn=execution["executionArn"],
        name=execution["name"],
        machine_arn=execution["stateMachineArn"],
        machine_name=machine["name"],
        role_arn=machine["roleArn"],
        start_ms=round(execution["startDate"] * 1000),
        input=execution.get("input", "{}").encode(),
        version_arn=execution.get("stateMachineVersionArn", ""),
        alias_arn=execution.get("stateMachineAliasArn", ""),
    )


def _show(verdict: Any, seconds: float) -> None:
    """The verdict in words."""
    output.print_block(
        {
            "results": verdict.manifest or "none in S3",
            "children": f"{verdict.children:,}",
            "items of the source": f"{verdict.items:,}",
            "inputs compared": f"{verdict.inputs_compared:,}",
            "verdict": "every index has its one result" if verdict.right else "WRONG",
            "in": output.seconds(seconds),
        }
    )
    for note in verdict.notes:
        output.out().print(f"note: {note}", style="yellow")
    if verdict.wrong:
        rows = [(f"{each.count:,}", each.what, "; ".join(each.examples)) for each in verdict.wrong]
        output.print_rows(("COUNT", "WRONG", "FOR EXAMPLE"), rows)
