"""A disk of its own for a broker, whose power can be cut: what was not written to it by then is gone.

A file holds an ext4, mounted over a loop device. The ioctl that file systems' own tests of power cuts use
(EXT4_IOC_SHUTDOWN, without a flush of the journal) stops every write at one moment: pages that the kernel had not
written are never written. Mounted again, the file system goes through its journal as after a real cut.
"""

import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path

_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
_WITHOUT_FLUSH = b"\x02\x00\x00\x00"
_MOUNT_SECONDS_MAX = 30.0
_SIZE_BYTES = 3 << 30  # of a sparse file


def why_not() -> str:
    """Why no such disk can be had here; empty if it can."""
    if os.geteuid() != 0:
        return "a loop device takes root"
    lacking = [tool for tool in ("mkfs.ext4", "mount", "umount", "losetup") if shutil.which(tool) is None]
    if lacking:
        return f"{', '.join(lacking)} is not installed"
    if not Path("/dev/loop-control").exists():
        return "there is no /dev/loop-control"
    return ""


class LoopDisk:
    """One disk, mounted at a folder."""

    def __init__(self, file: Path, folder: Path) -> None:
        self._file = file
        self.folder = folder
        with file.open("wb") as made:
            made.truncate(_SIZE_BYTES)
        _run("mkfs.ext4", "-q", "-F", str(file))
        folder.mkdir(parents=True, exist_ok=True)
        self._mount()
        (folder / "lost+found").rmdir()  # Kafka takes every folder there for a partition

    def sync(self) -> None:
        """Everything written so far is on the disk."""
        _run("sync", "-f", str(self.folder))

    def cut_power(self) -> None:
        """From now on nothing is written; who writes or reads gets an error."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, _WITHOUT_FLUSH)
        finally:
            os.close(folder)

    def power_on(self) -> None:
        """The disk as it is after the cut. Nobody may have a file of it open."""
        self.close()
        self._mount()

    def close(self) -> None:
        """Unmounts it, once the last process that had it open is gone."""
        until = time.monotonic() + _MOUNT_SECONDS_MAX
        while subprocess.run(["umount", str(self.folder)], capture_output=True, check=False).returncode:
            assert time.monotonic() < until, f"{self.folder} is in use"
            time.sleep(0.1)

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._file), str(self.folder))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
