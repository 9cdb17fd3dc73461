"""EventBridge: every entry names the execution it comes from, and an entry that is refused fails the Task."""

from collections.abc import Mapping
from typing import Any

import msgspec

from maprun.integrations.service import CALLBACK, Service, Words


def _fault_of(result: Mapping[str, Any]) -> str:
    return "EventBridge.FailedEntry" if result.get("FailedEntryCount") else ""


SERVICE = Service(
    "events",
    {CALLBACK: ("putEvents",)},
    words=Words("EventBridge", "AmazonEventBridge", "AmazonEventBridgeException", shows_http=False, fault_of=_fault_of),
    names_origin=True,
)


def with_origin(parameters: bytes, arns: tuple[str, ...]) -> bytes:
    """Parameters with these ARNs behind each entry's Resources; as they are if they are not as they must be.

    Histories show what the definition says, without them.
    """
    try:
        fields = msgspec.json.decode(parameters, type=dict[str, msgspec.Raw])
        entries = msgspec.json.decode(fields.get("Entries", b"[]"), type=list[dict[str, msgspec.Raw]])
        for entry in entries:
            given = msgspec.json.decode(entry.get("Resources", b"null"), type=list[str] | None)
            entry["Resources"] = msgspec.Raw(msgspec.json.encode([*(given or ()), *arns]))
    except msgspec.DecodeError:
        return parameters
    return msgspec.json.encode({**fields, "Entries": entries})
