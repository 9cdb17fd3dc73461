"""How often an operation may be asked for: token buckets, as AWS throttles its API, and AWS's own sizes of them.

Source: Step Functions quotas, "Quotas related to API action throttling".
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

EXPRESS_STARTS: Final = "StartExecution.EXPRESS"
"""StartExecution of EXPRESS machines has a bucket of its own."""
_LARGE_REGIONS = frozenset({"us-east-1", "us-west-2", "eu-west-1"})


class Rate(msgspec.Struct, frozen=True):
    """A bucket holds so many requests at most, and gets so many back in a second."""

    bucket_requests_max: float
    refill_per_second: float


_SLOW = Rate(100, 1)
_READ = Rate(200, 1)
_LARGE = {
    "CreateActivity": _SLOW,
    "CreateStateMachine": _SLOW,
    "CreateStateMachineAlias": _SLOW,
    "DeleteActivity": _SLOW,
    "DeleteStateMachine": _SLOW,
    "DeleteStateMachineAlias": _SLOW,
    "DeleteStateMachineVersion": _SLOW,
    "DescribeActivity": _READ,
    "DescribeExecution": Rate(300, 15),
    "DescribeMapRun": _READ,
    "DescribeStateMachine": Rate(200, 20),
    "DescribeStateMachineAlias": _READ,
    "DescribeStateMachineForExecution": _READ,
    "GetActivityTask": Rate(3_000, 500),
    "GetExecutionHistory": Rate(400, 20),
    "ListActivities": Rate(100, 10),
    "ListExecutions": Rate(200, 5),
    "ListMapRuns": _SLOW,
    "ListStateMachineAliases": _SLOW,
    "ListStateMachines": Rate(100, 5),
    "ListStateMachineVersions": _SLOW,
    "ListTagsForResource": _SLOW,
    "PublishStateMachineVersion": _SLOW,
    "RedriveExecution": Rate(1_300, 300),
    "SendTaskFailure": Rate(3_000, 500),
    "SendTaskHeartbeat": Rate(3_000, 500),
    "SendTaskSuccess": Rate(3_000, 500),
    "StartExecution": Rate(1_300, 300),
    EXPRESS_STARTS: Rate(6_000, 6_000),
    "StopExecution": Rate(1_000, 200),
    "TagResource": _READ,
    "TestState": Rate(10, 50),
    "UntagResource": _READ,
    "UpdateMapRun": _SLOW,
    "UpdateStateMachine": _SLOW,
    "UpdateStateMachineAlias": _SLOW,
    "ValidateStateMachineDefinition": _SLOW,
}
"""AWS's in its three large Regions. StartSyncExecution has none."""
_OTHER = _LARGE | {
    "DescribeExecution": Rate(250, 10),
    "GetActivityTask": Rate(1_500, 300),
    "ListActivities": Rate(100, 5),
    "ListExecutions": Rate(100, 2),
    "RedriveExecution": Rate(800, 150),
    "SendTaskFailure": Rate(1_500, 300),
    "SendTaskHeartbeat": Rate(1_500, 300),
    "SendTaskSuccess": Rate(1_500, 300),
    "StartExecution": Rate(800, 150),
    "StopExecution": Rate(500, 25),
}
"""AWS's in all other Regions."""


def aws_rates(region: str) -> Mapping[str, Rate]:
    """AWS's buckets in a Region, by operation."""
    return _LARGE if region in _LARGE_REGIONS else _OTHER


def rates_of(text: str, region: str) -> dict[str, Rate]:
    """The buckets that `aws,StartExecution=100/10` asks for: AWS's, and others in the place of some of them.

    Raises ValueError, naming the part that has no meaning.
    """
    rates: dict[str, Rate] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part == "aws":
            rates |= aws_rates(region)
        else:
            name, _, numbers = (piece.strip() for piece in part.partition("="))
            rates[name] = _rate(part, name, numbers)
    return rates


def _rate(part: str, name: str, numbers: str) -> Rate:
    size, _, refill = numbers.partition("/")
    known = name in _LARGE or name == "StartSyncExecution"
    try:
        rate = Rate(float(size), float(refill))
    except ValueError:
        rate = Rate(0, 0)
    if not known or not (1 <= rate.bucket_requests_max < math.inf and 0 < rate.refill_per_second < math.inf):
        raise ValueError(
            f"{part!r} must be aws, or like StartExecution=1300/300: an operation, bucket, refill a second"
        )
    return rate


class _Bucket:
    """What is left of one operation's requests."""

    def __init__(self, rate: Rate, at: float) -> None:
        self.left = rate.bucket_requests_max
        self.at = at


class Throttle:
    """The buckets of one process."""

    def __init__(self, rates: Mapping[str, Rate], monotonic: Callable[[], float]) -> None:
        self._rates = rates
        self._monotonic = monotonic
        self._buckets: dict[str, _Bucket] = {}

    def throttles(self, name: str) -> bool:
        """Whether an operation has a bucket at all."""
        return name in self._rates

    def refused_for_seconds(self, name: str, sharers: int = 1) -> float:
        """Takes a request out of a bucket: 0; where none is left takes nothing, and says when there will be one.

        `sharers` are the processes that this one shares the bucket with evenly, itself among them.
        """
        if name not in self._rates:
            return 0.0
        bucket, refill = self._filled(name, sharers)
        if bucket.left < 1:
            return (1 - bucket.left) / refill
        bucket.left -= 1
        return 0.0

    def owed_seconds(self, name: str, requests: int) -> float:
        """Takes so many requests out of a bucket, even those that aren't there yet: how long until they are."""
        if name not in self._rates or not requests:
            return 0.0
        bucket, refill = self._filled(name, 1)
        bucket.left -= requests
        return max(0.0, -bucket.left / refill)

    def _filled(self, name: str, sharers: int) -> tuple[_Bucket, float]:
        """A bucket as it stands now, and its refill a second. A share of a bucket holds one request at least."""
        rate, now = self._rates[name], self._monotonic()
        size, refill = max(1.0, rate.bucket_requests_max / sharers), rate.refill_per_second / sharers
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(Rate(size, refill), now)
        bucket.left = min(size, bucket.left + (now - bucket.at) * refill)
        bucket.at = now
        return bucket, refill
