"""Clients for SDK Tasks: how long they wait, how many are kept, where they call."""

import pytest
from botocore.exceptions import UnknownServiceError

from maprun.aws.bounded_http import AnswerLimits
from maprun.aws.clients import AwsSettings
from maprun.aws.sdk_clients import SdkClients, foreign_queue


def clients(region: str = "us-east-1", endpoint: str = "") -> SdkClients:
    """Clients with keys that open nothing."""
    settings = AwsSettings(region=region, access_key_id="a", secret_access_key="b", sdk_endpoint=endpoint)  # noqa: S106
    return SdkClients(settings, AnswerLimits(1000), connections_max=7, clients_max=2)


@pytest.mark.parametrize(
    ("timeout_seconds", "read_seconds", "connect_seconds"),
    [(0, 60, 5), (1, 1, 1), (3, 5, 5), (25, 30, 5), (31, 60, 5), (3600, 60, 5)],
)
def test_a_call_waits_no_longer_than_its_task(timeout_seconds: int, read_seconds: int, connect_seconds: int) -> None:
    """Reading and connecting are bounded by the Task's own time-out, in steps so that clients are shared."""
    config = clients().client("sqs", timeout_seconds).meta.config
    assert (config.read_timeout, config.connect_timeout) == (read_seconds, connect_seconds)
    assert config.max_pool_connections == 7


def test_clients_are_shared_and_bounded_in_number() -> None:
    """The same service and time-out is the same client; beyond the bound the one longest unused is let go."""
    made = clients()
    first, second = made.client("sqs", 2), made.client("sqs", 5)
    assert first is not second
    assert made.client("sqs", 2) is first
    made.client("sqs", 10)
    assert made.client("sqs", 2) is first
    assert made.client("sqs", 5) is not second


def test_a_service_that_is_none_is_told() -> None:
    """What botocore does not know is UnknownServiceError."""
    with pytest.raises(UnknownServiceError, match="nosuchservice"):
        clients().client("nosuchservice", 0)


@pytest.mark.parametrize(
    ("region", "endpoint", "url", "host"),
    [
        ("us-east-1", "", "https://sqs.us-east-1.amazonaws.com/1/q", ""),
        ("us-east-1", "", "https://queue.amazonaws.com/1/q", ""),
        ("eu-west-1", "", "https://eu-west-1.queue.amazonaws.com/1/q", ""),
        ("cn-north-1", "", "https://sqs.cn-north-1.amazonaws.com.cn/1/q", ""),
        ("us-east-1", "", "https://sqs.us-east-1.amazonaws.com.evil.test/1/q", "sqs.us-east-1.amazonaws.com.evil.test"),
        ("us-east-1", "", "https://sqs.eu-west-1.amazonaws.com/1/q", "sqs.eu-west-1.amazonaws.com"),
        ("eu-west-1", "", "https://queue.amazonaws.com/1/q", "queue.amazonaws.com"),
        ("us-east-1", "", "https://sqs.us-east-1.amazonaws.com@evil.test/1/q", "evil.test"),
        ("us-east-1", "", "q", ""),
        ("us-east-1", "http://127.0.0.1:9324", "http://elasticmq:9324/1/q", ""),
    ],
)
def test_only_sqs_itself_is_called(region: str, endpoint: str, url: str, host: str) -> None:
    """A QueueUrl's host must be SQS's own in the Region, unless an endpoint is configured, which is then called."""
    client = clients(region, endpoint).client("sqs", 0)
    assert foreign_queue(client, url) == host
    assert client.meta.endpoint_url.startswith(endpoint or "https://sqs.")
