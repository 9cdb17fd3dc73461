"""A local stack of its own, which stays up while the clients run against it."""

from collections.abc import Iterator

import pytest

from tests.integration.system.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is up, with functions in a folder of its own."""
    functions = tmp_path_factory.mktemp("functions")
    made = Stack(tmp_path_factory.mktemp("stack"), MAPRUN_FUNCTIONS_DIR=str(functions))
    made.up()
    yield made
    made.down()
