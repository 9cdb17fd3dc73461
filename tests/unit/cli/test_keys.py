"""`maprun keys`, and how the command line signs where the API asks for it."""

import datetime as dt
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maprun.aws.sigv4 import signing_key
from maprun.cli import main
from maprun.runtime.keys import Allow, keys_in
from services.maprun_tracker.access.signatures import SignedRequest, check, claim_of
from tests.unit.cli.fake_api import FakeApi, Json

REFUSED = (400, {"__type": "MissingAuthenticationTokenException", "message": "Missing Authentication Token"})
ID, SECRET = "CIKEY", "a-secret-of-a-key-for-tests"


def run(path: Path, *arguments: str) -> Result:
    """The command line over this file of keys."""
    return CliRunner().invoke(main, ("keys", *arguments), env={"MAPRUN_KEYS_FILE": str(path)})


def test_keys_come_and_go(tmp_path: Path) -> None:
    """Made with a secret that is shown once, listed without it, taken away; the file is its owner's alone."""
    path = tmp_path / "keys.json"
    made = run(path, "add", "ci")
    run(path, "add", "viewer", "--allow", "Describe*, List*")
    run(path, "add", "nightly", "--machines", "nightly-*", "--activities", "approve")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ci, viewer, nightly = keys_in(path.read_bytes())
    assert made.stdout == f"export AWS_ACCESS_KEY_ID={ci.id} AWS_SECRET_ACCESS_KEY={ci.secret}\n"
    assert (ci.allow, viewer.allow) == (None, (Allow(("Describe*", "List*")),))
    assert nightly.allow == (Allow(("*",), ("nightly-*",), ("approve",)),)
    path.chmod(0o400)
    listed = run(path, "list").stdout
    assert "* of nightly-*, activity approve" in listed
    assert ci.id in listed
    assert ci.secret not in listed
    assert run(path, "remove", "ci").exit_code == 0
    assert [key.name for key in keys_in(path.read_bytes())] == ["viewer", "nightly"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


def test_mistakes_change_nothing(tmp_path: Path) -> None:
    """A name that is taken, can't be, or is not there; a file that is none; no file named."""
    path = tmp_path / "keys.json"
    run(path, "add", "ci")
    before = path.read_bytes()
    for arguments, words in (
        (("add", "ci"), "two keys have the same name"),
        (("add", "c i"), "a name has 1 to 64"),
        (("remove", "x"), "no key of"),
    ):
        done = run(path, *arguments)
        assert (done.exit_code, words in done.output) == (2, True)
    assert path.read_bytes() == before
    path.write_text("[{}]")
    assert "is no file of keys: Object missing required field" in run(path, "add", "x").output
    assert run(tmp_path / "none" / "keys.json", "add", "x").exit_code == 2
    assert run(tmp_path / "none.json", "list").exit_code == 2
    assert "names no file" in CliRunner().invoke(main, ("keys", "list"), env={"MAPRUN_KEYS_FILE": ""}).output


@pytest.mark.parametrize("profile", [False, True])
def test_the_command_line_signs_once_it_is_asked_to(profile: bool, tmp_path: Path) -> None:
    """With the environment's keys or a profile's; an API that asks for none gets none."""
    (tmp_path / "credentials").write_text(f"[x]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n")
    given = {"AWS_PROFILE": "x", "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    given |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    if not profile:
        given |= {"AWS_ACCESS_KEY_ID": ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    arn = "arn:aws:states:us-east-1:123456789012:express:demo/Label:a b:b"
    with FakeApi() as api:
        answers: list[tuple[int, Json]] = [REFUSED, (200, {"events": []})]
        api.answers["GET"] = lambda _: answers[min(len(api.heard), 2) - 1]
        done = CliRunner().invoke(main, ("history", arn, "--json"), env={"MAPRUN_API": api.endpoint, **given})
        assert done.exit_code == 0, done.output
    (_, unsigned, _), (target, headers, body) = api.heard
    assert "authorization" not in {name.lower() for name in unsigned}
    request = SignedRequest("GET", target, [(name.lower(), value) for name, value in headers.items()])
    claim = claim_of(request, dt.datetime.now(dt.UTC))
    check(claim, request, body, signing_key(SECRET, claim.date, "us-east-1", "states"))


def test_who_has_no_key_is_told_where_they_come_from() -> None:
    """The refusal is AWS's, the cure is ours."""
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true"}
    with FakeApi() as api:
        api.answers["ListStateMachines"] = lambda _: REFUSED
        done = CliRunner().invoke(main, ("list", "machines"), env={"MAPRUN_API": api.endpoint, **none})
    assert done.exit_code == 4
    assert "MissingAuthenticationTokenException" in done.output
    assert "AWS_ACCESS_KEY_ID" in done.output
    assert len(api.heard) == 1
