"""What the commands share: the context they run in, `--json`, and arguments that may be a name or an ARN."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from maprun.cli.client import Api
from maprun.cli.errors import EXIT_USAGE, CliError
from maprun.runtime.settings import Settings
from schemas.arns import Names

_ARN_PARTS_MIN = 7


class Context(msgspec.Struct, frozen=True):
    """What every command gets."""

    api: Api
    settings: Settings

    @property
    def names(self) -> Names:
        """The account and Region in which a bare name is meant."""
        return Names(self.settings.region, self.settings.account)

    def machine_arn(self, machine: str) -> str:
        """The ARN of a machine given by name or by ARN."""
        return machine if machine.startswith("arn:") else self.names.machine(machine)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`: the answer as JSON on stdout, everything else on stderr."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON on stdout.")(command)


def kind_of(arn: str) -> str:
    """The resource type in an ARN of Step Functions. Raises click.BadParameter when it is none."""
    parts = arn.split(":")
    if len(parts) < _ARN_PARTS_MIN or parts[0] != "arn" or parts[2] != "states":
        raise click.BadParameter(f"{arn!r} is not an ARN of Step Functions (arn:aws:states:…)")
    return parts[5]


def map_run_of(api: Api, arn: str) -> str:
    """The ARN of a Map Run, or of the only one of the execution with this ARN. Raises CliError, click.BadParameter."""
    if kind_of(arn) == "mapRun":
        return arn
    runs = [run["mapRunArn"] for run in api.pages("ListMapRuns", "mapRuns", 0, executionArn=arn)]
    if len(runs) == 1:
        return str(runs[0])
    what = f"{len(runs)} Map Runs: name one of them" if runs else "no Map Run"
    raise CliError(f"{arn} has {what}", "\n  ".join(runs), EXIT_USAGE)


def text_or_file(value: str) -> str:
    """The text itself, or with a leading @ the content of the file it names. Raises click.BadParameter."""
    if not value.startswith("@"):
        return value
    return read_text(Path(value[1:]))


def read_text(path: Path) -> str:
    """A UTF-8 file. Raises click.BadParameter naming it when it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
