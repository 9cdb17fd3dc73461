"""SQS."""

from maprun.integrations.service import CALLBACK, PLAIN, Service, Words

SERVICE = Service(
    "sqs",
    {CALLBACK: ("sendMessage",)},
    runs=PLAIN,
    words=Words("SQS", "AmazonSQS", "AmazonSQSException"),
)
