"""EventBridge."""

from maprun.integrations.service import CALLBACK, PLAIN, Service, Words

SERVICE = Service(
    "events",
    {CALLBACK: ("putEvents",)},
    runs=PLAIN,
    words=Words("EventBridge", "AmazonEventBridge", "AmazonEventBridgeException"),
)
