"""One local stack for all tests of this folder: real Kafka, real S3, real services, on ports of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guide.chapters import FUNCTIONS, ROOT
from tests.integration.system.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is up; it goes down at the end, and its logs stay in pytest's temporary folder.

    It makes result records as a machine with more than two cores does, whatever this one has.
    """
    folder = Path(tmp_path_factory.mktemp("stack"))
    shutil.copytree(ROOT / "examples" / "functions", folder / FUNCTIONS)
    made = Stack(folder, MAPRUN_SHAPERS="1", MAPRUN_FUNCTIONS_DIR=str(folder / FUNCTIONS))
    made.up()
    yield made
    made.down()


@pytest.fixture(scope="session")
def sfn(stack: Stack) -> Any:
    """boto3's Step Functions client, unmodified."""
    return stack.client("stepfunctions")


@pytest.fixture(scope="session")
def s3(stack: Stack) -> Any:
    """boto3's S3 client, unmodified."""
    return stack.client("s3")
