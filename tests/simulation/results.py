"""Result files read back: every position once, in the right file, with the right content; the manifest agrees."""

from collections.abc import Callable
from typing import Any

import msgspec

from schemas.arns import parse_child_name
from schemas.home import ABORTED, FAILED, REJECTED, RETURNED, SUCCEEDED, TIMED_OUT
from tests.simulation.judge import Book
from tests.simulation.store import FakeStore

_FILE_OF = {
    SUCCEEDED: "SUCCEEDED",
    FAILED: "FAILED",
    TIMED_OUT: "FAILED",
    ABORTED: "FAILED",
    RETURNED: "PENDING",
    REJECTED: "PENDING",
}


def check_results(
    store: FakeStore, book: Book, prefix: str, payload_of: Callable[[int], bytes], violated: Callable[[str], None]
) -> None:
    """Compares the files of one run with what its frames on home say."""
    folder = f"{prefix}/{book.run.run}/"
    manifest_text = store.objects.get(folder + "manifest.json")
    if manifest_text is None:
        violated(f"run {book.run.run} ended without a manifest")
        return
    manifest = msgspec.json.decode(manifest_text)
    listed: dict[str, tuple[str, int]] = {}
    for status, files in manifest["ResultFiles"].items():
        for file in files:
            listed[file["Key"]] = (status, file["Size"])
    there = {key for key in store.objects if key.startswith(folder) and not key.endswith("manifest.json")}
    if there != listed.keys():
        violated(f"the manifest lists {sorted(listed)}, there are {sorted(there)}")
    seen: dict[int, str] = {}
    pending: list[str] = []
    for key, (status, size) in listed.items():
        body = store.objects.get(key, b"")
        if len(body) != size:
            violated(f"{key} has {len(body)} bytes, the manifest says {size}")
            continue
        for entry in msgspec.json.decode(body):
            if status == "PENDING":  # AWS gives the input and nothing else
                pending.append(entry["Input"])
                continue
            position = _position(entry)
            if position in seen:
                violated(f"position {position} is in {seen[position]} and in {key}")
            seen[position] = key
            _check_entry(book, position, status, entry, payload_of, violated)
    waiting = [p for p, (_, _, status) in book.accepted.items() if _FILE_OF[status] == "PENDING"]
    if sorted(pending) != sorted(payload_of(p).decode() for p in waiting):
        violated(f"the files hold {len(pending)} inputs that never started, home {len(waiting)}, or others")
    if len(seen) + len(waiting) != len(book.accepted):
        violated(f"the files hold {len(seen)} positions, home accepted {len(book.accepted)}")


def _position(entry: dict[str, Any]) -> int:
    child = parse_child_name(entry["Name"])
    assert child is not None, entry
    return child.index


def _check_entry(
    book: Book,
    position: int,
    status: str,
    entry: dict[str, Any],
    payload_of: Callable[[int], bytes],
    violated: Callable[[str], None],
) -> None:
    accepted = book.accepted.get(position)
    if accepted is None:
        violated(f"position {position} is in a file, home did not accept it")
        return
    if _FILE_OF[accepted[2]] != status:
        violated(f"position {position} ended with {accepted[2]} and is in a file of {status}")
    if accepted[2] == SUCCEEDED and payload_of(position).decode() != entry["Output"]:
        violated(f"position {position} has the output {payload_of(position)!r}, the file says {entry['Output']!r}")
