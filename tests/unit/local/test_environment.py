"""What the local stack's processes see of the environment it was started in."""

from pathlib import Path

import pytest

from maprun.local import parts
from maprun.local.commands import layout_from
from maprun.local.environment import of_functions, of_services
from maprun.local.layout import StackError

DEVELOPER = {
    "PATH": "/bin",
    "HOME": "/home/d",
    "LC_ALL": "C.UTF-8",
    "MAPRUN_KAFKA": "127.0.0.1:9092",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_PROFILE": "production",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "real",
    "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9324",
    "DATABASE_PASSWORD": "real",
    "GITHUB_TOKEN": "real",
}


def test_services_have_the_stacks_keys_alone() -> None:
    """Exported keys, tokens and profiles are dropped; where services are, and everything else, stays."""
    found = of_services(DEVELOPER, "local")
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == ("maprun", "maprun-local")
    assert sorted(name for name in found if name.startswith("AWS_")) == [
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_SECRET_ACCESS_KEY",
    ]
    assert found["DATABASE_PASSWORD"] == "real"  # noqa: S105 - no secret


def test_keys_are_inherited_when_it_is_said() -> None:
    """Who wants the real AWS says so, and gets every variable as it is; without any identity there are the dummies."""
    assert of_services(DEVELOPER, "inherit") == DEVELOPER
    assert of_services({"AWS_PROFILE": "p"}, "inherit") == {"AWS_PROFILE": "p"}
    assert of_services({}, "inherit")["AWS_ACCESS_KEY_ID"] == "maprun"


def test_handlers_have_no_secrets() -> None:
    """A user's handler sees what any program needs, the stack's dummies, and no other variable."""
    found = of_functions(DEVELOPER, ())
    assert "real" not in found.values()
    assert sorted(found) == [
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_SECRET_ACCESS_KEY",
        "HOME",
        "LC_ALL",
        "MAPRUN_KAFKA",
        "PATH",
    ]


@pytest.mark.parametrize(
    ("allowed", "more", "less"),
    [
        (("DATABASE_*",), {"DATABASE_PASSWORD"}, set()),
        (("AWS_PROFILE",), {"AWS_PROFILE"}, {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        (("NOT_THERE",), set(), set()),
    ],
)
def test_what_is_allowed_reaches_handlers(allowed: tuple[str, ...], more: set[str], less: set[str]) -> None:
    """Named variables pass, and an identity among them is not mixed with the dummies."""
    assert of_functions(DEVELOPER, allowed).keys() == (of_functions(DEVELOPER, ()).keys() | more) - less


def test_each_part_gets_its_own(tmp_path: Path) -> None:
    """Services and the function host are started with what is theirs, whatever the stack was started with."""
    layout = layout_from({**DEVELOPER, "MAPRUN_STATE_DIR": str(tmp_path)})
    chosen = frozenset({"functions", "scheduler", "child-runner-0", "seaweedfs"})
    made = {part.name: part.environment for part in parts.make(layout, chosen, "java", DEVELOPER)}
    assert made["scheduler"]["AWS_ACCESS_KEY_ID"] == made["child-runner-0"]["AWS_ACCESS_KEY_ID"] == "maprun"
    assert "GITHUB_TOKEN" in made["scheduler"]
    assert "real" not in made["functions"].values()
    assert not [name for name in made["seaweedfs"] if name.startswith("AWS_")]


def test_a_setting_without_meaning_is_refused() -> None:
    """A mistyped choice must not give keys away, or hide them, by chance."""
    with pytest.raises(StackError, match="MAPRUN_AWS_KEYS='real': must be local or inherit"):
        layout_from({"MAPRUN_AWS_KEYS": "real"})
