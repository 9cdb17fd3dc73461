"""SNS."""

from maprun.integrations.service import CALLBACK, Service, Words

SERVICE = Service(
    "sns",
    {CALLBACK: ("publish",)},
    words=Words("SNS", "AmazonSNS", "AmazonSNSException"),
)
