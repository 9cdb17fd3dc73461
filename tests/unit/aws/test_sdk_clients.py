"""Clients for SDK Tasks: how many are kept, where they call."""

import pytest
from botocore.exceptions import UnknownServiceError

from maprun.aws.clients import AwsSettings
from maprun.aws.sdk_clients import SdkClients, foreign_queue
from maprun.aws.sdk_http import Answers


def clients(region: str = "us-east-1", endpoint: str = "") -> SdkClients:
    """Clients with keys that open nothing."""
    settings = AwsSettings(region=region, access_key_id="a", secret_access_key="b", sdk_endpoint=endpoint)  # noqa: S106
    return SdkClients(settings, Answers(), clients_max=2)


def test_clients_are_kept_and_bounded_in_number() -> None:
    """The same service is the same client; beyond the bound the one longest unused is let go."""
    made = clients()
    first, second = made.client("sqs"), made.client("sns")
    assert made.client("sqs") is first
    made.client("events")
    assert made.client("sqs") is first
    assert made.client("sns") is not second


def test_a_service_that_is_none_is_told() -> None:
    """What botocore does not know is UnknownServiceError."""
    with pytest.raises(UnknownServiceError, match="nosuchservice"):
        clients().client("nosuchservice")


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
    client = clients(region, endpoint).client("sqs")
    assert foreign_queue(client, url) == host
    assert client.meta.endpoint_url.startswith(endpoint or "https://sqs.")
