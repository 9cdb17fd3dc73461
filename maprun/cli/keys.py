"""`maprun keys`: who may ask the API, kept in the file that MAPRUN_KEYS_FILE names."""

import base64
import os
import secrets
import tempfile
from pathlib import Path

import click
import msgspec

from maprun.cli.errors import FileRefused
from maprun.cli.options import Context
from maprun.cli.output import print_rows
from maprun.runtime.keys import Allow, Key, keys_in

_ID_BYTES, _SECRET_BYTES = 10, 30


@click.group()
def keys() -> None:
    """Who may ask the API: keys in the file that MAPRUN_KEYS_FILE names. Trackers heed a change within a second."""


@keys.command()
@click.argument("name")
@click.option("--allow", metavar="OPERATIONS", help="With commas, `*` for any letters: 'Describe*,List*'. Else all.")
@click.option("--machines", metavar="NAMES", help="Of these machines alone: 'nightly,hourly-*'.")
@click.option("--activities", metavar="NAMES", help="Of these activities alone.")
@click.pass_obj
def add(own: Context, name: str, allow: str | None, machines: str | None, activities: str | None) -> None:
    """Makes a key and prints it, as variables that AWS's tools read. The secret is shown this once."""
    path = _path(own)
    key_id = "MAPRUN" + base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode()
    lists = None
    if allow or machines or activities:
        lists = (Allow(_names(allow) or ("*",), _names(machines), _names(activities)),)
    made = Key(name=name, id=key_id, secret=secrets.token_urlsafe(_SECRET_BYTES), allow=lists)
    _write(path, (*_read(path, missing_ok=True), made))
    click.echo(f"export AWS_ACCESS_KEY_ID={made.id} AWS_SECRET_ACCESS_KEY={made.secret}")


@keys.command(name="list")
@click.pass_obj
def list_(own: Context) -> None:
    """The keys with what they may do, without their secrets."""
    rows = [
        (key.name, key.id, _shown(key), f"{key.expires:%Y-%m-%d %H:%M}" if key.expires else "")
        for key in _read(_path(own))
    ]
    print_rows(("NAME", "ID", "MAY", "EXPIRES"), rows)


@keys.command()
@click.argument("name")
@click.pass_obj
def remove(own: Context, name: str) -> None:
    """Takes a key away: within a second it is refused."""
    path = _path(own)
    known = _read(path)
    left = tuple(key for key in known if key.name != name)
    if len(left) == len(known):
        raise click.BadParameter(f"no key of {path} is called {name!r}")
    _write(path, left)


def _path(own: Context) -> Path:
    if not own.settings.keys_file:
        raise click.UsageError("MAPRUN_KEYS_FILE names no file of keys")
    return Path(own.settings.keys_file)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(filter(None, (name.strip() for name in text.split(","))))


def _shown(key: Key) -> str:
    """What a key may do, in a line."""
    if key.allow is None:
        return "everything"
    said = []
    for each in key.allow:
        of = [*(each.machines or ()), *(f"activity {name}" for name in each.activities or ())]
        said.append(",".join(each.operations) + (f" of {', '.join(of)}" if of else ""))
    return "; ".join(said) or "nothing"


def _read(path: Path, *, missing_ok: bool = False) -> tuple[Key, ...]:
    try:
        return keys_in(path.read_bytes())
    except FileNotFoundError:
        if missing_ok:
            return ()
        raise FileRefused(path, "is not there", "`maprun keys add NAME` makes it") from None
    except OSError as error:
        raise FileRefused(path, f"can't be read: {error.strerror}") from error
    except ValueError as error:
        raise FileRefused(path, f"is no file of keys: {error}") from error


def _write(path: Path, known: tuple[Key, ...]) -> None:
    """Puts the whole file in the old one's place, for the old one's owner alone: nobody ever reads half of it."""
    content = msgspec.json.format(msgspec.json.encode(known), indent=2) + b"\n"
    try:
        keys_in(content)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    try:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 600
        temporary = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                if path.exists():
                    status = path.stat()
                    os.fchmod(number, status.st_mode & 0o7777)
                    os.fchown(number, status.st_uid, status.st_gid)
                file.write(content)
                file.flush()
                os.fsync(number)
            temporary.replace(path)
        except BaseException:
            temporary.unlink()
            raise
    except OSError as error:
        raise FileRefused(path, f"can't be written: {error.strerror}") from error
