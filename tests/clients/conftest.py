"""A local stack of its own, which stays up while the clients run against it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.system.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is up."""
    made = Stack(Path(tmp_path_factory.mktemp("stack")))
    made.up()
    yield made
    made.down()
