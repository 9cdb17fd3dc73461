"""EventBridge."""

from maprun.integrations.service import CALLBACK, Service, Words

SERVICE = Service(
    "events",
    {CALLBACK: ("putEvents",)},
    runs=CALLBACK,
    words=Words("EventBridge", "AmazonEventBridge", "AmazonEventBridgeException"),
)
