"""One client of the S3 in memory for all tests of this folder."""

import pytest

from tests.unit.aws.memory_s3 import MemoryS3


@pytest.fixture(scope="session")
def s3() -> MemoryS3:
    """Each test begins with a server of its own kind."""
    return MemoryS3()
