"""SNS."""

from maprun.integrations.service import CALLBACK, Service, Words

SERVICE = Service(
    "sns",
    {CALLBACK: ("publish",)},
    runs=CALLBACK,
    words=Words("SNS", "AmazonSNS", "AmazonSNSException"),
)
