"""One SeaweedFS for all tests of this folder."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from maprun.aws.clients import S3, AwsSettings, make_s3
from tests.integration.aws.weed import running_weed


def s3_at(endpoint: str) -> S3:
    """An S3 access that never sleeps and takes no chances."""
    settings = AwsSettings(
        region="us-east-1",
        access_key_id="test",
        secret_access_key="test",  # noqa: S106 - SeaweedFS here asks for no identity
        s3_endpoint=endpoint,
    )
    return make_s3(settings, sleep=lambda _: None, chance=lambda: 0.5, wall_seconds=time.time)


def s3_port(s3: S3) -> int:
    """The port of the real S3, for a proxy to stand before."""
    return int(str(s3.client.meta.endpoint_url).rpartition(":")[2])


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Access to the real S3."""
    folder = tmp_path_factory.mktemp("weed") / "data"
    folder.mkdir()
    with running_weed(folder) as endpoint:
        yield s3_at(endpoint)


@pytest.fixture(scope="session")
def bucket(s3: S3) -> str:
    """A bucket for objects of these tests; each test uses keys of its own."""
    client: Any = s3.client
    client.create_bucket(Bucket="sources")
    return "sources"
