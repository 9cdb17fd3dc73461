"""The guide, followed from its first line to its last by who has just cloned the repository."""

from pathlib import Path

import pytest

from tests.guide.chapters import Reader, addresses_of, chapters
from tests.integration.system.stack import Stack

pytestmark = pytest.mark.guide


def test_who_follows_the_guide_sees_what_it_says(checkout: Path, own_stack: Stack, tmp_path: Path) -> None:
    """From an empty folder and a clean checkout, with the tools that this machine has; what it lacks is told."""
    (tmp_path / "home").mkdir()
    reader = Reader(checkout, tmp_path / "home", own_stack.environ, addresses_of(own_stack), tools=True)
    for chapter in chapters():
        reader.follow(chapter)
    print("left out:", *reader.left_out, sep="\n  ")
