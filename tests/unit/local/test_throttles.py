"""Token buckets, and those that AWS has."""

import botocore.session
import pytest

from maprun.runtime.throttles import EXPRESS_STARTS, Rate, Throttle, aws_rates, rates_of


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """What it shows."""
        return self.seconds


def test_a_bucket_gives_what_it_holds_and_then_what_it_gets_back() -> None:
    """Ten at once, then two a second; a refused request takes nothing, and is told when there will be one."""
    clock = Clock()
    throttle = Throttle({"ListExecutions": Rate(10, 2)}, clock)
    assert [throttle.refused_for_seconds("ListExecutions") for _ in range(10)] == [0.0] * 10
    assert [throttle.refused_for_seconds("ListExecutions") for _ in range(3)] == [0.5] * 3
    clock.seconds += 0.5
    assert [throttle.refused_for_seconds("ListExecutions") for _ in range(2)] == [0.0, 0.5]
    clock.seconds += 3_600
    assert [throttle.refused_for_seconds("ListExecutions") for _ in range(11)] == [0.0] * 10 + [0.5]


def test_a_bucket_is_shared_out_evenly() -> None:
    """Two processes let through half each; however many they are, each lets one request through."""
    throttle = Throttle({"ListExecutions": Rate(10, 2)}, Clock())
    assert [throttle.refused_for_seconds("ListExecutions", 2) for _ in range(6)] == [0.0] * 5 + [1.0]
    throttle = Throttle({"ListExecutions": Rate(10, 2)}, Clock())
    assert [throttle.refused_for_seconds("ListExecutions", 100) for _ in range(2)] == [0.0, 50.0]


def test_what_waits_may_owe() -> None:
    """More than there is may be taken by whoever then waits until it is there; others find the bucket empty."""
    clock = Clock()
    throttle = Throttle({"StartExecution": Rate(10, 2)}, clock)
    assert throttle.owed_seconds("StartExecution", 6) == 0
    assert throttle.owed_seconds("StartExecution", 6) == 1.0
    clock.seconds += 1
    assert throttle.owed_seconds("StartExecution", 0) == 0
    assert throttle.refused_for_seconds("StartExecution") == 0.5


def test_what_has_no_bucket_is_never_throttled() -> None:
    """Nothing has one unless a setting says so."""
    throttle = Throttle(rates_of("", "us-east-1"), Clock())
    assert {throttle.refused_for_seconds("ListExecutions") for _ in range(10_000)} == {0.0}
    assert throttle.owed_seconds("StartExecution", 10_000) == 0


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_aws_has_a_bucket_for_every_operation_but_one(region: str) -> None:
    """StartSyncExecution has none; StartExecution of EXPRESS machines has one beside that of STANDARD machines."""
    model = botocore.session.get_session().get_service_model("stepfunctions")
    assert set(aws_rates(region)) == {*model.operation_names, EXPRESS_STARTS} - {"StartSyncExecution"}


def test_buckets_differ_by_region_and_setting() -> None:
    """AWS's large Regions have larger ones; what is named takes the place of AWS's."""
    assert rates_of("aws", "us-west-2")["StartExecution"] == Rate(1_300, 300)
    rates = rates_of(" aws, ListExecutions=7/0.5 ", "eu-central-1")
    assert (rates["StartExecution"], rates["ListExecutions"]) == (Rate(800, 150), Rate(7, 0.5))
    assert rates_of("StartSyncExecution=5/1", "us-east-1") == {"StartSyncExecution": Rate(5, 1)}
