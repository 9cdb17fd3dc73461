"""The guide's chapters, followed on the stack that is up: what they say is what happens."""

import os
import sys
from pathlib import Path

import pytest

from tests.guide.chapters import FUNCTIONS, ROOT, Reader, addresses_of, chapters
from tests.integration.system.stack import Stack

pytestmark = pytest.mark.integration


def test_who_follows_the_guide_sees_what_it_says(stack: Stack) -> None:
    """All commands that need nothing but the stack, from first to last; what tools would write is laid there."""
    home = stack.folder / FUNCTIONS.parts[0]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    reader = Reader(ROOT, home, {**stack.environ, "PATH": path}, addresses_of(stack), tools=False)
    for chapter in chapters():
        reader.follow(chapter)
