"""`maprun validate`: what is wrong with definitions, wherever they are written, before anything is deployed."""

from importlib.metadata import version
from pathlib import Path

import click
import msgspec
from rich.text import Text

from maprun.cli import output
from maprun.cli.errors import EXIT_NOT_SUCCEEDED
from maprun.cli.findings import Finding, Report, report_on
from maprun.cli.machines import given_values
from maprun.cli.options import Context, json_option
from maprun.cli.sarif import sarif_of

_STYLES = {"ERROR": "red", "WARNING": "yellow"}


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--type",
    "machine_type",
    type=click.Choice(["STANDARD", "EXPRESS"], case_sensitive=False),
    default=None,
    help="The type that the machines are to have; STANDARD unless given here or in the template.",
)
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    callback=given_values,
    help="A value for ${NAME}, as of deploy. What is not given is made up: nothing is asked for.",
)
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option("--sarif", is_flag=True, help="Answer in SARIF 2.1.0 on stdout.")
@json_option
@click.pass_context
def validate(
    context: click.Context,
    *,
    files: tuple[Path, ...],
    machine_type: str | None,
    given: dict[str, str],
    strict: bool,
    sarif: bool,
    as_json: bool,
) -> None:
    """Find what is wrong with the state machines of FILES, each with its line and column.

    FILES are what `deploy` takes: definitions in JSON or YAML, templates, projects, plans. Nothing is deployed and no
    API is asked. Exit code 1 if there is an error.
    """
    if sarif and as_json:
        raise click.UsageError("--json and --sarif are two formats: choose one")
    own: Context = context.obj
    reports = [report_on(file, machine_type, given, own.names) for file in files]
    findings = [found for report in reports for found in report.findings]
    if sarif:
        output.print_json(sarif_of(findings, version("maprun")))
    elif as_json:
        output.print_json([msgspec.to_builtins(report) for report in reports])
    else:
        _print(reports, findings)
    if any(found.severity == "ERROR" or strict for found in findings):
        context.exit(EXIT_NOT_SUCCEEDED)


def _print(reports: list[Report], findings: list[Finding]) -> None:
    console = output.out()
    for found in findings:
        line = Text(f"{found.file}:{found.line}:{found.column}: ")
        line.append(found.severity.lower(), style=_STYLES[found.severity])
        line.append(f" {found.code}: {found.message}")
        if found.location:
            line.append(f"  {found.location}", style="dim")
        console.print(line)
    machines = sum(len(report.machines) for report in reports)
    errors = sum(found.severity == "ERROR" for found in findings)
    counts = [(machines, "state machine"), (errors, "error"), (len(findings) - errors, "warning")]
    output.err().print(", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts))
