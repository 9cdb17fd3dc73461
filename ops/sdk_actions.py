"""Writes down which AWS SDK integrations exist: `python -m ops.sdk_actions`, after a new botocore.

One line a service: its name in a Resource (`aws-sdk:<service>:<action>`), then its actions, as botocore's models have
them. A test holds that the file says what the pinned botocore knows.
"""

import gzip
from pathlib import Path

import msgspec
from botocore.loaders import Loader

from maprun.aws.java_names import package_name

FILE = Path(__file__).parents[1] / "maprun" / "integrations" / "static" / "sdk_actions.txt"


class _Metadata(msgspec.Struct, rename="camel"):
    service_id: str


class _Model(msgspec.Struct):
    """What is read of a service's model."""

    metadata: _Metadata
    operations: dict[str, msgspec.Raw]


def text() -> str:
    """The file as the installed botocore would have it."""
    loader = Loader()
    found: dict[str, set[str]] = {}
    for name in loader.list_available_services("service-2"):
        version = loader.determine_latest_version(name, "service-2")
        packed = Path(loader.BUILTIN_DATA_PATH, name, version, "service-2.json.gz").read_bytes()
        model = msgspec.json.decode(gzip.decompress(packed), type=_Model)
        actions = {action[:1].lower() + action[1:] for action in model.operations}
        found.setdefault(package_name(model.metadata.service_id), set()).update(actions)
    return "".join(f"{service} {' '.join(sorted(actions))}\n" for service, actions in sorted(found.items()))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
