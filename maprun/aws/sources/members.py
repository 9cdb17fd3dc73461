"""The objects that a source of several objects is made of: those of a listing, or those that a manifest names."""

import itertools
from collections.abc import Sequence
from typing import Protocol

import msgspec

from maprun.aws.errors import SourceError
from maprun.aws.sources.contract import Pin
from maprun.aws.sources.listing import Listing
from maprun.aws.sources.object_reads import ObjectName


class Member(msgspec.Struct, frozen=True):
    """One object. `place` tells it among the others; `pin` is its version, if that is known before it is opened."""

    name: ObjectName
    place: str
    pin: Pin | None = None
    size_bytes: int | None = None  # what a manifest or listing says; an object of another size isn't the one it means
    not_after: int = 0  # epoch seconds: one that was written later isn't the one either; 0 = any time


class Members(Protocol):
    """Objects in order, from some place on."""

    def member(self, place: str) -> Member:
        """The object at a place, to go on within it. Its version is in the checkpoint."""
        ...

    def take(self) -> Member | None:
        """The next object, None behind the last. Raises SourceError."""
        ...

    def share(self, place: str, of_member: float) -> float:
        """How much lies before a part of the object at `place`, from 0 to 1; 0 where the number isn't known yet."""
        ...


class ListedMembers:
    """The objects of a listing. Those without bytes hold no record: folders that a console made, mostly."""

    def __init__(self, listing: Listing, bucket: str, expected_bucket_owner: str) -> None:
        self._listing = listing
        self._bucket = bucket
        self._owner = expected_bucket_owner
        self._page: list[dict[str, str]] = []
        self._next = 0

    def member(self, place: str) -> Member:
        """The object with this key."""
        return Member(self._name(place), place)

    def take(self) -> Member | None:
        """The next object that isn't empty, in the version that was listed."""
        while True:
            if self._next == len(self._page):
                self._page, self._next = self._listing.page(), 0
                if not self._page:
                    return None
            listed = self._listing.listed(self._page[self._next])
            self._next += 1
            name, size = self._name(listed.key), listed.size_bytes
            if size and listed.etag:
                return Member(name, listed.key, Pin(listed.etag, size))
            if size:  # a server that lists no ETags: what is opened must be as large and as old as what was listed
                return Member(name, listed.key, None, size, int(listed.modified_seconds))

    def share(self, _place: str, _of_member: float) -> float:
        """Not known: a listing doesn't say how long it is."""
        return 0.0

    def _name(self, key: str) -> ObjectName:
        return ObjectName(self._bucket, key, "", self._owner)


class NamedMembers:
    """The objects that a manifest names, from the one after `place` on ("" = from the first)."""

    def __init__(self, names: Sequence[tuple[ObjectName, int | None]], place: str) -> None:
        self._names = names
        self._next = int(place) + 1 if place else 0
        self._before = [0, *itertools.accumulate(max(1, size or 0) for _, size in names)]  # bytes

    def member(self, place: str) -> Member:
        """The object with this number."""
        if int(place) >= len(self._names):
            raise SourceError(f"The manifest names {len(self._names)} objects, and no object {place}")
        name, size = self._names[int(place)]
        return Member(name, place, None, size)

    def take(self) -> Member | None:
        """The next object."""
        if self._next >= len(self._names):
            return None
        self._next += 1
        return self.member(str(self._next - 1))

    def share(self, place: str, of_member: float) -> float:
        """How much of the manifest's bytes lies before that part; where it tells no sizes, all objects count alike."""
        number = int(place)
        return (self._before[number] + of_member * (self._before[number + 1] - self._before[number])) / self._before[-1]
