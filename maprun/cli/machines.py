"""`maprun deploy`: a definition becomes a state machine, new or updated."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from maprun.cli import output
from maprun.cli.definitions import read_machines
from maprun.cli.errors import CliError, Refused
from maprun.cli.options import Context, json_option
from maprun.cli.publications import publish
from maprun.cli.templates import MachineSource
from maprun.language import examine

ROLE_DEFAULT = "maprun"
_ARN_IN_MESSAGE = re.compile(r"'(arn:[^']+)'")
_CONFIGURATIONS = ("logging", "tracing", "encryption")


def given_values(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """The values of --set by name. Raises click.BadParameter."""
    pairs = [value.partition("=") for value in values]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise click.BadParameter(f"{name!r} has no value; write --set NAME=VALUE")
    return {name: value for name, _, value in pairs}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", default=None, help="The state machine's name; by default the file's, or the template's.")
@click.option(
    "--type",
    "machine_type",
    type=click.Choice(["STANDARD", "EXPRESS"], case_sensitive=False),
    default=None,
    help="STANDARD unless given here or in the template; it can't be changed later.",
)
@click.option("--role", default=None, metavar="ARN", help="The role ARN to write down; it is not assumed by anybody.")
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    callback=given_values,
    help="A value for ${NAME} of a definition or project, a parameter, a resource (Name, Name.Arn) or an import.",
)
@click.option(
    "--logical-id",
    "logical_ids",
    multiple=True,
    metavar="ID",
    help="One machine of a template (of Terraform: its address); else all.",
)
@json_option
@click.pass_obj
def deploy(
    context: Context,
    *,
    file: Path,
    name: str | None,
    machine_type: str | None,
    role: str | None,
    given: dict[str, str],
    logical_ids: tuple[str, ...],
    as_json: bool,
) -> None:
    """Create the state machines of FILE, or update them if they are there.

    FILE is a definition (States Language, JSON or YAML), a CloudFormation or SAM template, a serverless.yml of the
    Serverless Framework, a plan or state that `terraform show -json` printed, or the folder of a project: of SAM or
    Serverless, or what CDK wrote (cdk.out).
    """
    machines = read_machines(file, given, context.names, logical_ids)
    if name is not None and len(machines) > 1:
        raise click.BadParameter(f"{file} has {len(machines)} state machines: choose one by --logical-id to --name it")
    answers = []
    for found in machines:
        machine = msgspec.structs.replace(
            found, name=name or found.name, machine_type=machine_type or found.machine_type, role=role or found.role
        )
        if not machine.name:
            raise click.BadParameter(f"{file} gives no name for a state machine; use --name")
        published: dict[str, Any] = {}
        try:
            done, arn = deploy_machine(context, machine)
            if machine.publication is not None:
                published = publish(context.api, arn, machine.publication)
        except Refused as refusal:
            refusal.message = f"{machine.name}: {refusal.message}"
            raise
        answers.append({"action": done, "stateMachineArn": arn, **published})
        for note in (*machine.notes, *_warnings(machine)):
            click.echo(note, err=True)
        if not as_json:
            shown = {"version": published.get("stateMachineVersionArn")}
            shown |= {f"alias {each.rpartition(':')[2]}": each for each in published.get("stateMachineAliasArns", ())}
            output.print_block({done: arn, **shown, "start it": f"maprun start {machine.name} --follow"})
    if as_json:
        output.print_json(answers[0] if len(answers) == 1 else answers)


def _warnings(machine: MachineSource) -> Iterator[str]:
    """What the definition probably means otherwise, and what of it can't run yet."""
    kind = (machine.machine_type or "STANDARD").upper()
    for found in examine(machine.definition.encode(), kind).warnings:
        yield f"{machine.name}: warning: {found.line}"


def deploy_machine(context: Context, machine: MachineSource) -> tuple[str, str]:
    """Creates or updates; answers what was done ("created", "updated", "unchanged") and the machine's ARN.

    Raises Refused with the API's reason, CliError if the machine is of another type.
    """
    api = context.api
    arn = context.names.machine(machine.name)
    try:
        found = api.call("DescribeStateMachine", stateMachineArn=arn)
    except Refused as refusal:
        if refusal.code != "StateMachineDoesNotExist":
            raise
        try:
            made = api.call(
                "CreateStateMachine",
                name=machine.name,
                definition=machine.definition,
                roleArn=machine.role or context.names.role(ROLE_DEFAULT),
                type=(machine.machine_type or "STANDARD").upper(),
                tags=_tag_list(machine.tags) or None,
                **_configurations(machine),
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
    return _updated(context, machine, arn, found)


def _updated(context: Context, machine: MachineSource, arn: str, found: dict[str, Any]) -> tuple[str, str]:
    """Changes what differs of a machine that is there."""
    wanted = machine.machine_type
    if wanted is not None and found["type"] != wanted.upper():
        raise CliError(f"{arn} is {found['type']} and can't become {wanted.upper()}", "deploy it under another --name")
    tagged = _retagged(context, machine, arn)
    configurations = _configurations(machine)
    same = all(_holds(found.get(member), value) for member, value in configurations.items())
    if same and _same_json(found["definition"], machine.definition) and machine.role in (None, found["roleArn"]):
        return "updated" if tagged else "unchanged", arn
    context.api.call(
        "UpdateStateMachine",
        stateMachineArn=arn,
        definition=machine.definition,
        roleArn=machine.role,
        **configurations,
    )
    return "updated", arn


def _retagged(context: Context, machine: MachineSource, arn: str) -> bool:
    """Adds the tags that differ; those that only the machine has stay."""
    if not machine.tags:
        return False
    listed = context.api.call("ListTagsForResource", resourceArn=arn).get("tags") or []
    has = {str(tag.get("key")): tag.get("value") for tag in listed}
    other = {key: value for key, value in machine.tags.items() if has.get(key) != value}
    if other:
        context.api.call("TagResource", resourceArn=arn, tags=_tag_list(other))
    return bool(other)


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _configurations(machine: MachineSource) -> dict[str, Any]:
    """The members of Create and Update that the file says something about."""
    given = {f"{name}Configuration": getattr(machine, name) for name in _CONFIGURATIONS}
    return {member: value for member, value in given.items() if value is not None}


def _holds(found: Any, wanted: Any) -> bool:
    """True if all that is wanted is there already; what is not mentioned may be as it is."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_holds(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_holds, found, wanted))
    return bool(found == wanted)


def _same_json(one: str, other: str) -> bool:
    """True if two texts are the same JSON value; a text that is no JSON is equal to itself alone."""
    try:
        return bool(msgspec.json.decode(one) == msgspec.json.decode(other))
    except (msgspec.DecodeError, RecursionError):
        return one == other
