"""The root of the command line: its options, its exit codes, its commands."""

import os

import click

from maprun.cli import (
    demo,
    doctor,
    executions,
    failures,
    function_logs,
    keys,
    machines,
    redrives,
    results,
    show,
    stack,
    top,
    topics,
    trying,
    validate,
    verify,
)
from maprun.cli.client import Api
from maprun.cli.options import Context
from maprun.cli.signing import ApiSigner
from maprun.runtime import settings

_EPILOG = """\b
Exit codes: 0 done · 1 an execution or a tested state ended otherwise than it should, a definition or
a set-up is wrong, or the stack could not start · 2 usage · 3 the API (or the stack) is not there · 4 the API
refused the request · 78 Kafka's topics or rights are not as they must be · 130 Ctrl-C.
\b
Environment: MAPRUN_API (address of the API), MAPRUN_REGION and MAPRUN_ACCOUNT (to make an ARN of a
name), AWS_ACCESS_KEY_ID and what else boto3 reads (where the API asks for signatures), MAPRUN_KEYS_FILE
(for `keys`), NO_COLOR, and for `up` the settings listed in the README."""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--endpoint", metavar="URL", default=None, help="The API's address instead of MAPRUN_API.")
@click.version_option(package_name="maprun")
@click.pass_context
def main(context: click.Context, endpoint: str | None) -> None:
    """AWS Step Functions workflows with Distributed Map, on your own machines."""
    try:
        loaded = settings.load(os.environ if endpoint is None else {**os.environ, "MAPRUN_API": endpoint})
    except settings.SettingsError as error:
        raise click.UsageError(str(error)) from error
    api = Api(loaded.api, signer=ApiSigner(loaded))
    context.call_on_close(api.close)
    context.obj = Context(api=api, settings=loaded)


for _command in (
    stack.up,
    stack.down,
    stack.status,
    demo.demo,
    doctor.doctor,
    machines.deploy,
    validate.validate,
    trying.trial,
    executions.start,
    executions.stop,
    redrives.redrive,
    executions.update_map_run,
    show.describe,
    show.list_,
    show.history,
    function_logs.logs,
    failures.errors,
    results.results,
    verify.verify,
    keys.keys,
    top.top,
    topics.topics,
):
    main.add_command(_command)
