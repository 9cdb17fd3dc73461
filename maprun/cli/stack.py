"""`maprun up`, `down` and `status`: the local stack."""

import os

import click

from maprun.cli import output
from maprun.cli.errors import EXIT_UNREACHABLE, CliError
from maprun.cli.options import json_option
from maprun.local import commands
from maprun.local.layout import Layout, StackError


def _layout() -> Layout:
    try:
        return commands.layout_from(os.environ)
    except StackError as error:
        raise CliError(str(error), error.cure) from error


@click.command()
@click.option("--foreground", is_flag=True, help="Stay and run the stack here until Ctrl-C.")
@json_option
def up(*, foreground: bool, as_json: bool) -> None:
    """Start the local stack: Kafka, S3, the function host and the four services."""
    console = output.err()
    try:
        if foreground:
            commands.up(_layout(), say=console.print)
            return
        status = commands.up_detached(_layout(), say=console.print)
    except StackError as error:
        raise CliError(str(error), error.cure) from error
    if as_json:
        output.print_json(status)
        return
    output.print_block(
        {
            "stack": f"up after {status.ready_after_seconds} s",
            "api": status.api,
            "kafka": status.kafka,
            "s3": status.s3,
            "functions": status.functions,
        }
    )


@click.command()
@json_option
def down(*, as_json: bool) -> None:
    """Stop the local stack. Its data stays."""
    try:
        text = commands.down(_layout())
    except StackError as error:
        raise CliError(str(error), error.cure) from error
    if as_json:
        output.print_json({"message": text})
    else:
        output.out().print(text)


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    """Say what of the local stack runs. Exit code 0: all ready, 1: not all, 3: no stack."""
    found = commands.status_of(_layout())
    if as_json:
        output.print_json(found)
    elif found is not None:
        output.out().print(f"{found.phase} {found.message}".strip())
        output.print_rows(
            ("PART", "STATE", "PID", "RESTARTS", "LOG"),
            [(part.name, part.state, part.pid or "-", part.restarts, part.log) for part in found.parts],
        )
    if found is None:
        raise CliError("no stack is running", "`maprun up` starts it", EXIT_UNREACHABLE)
    if found.phase != "ready":
        raise CliError(f"the stack is {found.phase}", found.cure)
