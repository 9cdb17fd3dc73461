"""Items from the state's own input: a JSON array or object that is already here."""

import msgspec

from maprun.aws.errors import SourceError
from maprun.aws.sources.contract import Budget, Checkpoint, Chunk, dump, load_checkpoint
from maprun.aws.sources.json_text import check_depth, compact


class StateInputSource:
    """A Source over JSON bytes. `max_items` 0 is no limit. Raises SourceError when they hold no array or object."""

    pin = b""
    pinned = True  # the items can't change: they stand in the Map Run's plan

    def __init__(self, items: bytes, checkpoint: bytes = b"", max_items: int = 0) -> None:
        check_depth(items)
        try:
            decoded = msgspec.json.decode(compact(items), type=list[msgspec.Raw] | dict[str, msgspec.Raw])
        except msgspec.ValidationError as error:
            raise SourceError("Attempting to map over non-iterable node.") from error
        except msgspec.DecodeError as error:
            raise SourceError(f"JSON can't be read: {error}") from error
        if isinstance(decoded, dict):
            self._keys: list[str] | None = list(decoded)
            self._items = [bytes(raw) for raw in decoded.values()]
        else:
            self._keys = None
            self._items = [bytes(raw) for raw in decoded]
        self._budget = Budget(max_items, load_checkpoint(checkpoint).items)

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items (see Source)."""
        first = self._budget.given
        end = min(first + self._budget.allowed(count), len(self._items))
        size = 0
        stop = first
        while stop < end and (size < bytes_max or stop == first):
            size += len(self._items[stop])
            stop += 1
        self._budget.given = stop
        ended = stop >= len(self._items) or self._budget.spent
        keys = self._keys[first:stop] if self._keys is not None else None
        share = self._budget.share(stop / max(1, len(self._items)))
        return Chunk(self._items[first:stop], keys, dump(Checkpoint(items=stop)), ended, size, share=share)

    def close(self) -> None:
        """Forgets the items."""
        self._items = []
