"""One execution that a seed starts: what it maps over, and what is done to it while it goes on and afterwards."""

from typing import Any, Literal

import msgspec

from schemas.arns import Names

NAMES = Names()
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:work"
ACTIVITY = NAMES.activity("work")
BUCKET = "bucket"
INNER_IDS = 1_000
"""Inner item k of outer item n has the id (n + 1) * INNER_IDS + k: ids of one execution's items never meet."""

PLAN_BYTES_MAX = 17_000
"""What a Map Run may be asked for with; it travels with its definition."""
Source = Literal["object", "listing", "state"]
Door = Literal["home", "topic"]


class Nest(msgspec.Struct, kw_only=True):
    """Children that hold a distributed Map of their own."""

    kinds: tuple[tuple[str, ...], ...]  # of the inner items, by outer item
    child_type: str
    work: str  # pass | task
    concurrency: int
    first: bool  # a Task before it
    parallel: bool  # beside a Task, in a Parallel
    catch: bool


class Redrive(msgspec.Struct, kw_only=True):
    """What is done once an execution ended unsuccessfully: its world is repaired, then it is redriven."""

    wait_seconds: float
    repaired: float  # share of the bad items that become good
    twice_after: float | None  # the same request again
    stop_after: float | None  # and the execution is stopped once more
    chosen: float = 0.0  # share of its Map Run's lost children that alone run again; 0 = all that did not succeed


class Update(msgspec.Struct, kw_only=True):
    """UpdateMapRun of one of the execution's Map Runs that are open then."""

    at: float
    concurrency: int | None
    tolerated_count: int | None
    tolerated_percentage: float | None


class Play(msgspec.Struct, kw_only=True):
    """One execution that the seed starts."""

    name: str
    machine: str
    definition: bytes
    input: bytes
    door: Door
    at: float
    again_at: float | None  # the same request a second time
    again_door: Door
    stop_at: float | None
    source: Source
    kinds: tuple[str, ...]  # of each item: ok, bad, flaky, hang
    child_type: str
    work: str  # pass | task | chain | nested
    timeout_seconds: int
    wait_seconds: int
    concurrency: int
    tolerance: tuple[int | None, float | None]
    batch: int  # items in a batch, 0 = no batches
    writer: bool
    store_missing: bool  # results can't be written
    selector: bool
    changes_at: float | None  # the source changes then
    before: bool  # a Task comes before the Map
    after: bool  # a Wait comes behind it
    nest: Nest | None = None
    retries: int = 0  # of the Map state: each a new Map Run
    redrives: tuple[Redrive, ...] = ()
    untimely_at: float | None = None  # a redrive is asked for whatever the execution does then
    updates: tuple[Update, ...] = ()
    store_raises: tuple[str, type[Exception]] | None = None  # in a call; with store_missing unless it is `abort`
    source_raises: tuple[str, type[Exception]] | None = None  # open, read or close
    bad_chars: int = 0  # of the cause with which a bad item fails, as no compression makes it shorter
    flaky_chars: int = 0  # likewise of one that fails now and then
    pad_bytes: int = 0  # of the execution's input beside its items; the ItemSelector reads it
    long_root: int = 0  # iterations of an inline Map before the Map
    long_child: int = 0  # likewise in each child
    callbacks: bool = False  # all Tasks wait for one
    heartbeats: bool = False  # and for heartbeats before it
    starts: bool = False  # all Tasks start an execution, and wait for it
    jobs: str = ""  # all Tasks start jobs: "once", or by calls that are "repeatable"
    activities: bool = False  # all Tasks wait for a worker of the activity

    @property
    def arn(self) -> str:
        """The execution's ARN."""
        return NAMES.execution(self.machine, self.name)

    @property
    def items(self) -> list[bytes]:
        """The source's items."""
        return items_of(self.source, self.name, self.kinds, self.nest)

    @property
    def hangs(self) -> bool:
        """True if a Task never comes back, or what it waits for never ends, so that a time-out must end it."""
        return "hang" in {*self.kinds, *(kind for kinds in (self.nest.kinds if self.nest else ()) for kind in kinds)}

    @property
    def plan_too_large(self) -> bool:
        """True if the Map Run can't be asked for: what its ItemSelector reads holds the input twice."""
        return 2 * self.pad_bytes > PLAN_BYTES_MAX

    @property
    def bad(self) -> list[int]:
        """Ids of the items that fail until they are repaired."""
        bad = [i for i, kind in enumerate(self.kinds) if kind == "bad"]
        for n, kinds in enumerate(self.nest.kinds if self.nest is not None else ()):
            bad += [inner_id(n, k) for k, kind in enumerate(kinds) if kind == "bad"]
        return bad

    def fails(self, item: int, good: set[int]) -> bool:
        """True if the child with this item can't but fail; `good` are the ids that were repaired."""
        if self.work == "pass":
            return False
        own = self.kinds[item] == "bad" and item not in good
        if self.nest is None:
            return own
        inner = any(k == "bad" and inner_id(item, i) not in good for i, k in enumerate(self.nest.kinds[item]))
        return (own and (self.nest.first or self.nest.parallel)) or (inner and not self.nest.catch)


def inner_id(outer: int, place: int) -> int:
    """The id of an inner item."""
    return (outer + 1) * INNER_IDS + place


def items_of(source: Source, name: str, kinds: tuple[str, ...], nest: Nest | None = None) -> list[bytes]:
    """Items as compact JSON; each tells its index and kind, and holds its inner items."""
    if source == "listing":
        return [
            b'{"Etag":"\\"e\\"","Key":"%s/%06d-%s","LastModified":1767225600,"Size":%d,"StorageClass":"STANDARD"}'
            % (name.encode(), i, kind.encode(), i)
            for i, kind in enumerate(kinds)
        ]
    if nest is None:
        return [b'{"i":%d,"kind":"%s"}' % (i, kind.encode()) for i, kind in enumerate(kinds)]
    return [
        msgspec.json.encode({"i": i, "kind": kind, "in": _inner_items(i, inner)})
        for i, (kind, inner) in enumerate(zip(kinds, nest.kinds, strict=True))
    ]


def _inner_items(outer: int, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"i": inner_id(outer, k), "kind": kind} for k, kind in enumerate(kinds)]


def identify(item: Any) -> tuple[int, str]:
    """Id and kind of an item, a selected item, or an earlier Task's result."""
    if "v" in item:
        item = item["v"]
    if "Key" in item:
        number, kind = item["Key"].split("/")[1].split("-")
        return int(number), kind
    return item["i"], item["kind"]
