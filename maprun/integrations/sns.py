"""SNS."""

from maprun.integrations.service import CALLBACK, PLAIN, Service, Words

SERVICE = Service(
    "sns",
    {CALLBACK: ("publish",)},
    runs=PLAIN,
    words=Words("SNS", "AmazonSNS", "AmazonSNSException"),
)
