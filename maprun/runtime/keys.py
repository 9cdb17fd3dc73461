"""The file of keys: who may ask the API, with which secret, and for what. A JSON array, one object a key.

Secrets of it reach signatures alone: no log, no message.
"""

import datetime as dt
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec

from maprun.runtime import logs
from maprun.runtime.process import SetupError
from maprun.runtime.watched_file import WatchedFile

SECRET_CHARACTERS_MIN = 16
_ID = re.compile(r"[A-Za-z0-9_-]{4,128}")
_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_SECRET = re.compile(rf"[!-~]{{{SECRET_CHARACTERS_MIN},256}}")
SERVICES_KEY_ID = "maprun-services"
"""Of maprun's own processes, which need no key in the file: see `maprun.aws.own_calls`."""


class Allow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Operations by name, `*` for any letters, and what they may be asked of. Names of neither: of anything."""

    operations: tuple[str, ...]
    machines: tuple[str, ...] | None = None
    activities: tuple[str, ...] | None = None


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One key. `allow`: what it may do; without it all. `token`: that of temporary credentials, sent with each call."""

    name: str
    id: str
    secret: str
    token: str = ""
    expires: dt.datetime | None = None
    allow: tuple[Allow, ...] | None = None

    def __repr__(self) -> str:
        return f"<Key {self.name}>"


def keys_in(content: bytes) -> tuple[Key, ...]:
    """The keys of a file. Raises ValueError, which says what is wrong and no secret."""
    try:
        keys = msgspec.json.decode(content, type=tuple[Key, ...])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error) or "it nests too deeply") from None
    for key in keys:
        if wrong := _fault(key):
            raise ValueError(f"the key {key.name!r}: {wrong}")
    for member in ("name", "id", "secret"):
        if len({getattr(key, member) for key in keys}) != len(keys):
            raise ValueError(f"two keys have the same {member}")
    return keys


def _fault(key: Key) -> str:
    """What of a key can't be; empty if all can."""
    if not _NAME.fullmatch(key.name):
        return "a name has 1 to 64 letters, digits and +=,.@_-"
    if not _ID.fullmatch(key.id) or key.id == SERVICES_KEY_ID:
        return f"an id has 4 to 128 letters, digits, _ and -, and is not {SERVICES_KEY_ID}"
    if not _SECRET.fullmatch(key.secret):
        return f"a secret has {SECRET_CHARACTERS_MIN} to 256 printable characters of ASCII, and no space"
    if key.token and not key.token.isascii():
        return "a token is ASCII"
    if key.expires is not None and key.expires.tzinfo is None:
        return "expires needs a time zone, such as 2027-01-31T00:00:00Z"
    return ""


def check_rights(path: Path) -> None:
    """Raises ValueError when others than the file's owner, or a group of root's choice, can read or change it."""
    status = path.stat()
    mode, own = stat.S_IMODE(status.st_mode), status.st_uid == os.geteuid()
    if not own and status.st_uid != 0:
        raise ValueError("it belongs to another user, who could change it")
    if mode & (0o027 if status.st_uid == 0 else 0o077):
        raise ValueError(f"others may read or change it (mode {mode:04o}): chmod 600 it")


class KeyFile:
    """The keys of a file by their ids, read again when it has changed.

    Raises SetupError if it can't be read at first. A change that can't be read is logged, and the keys stay as they
    were: a slip of a hand locks nobody out.
    """

    def __init__(self, path: str, monotonic: Callable[[], float]) -> None:
        self._file = WatchedFile(Path(path), monotonic)
        self._keys: dict[str, Key] = {}
        self._wrong = ""
        self._look()
        if self._wrong:
            raise SetupError(f"MAPRUN_KEYS_FILE={path!r}: {self._wrong}")

    def of(self, key_id: str) -> Key | None:
        """The key of this id, if there is one now."""
        self._look()
        return self._keys.get(key_id)

    def _look(self) -> None:
        try:
            content = self._file.changed()
            if content is None:
                return
            check_rights(self._file.path)
            self._keys, self._wrong = {key.id: key for key in keys_in(content)}, ""
        except (OSError, ValueError) as error:
            wrong = (error.strerror or "it can't be read") if isinstance(error, OSError) else str(error)
            if wrong != self._wrong:
                logs.logger("keys").error("keys_file_unreadable", path=str(self._file.path), reason=wrong)
            self._wrong = wrong
