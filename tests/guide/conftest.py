"""A clean checkout, and a stack that isn't up: its reader starts it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guide.chapters import ROOT
from tests.integration.jars import share_jars
from tests.integration.system.stack import Stack


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The repository as whoever clones it has it, with what is not committed yet."""
    folder = tmp_path / "maprun"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """Where the reader's stack is; it is taken down if it is still up."""
    stack = Stack(tmp_path / "state")
    share_jars(stack.folder)
    yield stack
    stack.down()
