"""SQS."""

from maprun.integrations.service import CALLBACK, Service, Words

SERVICE = Service(
    "sqs",
    {CALLBACK: ("sendMessage",)},
    runs=CALLBACK,
    words=Words("SQS", "AmazonSQS", "AmazonSQSException"),
)
