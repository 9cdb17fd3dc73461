"""SQS."""

from maprun.integrations.service import CALLBACK, Service, Words

SERVICE = Service(
    "sqs",
    {CALLBACK: ("sendMessage",)},
    words=Words("SQS", "AmazonSQS", "AmazonSQSException"),
)
