"""What a seed plays: state machines, items, requests by two doors, stops, and what must come of it."""

import random
from typing import Any, Literal

import msgspec

from maprun.mapruns.limits import MapRunLimits
from schemas.arns import Names

NAMES = Names()
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:work"
BUCKET = "bucket"
WRITER_SHARE = 0.4

REQUEST_PARTITIONS = 2
STORM_EVERY = 4
"""Each so many seeds is a storm over one service."""
STORMS = ("child-runner", "child-runner", "scheduler", "child-runner", "item-reader", "maprun-tracker")

Source = Literal["object", "listing", "state"]
Door = Literal["home", "topic"]

SMALL_LIMITS = MapRunLimits(
    prefetch_items_max=6,
    prefetch_items_min=2,
    prefetch_items_first=4,
    window_items_max=5,
    window_items_first=2,
    windows_per_ask_max=3,
)


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
    work: str  # pass | task | chain
    timeout_seconds: int
    wait_seconds: int
    concurrency: int
    tolerance: tuple[int | None, float | None]
    batch: int  # items in a batch, 0 = no batches
    writer: bool
    store_missing: bool  # results can't be written
    selector: bool
    changes_at: float | None  # the source changes then

    @property
    def arn(self) -> str:
        """The execution's ARN."""
        return NAMES.execution(self.machine, self.name)

    @property
    def items(self) -> list[bytes]:
        """The source's items."""
        return items_of(self.source, self.name, self.kinds)


class Scenario(msgspec.Struct):
    """Everything a seed draws before it begins."""

    homes: int
    lanes: int
    processes: int  # of each service
    fault_seconds: float
    faults_per_second: float
    storm: str  # the service that alone is hit by faults; "" = all
    slow_share: float  # of Task attempts
    small: bool  # small limits everywhere
    limits: MapRunLimits
    plays: list[Play]
    garbage: list[tuple[float, str]]  # (when, topic)


def items_of(source: Source, name: str, kinds: tuple[str, ...]) -> list[bytes]:
    """Items as compact JSON; each tells its index and kind."""
    if source == "listing":
        return [
            b'{"Etag":"\\"e\\"","Key":"%s/%06d-%s","LastModified":1767225600,"Size":%d,"StorageClass":"STANDARD"}'
            % (name.encode(), i, kind.encode(), i)
            for i, kind in enumerate(kinds)
        ]
    return [b'{"i":%d,"kind":"%s"}' % (i, kind.encode()) for i, kind in enumerate(kinds)]


def identify(item: Any) -> tuple[int, str]:
    """Index and kind of an item, a selected item, or an earlier Task's result."""
    if "v" in item:
        item = item["v"]
    if "Key" in item:
        number, kind = item["Key"].split("/")[1].split("-")
        return int(number), kind
    return item["i"], item["kind"]


def draw(seed: int) -> Scenario:
    """The scenario of a seed."""
    r = random.Random(f"scenario-{seed}")
    if seed % STORM_EVERY == 0:
        return _storm(r, STORMS[seed // STORM_EVERY % len(STORMS)])
    lanes = r.choice([1, 2, 3, 4])
    fault_seconds = r.choice([0.0, 5.0, 10.0, 20.0, 40.0])
    plays = [_play(r, n, fault_seconds) for n in range(r.choice([1, 1, 1, 2]))]
    topics = ["home", "items", "lane-signals", "execution-requests", "lane-journal"]
    garbage = [(r.random() * (fault_seconds + 1), r.choice(topics)) for _ in range(r.choice([0, 0, 1, 3]))]
    small = r.random() < 0.6
    return Scenario(
        homes=r.choice([1, 2]),
        lanes=lanes,
        processes=r.choice([2, 2, 3]),
        fault_seconds=fault_seconds,
        faults_per_second=r.choice([0.3, 0.7, 1.5, 3.0]),
        storm="",
        slow_share=0.2,
        small=small,
        limits=SMALL_LIMITS if small else MapRunLimits(),
        plays=plays,
        garbage=garbage,
    )


def _storm(r: random.Random, service: str) -> Scenario:
    """One service is hit again and again, with the work on it that has the most to lose."""
    play = _play(r, 0, 30.0)
    play.kinds = tuple(r.choices(["ok", "flaky"], (1, 1), k=r.randint(6, 25)))
    play.work, play.wait_seconds = r.choice([("task", 0), ("chain", 1), ("chain", 4)])
    play.child_type = "STANDARD"
    play.concurrency = r.randint(2, 9)
    play.tolerance = (None, 100.0)
    play.batch, play.timeout_seconds = 0, 20
    play.stop_at = play.changes_at = play.again_at = None
    play.writer, play.store_missing = service == "scheduler", False
    play.source = {"item-reader": "listing"}.get(service, "object")  # type: ignore[assignment]
    play.input = b"{}"
    play.definition = msgspec.json.encode(_definition(play, before=service == "scheduler", after=False))
    small = r.random() < 0.5
    return Scenario(
        homes=1,
        lanes=r.choice([1, 2]),
        processes=3,
        fault_seconds=30.0,
        faults_per_second=r.choice([0.5, 0.9]),
        storm=service,
        slow_share=0.5,
        small=small,
        limits=SMALL_LIMITS if small else MapRunLimits(),
        plays=[play],
        garbage=[],
    )


def _play(r: random.Random, n: int, fault_seconds: float) -> Play:
    count = r.choice([0, 1, 2, r.randint(3, 12), r.randint(3, 30), r.randint(20, 60)])
    work = r.choice(["pass", "task", "task", "chain", "chain"])
    weights = r.choice([(1, 0, 0, 0), (12, 1, 1, 0), (12, 0, 2, 1), (6, 3, 1, 0)]) if work != "pass" else (1, 0, 0, 0)
    kinds = tuple(r.choices(["ok", "bad", "flaky", "hang"], weights, k=count))
    tolerance = r.choice(
        [(None, None), (None, None), (0, None), (3, None), (None, 20.0), (None, 100.0), (100, 0.0), (5, 50.0)]
    )
    source: Source = r.choice(["object", "object", "listing", "state"])
    batch = r.choice([0, 0, 0, 3])
    again_at = r.random() * 6 if r.random() < 0.2 else None
    again_door: Door = r.choice(["home", "topic"])
    writer = r.random() < WRITER_SHARE
    selector = r.random() < 0.5
    child_type = r.choice(["STANDARD", "STANDARD", "EXPRESS"])
    concurrency = r.choice([1, 2, 3, r.randint(4, 20), 0])
    name = f"e{n}"
    play = Play(
        name=name,
        machine=f"m{n}",
        definition=b"",
        input=b"{}" if source != "state" else b'{"items":[' + b",".join(items_of(source, name, kinds)) + b"]}",
        door=r.choice(["home", "home", "topic"]),
        at=0.2 + r.random() * (2 if fault_seconds else 0.1),
        again_at=again_at,
        again_door=again_door,
        stop_at=0.5 + r.random() * 8 if r.random() < 0.15 else None,
        source=source,
        kinds=kinds,
        child_type=child_type,
        work=work,
        timeout_seconds=r.choice([4, 20]),
        wait_seconds=1,
        concurrency=concurrency,
        tolerance=tolerance,
        batch=batch,
        writer=writer,
        store_missing=writer and r.random() < 0.05,
        selector=selector,
        changes_at=0.3 + r.random() * 4 if source != "state" and r.random() < 0.1 else None,
    )
    before = r.random() < 0.3
    after = r.random() < 0.3
    play.definition = msgspec.json.encode(_definition(play, before=before, after=after))
    return play


def _definition(play: Play, *, before: bool, after: bool) -> dict[str, Any]:
    count, percentage = play.tolerance
    state: dict[str, Any] = {
        "Type": "Map",
        "Label": f"label-{play.name}",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": play.child_type},
            **_child(play),
        },
        "MaxConcurrency": play.concurrency,
    }
    if play.source == "object":
        state["ItemReader"] = {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": BUCKET, "Key": f"{play.name}.jsonl"},
        }
    elif play.source == "listing":
        state["ItemReader"] = {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": BUCKET, "Prefix": f"{play.name}/"},
        }
    else:
        state["ItemsPath"] = "$.items"
    if play.selector:
        state["ItemSelector"] = {"n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"}
    if play.batch:
        state["ItemBatcher"] = {"MaxItemsPerBatch": play.batch}
    if count is not None:
        state["ToleratedFailureCount"] = count
    if percentage is not None:
        state["ToleratedFailurePercentage"] = percentage
    if play.writer:
        state["ResultWriter"] = {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": BUCKET, "Prefix": f"results-{play.name}"},
        }
    states: dict[str, Any] = {}
    if before:
        states["Before"] = {"Type": "Task", "Resource": FUNCTION, "ResultPath": None, "Next": "Map"}
    states["Map"] = {**state, "End": True}
    if after:
        states["Map"] = (
            {**state, "ResultPath": "$.result", "Next": "After"}
            if play.source != "state"
            else {**state, "Next": "After"}
        )
        states["After"] = {"Type": "Wait", "Seconds": 1, "End": True}
    return {"StartAt": "Before" if before else "Map", "States": states}


def _child(play: Play) -> dict[str, Any]:
    if play.work == "pass":
        return {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    retry = {"ErrorEquals": ["Flaky", "States.Timeout"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 20}
    task = {"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": play.timeout_seconds, "Retry": [retry]}
    if play.work == "task":
        return {"StartAt": "A", "States": {"A": {**task, "End": True}}}
    wait = {"Type": "Wait", "Seconds": play.wait_seconds, "Next": "B"}
    return {"StartAt": "A", "States": {"A": {**task, "Next": "W"}, "W": wait, "B": {**task, "End": True}}}
