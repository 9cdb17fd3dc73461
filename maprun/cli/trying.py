"""`maprun test`: one state of a machine tried on this machine, by the same code that answers TestState. No server."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.text import Text

from maprun.cli import output
from maprun.cli.definitions import read_machines_as_far_as_known
from maprun.cli.documents import decode
from maprun.cli.errors import EXIT_NOT_SUCCEEDED, EXIT_USAGE, CliError, FileRefused, NotDecoded, Refused
from maprun.cli.findings import findings_about
from maprun.cli.machines import given_values
from maprun.cli.options import Context, json_option, read_text, text_or_file
from maprun.cli.templates import MachineSource
from maprun.language import DefinitionError
from maprun.requests.checks import Refusal
from maprun.runtime import clock
from maprun.runtime.process import SetupError
from maprun.statetest import (
    Asked,
    Called,
    Configuration,
    ErrorOutput,
    Mock,
    StateOutcome,
    World,
    seconds_max,
    states_of,
    timed_out,
    try_state,
)
from maprun.statetest.checks import NOT_TESTED
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

STATUSES = ("SUCCEEDED", "FAILED", "RETRIABLE", "CAUGHT_ERROR")
_MOCK = frozenset({"result", "errorOutput", "fieldValidationMode"})
_MEMBERS = "result, errorOutput, fieldValidationMode"

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def _option(name: str, *, help_text: str, metavar: str = "JSON|@FILE") -> Option:
    return click.option(name, default=None, metavar=metavar, help=help_text)


@click.command("test")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--state", default=None, help="The state of the machine, at any depth; a file of one state needs none.")
@click.option("--logical-id", default=None, metavar="ID", help="Which machine of a template, if it has several.")
@_option("--input", help_text="The state's input; {} unless given.")
@_option("--mock", help_text="What comes of the state's work: a mock of TestState, or mocks by the names of states.")
@_option("--variables", help_text="Variables that are set before the state.")
@_option("--context", help_text="Members of the context object; the others are made up.")
@_option("--reader-data", help_text="What the Map's ItemReader finds in its object.", metavar="TEXT|@FILE")
@click.option("--retries", type=click.IntRange(0), default=None, help="How often the mocked error was retried already.")
@click.option("--failed-iterations", type=click.IntRange(0), default=None, help="How many iterations of a Map failed.")
@click.option("--error-from", default=None, metavar="STATE", help="The state within a Map or Parallel that failed.")
@click.option(
    "--level",
    type=click.Choice(["INFO", "DEBUG"], case_sensitive=False),
    default="DEBUG",
    show_default=True,
    help="How much is shown of what the state does.",
)
@click.option("--call", is_flag=True, help="Make the call of a Task without a mock: where the stack's own would go.")
@click.option(
    "--expect",
    type=click.Choice(STATUSES, case_sensitive=False),
    default="SUCCEEDED",
    show_default=True,
    help="The status with which the command succeeds.",
)
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    callback=given_values,
    help="A value for ${NAME}, as of deploy; what is not given is made up.",
)
@json_option
@click.pass_context
def trial(here: click.Context, /, *, file: Path, expect: str, as_json: bool, call: bool, **asked: Any) -> None:
    """Try one state of FILE with an input, and show all that it does to it.

    FILE is what `deploy` takes, or the definition of one state. Mocks are what TestState takes; `result` may be JSON as
    well as a text. Exit code 0 if the state ends with the status that is expected, else 1.
    """
    own: Context = here.obj
    outcome = _tried(_asked(file, asked, own, call=call), own)
    if as_json:
        output.print_json(msgspec.to_builtins(outcome))
    else:
        _print(outcome)
    if outcome.status != expect.upper():
        output.err().print(f"ended {outcome.status}, and {expect.upper()} was expected")
        here.exit(EXIT_NOT_SUCCEEDED)


# ------------------------------------------------------------------ what is asked


def _asked(file: Path, options: Mapping[str, Any], own: Context, *, call: bool) -> Asked:
    state = options["state"]
    configuration = Configuration(
        retrier_retry_count=options["retries"],
        error_caused_by_state=options["error_from"],
        map_iteration_failure_count=options["failed_iterations"],
        map_item_reader_data=_text(options["reader_data"]),
    )
    definition, states = _definition(file, options, own)
    return Asked(
        definition=definition,
        state_name=state,
        input=_text(options["input"]),
        variables=_text(options["variables"]),
        context=_text(options["context"]),
        role_arn=own.names.role("maprun") if call else None,
        inspection_level=options["level"].upper(),
        mock=_mock(options["mock"], state, states),
        state_configuration=None if configuration == Configuration() else configuration,
    )


def _text(value: str | None) -> str | None:
    return None if value is None else text_or_file(value)


def _definition(file: Path, options: Mapping[str, Any], own: Context) -> tuple[str, list[str]]:
    """The definition to try, and its states' names: a machine's; or that of one state, which has none."""
    text = "" if file.is_dir() else read_text(file)
    try:
        document = decode(text, file) if text else None
    except NotDecoded:
        document = None  # perhaps a definition whose placeholders are to be filled in
    if isinstance(document, Mapping) and isinstance(document.get("Type"), str) and "States" not in document:
        return msgspec.json.encode(document).decode(), []
    machines = read_machines_as_far_as_known(file, options["given"], own.names)
    chosen = options["logical_id"]
    found = [machine for machine in machines if chosen in (None, machine.logical_id)]
    if len(found) != 1:
        names = ", ".join(machine.name for machine in machines)
        raise FileRefused(file, f"has {len(machines)} state machines: {names}", "choose one by its --logical-id")
    states = _states(found[0], file)
    if options["state"] not in states:
        lacks = "is no single state" if options["state"] is None else f"has no state {options['state']!r}"
        raise CliError(f"{file} {lacks}", f"name one with --state: {', '.join(states)}", EXIT_USAGE)
    return found[0].definition, states


def _states(machine: MachineSource, file: Path) -> list[str]:
    try:
        return states_of(machine.definition)
    except DefinitionError as error:
        wrong = [found.line_of_text for found in findings_about(machine, "STANDARD") if found.severity == "ERROR"]
        raise CliError(f"{file} can't be tried before its definition is right", "\n  ".join(wrong)) from error


def _mock(text: str | None, state: str | None, states: Iterable[str]) -> Mock | None:
    """The mock for the state: the one that is given, or the one by its name; None if it has none."""
    if text is None:
        return None
    path = Path(text[1:]) if text.startswith("@") else Path("--mock")
    given = decode(text_or_file(text), path)
    if not isinstance(given, Mapping):
        raise click.BadParameter("a mock has result or errorOutput; several stand in an object by their states' names")
    one = given if given.keys() <= _MOCK else given.get(state)
    if one is None and given.keys().isdisjoint(states):
        raise click.BadParameter(f"{', '.join(given)}: neither the members of a mock ({_MEMBERS}) nor names of states")
    if one is None:
        return None
    if not isinstance(one, Mapping) or not one.keys() <= _MOCK:
        raise click.BadParameter(f"the mock of {state!r} has other members than {_MEMBERS}")
    error, result = one.get("errorOutput"), one.get("result")
    if "result" in one and not isinstance(result, str):
        result = msgspec.json.encode(result).decode()
    return Mock(
        result=result,
        error_output=None if error is None else msgspec.convert(error, ErrorOutput),
        field_validation_mode=one.get("fieldValidationMode"),
    )


# ------------------------------------------------------------------ how it is tried


def _tried(asked: Asked, own: Context) -> StateOutcome:
    from maprun.aws.mock_results import fault_of  # noqa: PLC0415 - half a second that no other command needs
    from maprun.aws.sources.given_text import items_in  # noqa: PLC0415 - the same

    world = World(own.names, clock.wall_ms(), fault_of, items_in)
    try:
        outcome = try_state(asked, world)
        if isinstance(outcome, TaskRequested):
            outcome = try_state(asked, world, asyncio.run(_called(outcome, own)))
    except Refusal as refusal:
        if asked.mock is None and refusal.message.startswith("RoleArn must"):
            cure = "give it one with --mock, or --call to make its call"
            raise CliError(f"{_named(asked)} is a Task and has no mock", cure) from refusal
        if asked.mock is None and NOT_TESTED in refusal.message:
            cure = "give it one with --mock: the result that all of it has, or try a state in it"
            raise CliError(f"{_named(asked)} is a Map or Parallel and has no mock", cure) from refusal
        raise Refused("TestState", refusal.code, refusal.message) from refusal
    assert isinstance(outcome, StateOutcome), "a Task makes one call"
    return outcome


def _named(asked: Asked) -> str:
    return "The state" if asked.state_name is None else f"The state {asked.state_name!r}"


async def _called(request: TaskRequested, own: Context) -> Called:
    from maprun.aws.clients import settings_of_tasks  # noqa: PLC0415 - see above
    from maprun.aws.tasks import TaskRunner  # noqa: PLC0415 - see above

    try:
        tasks = TaskRunner(settings_of_tasks(own.settings), clock.wall_seconds, clock.monotonic_seconds)
    except SetupError as error:
        raise CliError("No calls can be made", str(error)) from error
    try:
        outcome = await asyncio.wait_for(tasks.run_task(request, f"test/{clock.wall_ms()}"), seconds_max(request))
    except TimeoutError:
        return Called(timed_out(request))
    finally:
        await tasks.close()
    assert isinstance(outcome, TaskSucceeded | TaskFailed), "what waits for a callback needs a mock"
    return Called(outcome)


# ------------------------------------------------------------------ how it is shown


def _print(outcome: StateOutcome) -> None:
    console = output.out()
    members = msgspec.to_builtins(outcome)
    seen = members.pop("inspectionData", {})
    shown = members.pop("output", None)
    details = seen.pop("errorDetails", {})
    output.print_block({name: members.get(name) for name in ("status", "nextState", "error", "cause")} | details)
    for name, value in {**seen, "output": shown}.items():
        if value is None:
            continue
        line = Text(name, style="bold")
        text = msgspec.json.format(value, indent=2) if isinstance(value, str) else str(value)
        console.print(line.append(f"\n{_indented(text)}", style="not bold"))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
