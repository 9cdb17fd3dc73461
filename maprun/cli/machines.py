"""`maprun deploy`: a definition becomes a state machine, new or updated."""

import re
from pathlib import Path

import click
import msgspec

from maprun.cli import output
from maprun.cli.errors import CliError, Refused
from maprun.cli.options import Context, json_option, read_text

ROLE_DEFAULT = "maprun"
_NAME_REFUSED = re.compile(r"[^0-9A-Za-z_+!@.()=-]+")
_ARN_IN_MESSAGE = re.compile(r"'(arn:[^']+)'")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", default=None, help="The state machine's name; by default that of the file.")
@click.option(
    "--type",
    "machine_type",
    type=click.Choice(["STANDARD", "EXPRESS"], case_sensitive=False),
    default=None,
    help="STANDARD unless given; it can't be changed later.",
)
@click.option("--role", default=None, metavar="ARN", help="The role ARN to write down; it is not assumed by anybody.")
@json_option
@click.pass_obj
def deploy(
    context: Context, *, file: Path, name: str | None, machine_type: str | None, role: str | None, as_json: bool
) -> None:
    """Create the state machine of FILE (States Language, JSON), or update it if it is there."""
    definition = read_text(file)
    if name is None:
        name = _NAME_REFUSED.sub("-", file.name.removesuffix(".json").removesuffix(".asl")).strip("-")
        if not name:
            raise click.BadParameter(f"{file} gives no name for a state machine; use --name")
    done, arn = deploy_definition(context, name, definition, machine_type, role)
    if as_json:
        output.print_json({"action": done, "stateMachineArn": arn})
    else:
        output.print_block({done: arn, "start it": f"maprun start {name} --follow"})


def deploy_definition(
    context: Context, name: str, definition: str, machine_type: str | None, role: str | None
) -> tuple[str, str]:
    """Creates or updates; answers what was done ("created", "updated", "unchanged") and the machine's ARN.

    Raises Refused with the API's reason, CliError if the machine is of another type.
    """
    api = context.api
    arn = context.names.machine(name)
    try:
        found = api.call("DescribeStateMachine", stateMachineArn=arn)
    except Refused as refusal:
        if refusal.code != "StateMachineDoesNotExist":
            raise
        try:
            made = api.call(
                "CreateStateMachine",
                name=name,
                definition=definition,
                roleArn=role or context.names.role(ROLE_DEFAULT),
                type=(machine_type or "STANDARD").upper(),
            )
        except Refused as error:
            # The account or Region of the API is not the one this command line is set to: the answer has the ARN.
            match = _ARN_IN_MESSAGE.search(error.text)
            if error.code != "StateMachineAlreadyExists" or match is None:
                raise
            arn = match.group(1)
            found = api.call("DescribeStateMachine", stateMachineArn=arn)
        else:
            return "created", str(made["stateMachineArn"])
    if machine_type is not None and found["type"] != machine_type.upper():
        raise CliError(
            f"{arn} is {found['type']} and can't become {machine_type.upper()}", "deploy it under another --name"
        )
    if _same_json(found["definition"], definition) and role in (None, found["roleArn"]):
        return "unchanged", arn
    api.call("UpdateStateMachine", stateMachineArn=arn, definition=definition, roleArn=role)
    return "updated", arn


def _same_json(one: str, other: str) -> bool:
    """True if two texts are the same JSON value; a text that is no JSON is equal to itself alone."""
    try:
        return bool(msgspec.json.decode(one) == msgspec.json.decode(other))
    except (msgspec.DecodeError, RecursionError):
        return one == other
