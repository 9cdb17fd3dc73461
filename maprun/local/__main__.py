"""`python -m maprun.local up|down|status`: the local stack from a terminal."""

import os
import sys

import click
import msgspec

from maprun.local import commands, parts
from maprun.local.layout import StackError

EXIT_FAILED = 1
EXIT_NOT_RUNNING = 3


def _parts(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """`a,b` as a tuple; nothing is everything."""
    return tuple(name for name in value.split(",") if name) or parts.ALL


@click.group()
def main() -> None:
    """Kafka, S3, the function host and the four services on this machine."""


@main.command()
@click.option("--detach", is_flag=True, help="Return when everything is ready; a supervisor stays behind.")
@click.option("--parts", "wanted", default="", callback=_parts, help=f"Only these: {','.join(parts.ALL)}")
def up(*, detach: bool, wanted: tuple[str, ...]) -> None:
    """Start the stack."""
    layout = commands.layout_from(os.environ)
    if not detach:
        commands.up(layout, wanted)
        return
    status = commands.up_detached(layout, wanted)
    click.echo(f"the stack is up after {status.ready_after_seconds} s")
    for what in ("api", "kafka", "s3", "functions"):
        click.echo(f"  {what:10} {getattr(status, what)}")
    click.echo(f"  {'logs':10} {layout.log_dir}")


@main.command()
def down() -> None:
    """Stop the stack."""
    click.echo(commands.down(commands.layout_from(os.environ)))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="The whole state as JSON.")
def status(*, as_json: bool) -> None:
    """Say what runs. Exit code 0 if everything is ready, 3 if no stack runs, 1 otherwise."""
    found = commands.status_of(commands.layout_from(os.environ))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    elif found is None:
        click.echo("no stack is running")
    else:
        click.echo(f"{found.phase} {found.message}".strip())
        for part in found.parts:
            click.echo(
                f"  {part.name:18} {part.state:10} pid {part.pid or '-':<8} restarts {part.restarts}  {part.log}"
            )
    sys.exit(EXIT_NOT_RUNNING if found is None else 0 if found.phase == "ready" else EXIT_FAILED)


def run() -> int:
    """The command line; a StackError becomes a message with its cure."""
    try:
        main(standalone_mode=False)
    except StackError as error:
        click.echo(f"error: {error}", err=True)
        if error.cure:
            click.echo(f"cure: {error.cure}", err=True)
        return EXIT_FAILED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(run())
