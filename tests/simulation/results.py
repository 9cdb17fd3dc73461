"""Result files read back: of each generation every child that belongs there, once; the manifests agree."""

from collections.abc import Callable
from typing import Any

import msgspec

from schemas.arns import parse_child_name
from schemas.home import ABORTED, FAILED, REJECTED, RETURNED, SUCCEEDED, TIMED_OUT
from tests.simulation.books import Answer, Book, Generation
from tests.simulation.store import FakeStore

Violated = Callable[[str], None]
_FILE_OF = {
    SUCCEEDED: "SUCCEEDED",
    FAILED: "FAILED",
    TIMED_OUT: "FAILED",
    ABORTED: "FAILED",
    RETURNED: "PENDING",
    REJECTED: "PENDING",
}


class Results:
    """The files of one run, compared with what its frames on home say."""

    def __init__(
        self,
        store: FakeStore,
        book: Book,
        payload_of: Callable[[Answer], bytes],
        redrives_of: Callable[[Answer], int],
        violated: Violated,
    ) -> None:
        self._store = store
        self._book = book
        self._payload_of = payload_of
        self._redrives_of = redrives_of
        self._violated = violated
        self._seen: dict[int, str] = {}  # child → file of its success

    def check(self, prefix: str) -> None:
        """Generation by generation. One whose results could not be written may have left anything, or nothing."""
        earlier: list[str] = []  # files of successes that were listed before
        written = False
        for generation in self._book.generations:
            folder = f"{prefix}/{self._book.run.run}/" + (f"Redrive-{generation.number}/" if generation.number else "")
            text = self._store.objects.get(folder + "manifest.json")
            if text is None and generation.written:
                self._violated(f"{folder} has no manifest")
            written = text is not None and generation.written is not False
            if text is None or not written:
                continue
            files = _Files(self._store, folder, msgspec.json.decode(text), self._violated)
            listed = files.of("SUCCEEDED")
            if listed[: len(earlier)] != earlier:
                self._violated(f"{folder}manifest.json lists the successes {listed}, before were {earlier}")
            earlier = listed
            self._check_generation(files, generation)
        wanted = {answer.index for answer in self._book.ended(SUCCEEDED)}
        if written and self._seen.keys() != wanted:
            self._violated(f"the files of {self._book.run.run} hold {sorted(self._seen)}, there are {sorted(wanted)}")

    def _check_generation(self, files: "_Files", generation: Generation) -> None:
        """SUCCEEDED: who succeeded in it; FAILED and PENDING: all who are unsuccessful, or never started, after it."""
        after = generation.before | {answer.index: answer for answer in generation.accepted.values()}
        for key, entry in files.entries("SUCCEEDED"):
            index = _index(entry)
            if index in self._seen:
                self._violated(f"child {index} is in {self._seen[index]} and in {key}")
            self._seen[index] = key
            if index not in after or after[index].status != SUCCEEDED:
                self._violated(f"child {index} is in {key}, it ended as {after.get(index)}")
            elif self._payload_of(after[index]).decode() != entry["Output"]:
                expected = self._payload_of(after[index])
                self._violated(f"child {index} has the output {expected!r}, {key} says {entry['Output']!r}")
        failed = sorted((_index(entry), entry["RedriveCount"]) for _, entry in files.entries("FAILED"))
        expected_failed = sorted((answer.index, self._redrives_of(answer)) for answer in _in_file(after, "FAILED"))
        if failed != expected_failed:
            self._violated(f"{files.folder} holds the failures {failed}, there are {expected_failed}")
        pending = sorted(entry["Input"] for _, entry in files.entries("PENDING"))  # AWS gives the input alone
        if pending != sorted(self._payload_of(answer).decode() for answer in _in_file(after, "PENDING")):
            self._violated(f"{files.folder} holds {len(pending)} inputs that never started, or others than there are")


class _Files:
    """The files that a manifest lists; each is there in its size, and no other is in the folder."""

    def __init__(self, store: FakeStore, folder: str, manifest: dict[str, Any], violated: Violated) -> None:
        self._store = store
        self._manifest = manifest
        self.folder = folder
        listed = {file["Key"]: file["Size"] for files in manifest["ResultFiles"].values() for file in files}
        for key, size in listed.items():
            if len(store.objects.get(key, b"")) != size:
                violated(f"{key} has {len(store.objects.get(key, b''))} bytes, the manifest says {size}")
        there = {key for key in store.objects if self._own(key) and not key.endswith("manifest.json")}
        if not there <= listed.keys():
            violated(f"{folder} holds {sorted(there - listed.keys())}, which its manifest doesn't list")

    def _own(self, key: str) -> bool:
        return key.startswith(self.folder) and "/" not in key.removeprefix(self.folder)

    def of(self, status: str) -> list[str]:
        """Keys of the files of a status, those of earlier generations too."""
        return [file["Key"] for file in self._manifest["ResultFiles"][status]]

    def entries(self, status: str) -> list[tuple[str, dict[str, Any]]]:
        """What stands in the files of this generation with a status."""
        keys = [key for key in self.of(status) if self._own(key)]
        return [(key, entry) for key in keys for entry in msgspec.json.decode(self._store.objects.get(key, b"[]"))]


def _in_file(answers: dict[int, Answer], file: str) -> list[Answer]:
    return [answer for answer in answers.values() if _FILE_OF[answer.status] == file]


def _index(entry: dict[str, Any]) -> int:
    child = parse_child_name(entry["Name"])
    assert child is not None, entry
    return child.index
