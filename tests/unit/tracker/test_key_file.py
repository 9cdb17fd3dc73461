"""The file of keys: what it may hold, who may read it, and what becomes of a change."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from maprun.runtime.keys import KeyFile, check_rights, keys_in
from maprun.runtime.process import SetupError
from maprun.runtime.watched_file import LOOK_SECONDS

SECRET = "a-secret-of-a-key-for-tests"  # noqa: S105 - of no key
KEY = {"name": "ci", "id": "CIKEY", "secret": SECRET}


class Clock:
    """Goes on so far that the file is looked at again."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """A second later each time."""
        self.seconds += LOOK_SECONDS
        return self.seconds


def write(path: Path, *keys: dict[str, Any]) -> None:
    """The file, for its owner alone."""
    path.write_text(json.dumps(keys))
    path.chmod(0o600)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "truncated"),
        ("{}", "Expected `array`"),
        ('[{"name":' + "[" * 100_000, "Expected `str`"),
        (json.dumps([{**KEY, "secrt": "x"}]), "unknown field `secrt`"),
        (json.dumps([{"name": "ci", "id": "CIKEY"}]), "missing required field `secret`"),
        (json.dumps([{**KEY, "name": "c i"}]), "a name has"),
        (json.dumps([{**KEY, "id": "a/b/c"}]), "an id has"),
        (json.dumps([{**KEY, "id": "maprun-services"}]), "is not maprun-services"),
        (json.dumps([{**KEY, "secret": "short"}]), "a secret has 16 to 256"),
        (json.dumps([{**KEY, "token": "tökèn"}]), "a token is ASCII"),
        (json.dumps([{**KEY, "expires": "2027-01-31T00:00:00"}]), "needs a time zone"),
        (json.dumps([{**KEY, "allow": [{"machines": ["*"]}]}]), "missing required field `operations`"),
        (json.dumps([KEY, {**KEY, "id": "OTHER", "secret": SECRET * 2}]), "two keys have the same name"),
        (json.dumps([KEY, {**KEY, "name": "x", "secret": SECRET * 2}]), "two keys have the same id"),
        (json.dumps([KEY, {**KEY, "name": "x", "id": "OTHER"}]), "two keys have the same secret"),
    ],
)
def test_what_is_wrong_is_said_and_no_secret(content: str, words: str) -> None:
    """Each fault is named."""
    with pytest.raises(ValueError, match=words) as wrong:
        keys_in(content.encode())
    assert SECRET not in str(wrong.value)


def test_a_key_shows_no_secret() -> None:
    """Wherever one is printed."""
    assert SECRET not in repr(keys_in(json.dumps([{**KEY, "token": SECRET}]).encode()))


@pytest.mark.parametrize(
    ("mode", "fine"), [(0o600, True), (0o400, True), (0o644, False), (0o602, False), (0o620, False)]
)
def test_others_may_not_read_it(mode: int, fine: bool, tmp_path: Path) -> None:
    """Nor change it: whoever can has every key."""
    path = tmp_path / "keys.json"
    write(path, KEY)
    path.chmod(mode)
    if fine:
        check_rights(path)
    else:
        with pytest.raises(ValueError, match="chmod 600"):
            check_rights(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_whose_it_is(tmp_path: Path) -> None:
    """A file of root's may be read by its group, as orchestrators mount secrets; another user's is refused."""
    path = tmp_path / "keys.json"
    write(path, KEY)
    path.chmod(0o440)
    check_rights(path)
    os.chown(path, 12_345, 0)
    with pytest.raises(ValueError, match="belongs to another user"):
        check_rights(path)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    """A key comes or goes without a restart; a file that is wrong changes nothing, and the log says why, once."""
    path = tmp_path / "keys.json"
    write(path, KEY)
    keys = KeyFile(str(path), Clock())
    assert keys.of("CIKEY") is not None
    assert keys.of("OTHER") is None
    write(path, {**KEY, "id": "OTHER"})
    assert keys.of("CIKEY") is None
    assert keys.of("OTHER") is not None
    with capture_logs() as lines:
        path.write_text(f'[{{"secret": "{SECRET}"')
        for _ in range(3):
            assert keys.of("OTHER") is not None
        path.unlink()
        assert keys.of("OTHER") is not None
    assert [line["event"] for line in lines] == ["keys_file_unreadable"] * 2
    assert SECRET not in repr(lines)
    write(path, KEY)
    assert keys.of("OTHER") is None


def test_a_process_does_not_start_with_a_wrong_one(tmp_path: Path) -> None:
    """It would let in nobody, or everybody."""
    with pytest.raises(SetupError, match=r"MAPRUN_KEYS_FILE=.*No such file"):
        KeyFile(str(tmp_path / "none"), Clock())
    write(tmp_path / "keys.json", KEY, KEY)
    with pytest.raises(SetupError, match="two keys have the same name"):
        KeyFile(str(tmp_path / "keys.json"), Clock())
