"""The names of this installation's own things."""

import pytest

from schemas.arns import Names


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("eu-west-1", "aws"),
        ("cn-northwest-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_a_regions_arns_carry_its_partition(region: str, partition: str) -> None:
    """Every ARN that is written for a Region begins with the partition that the Region is in."""
    names = Names(region, "123456789012")
    written = (
        names.machine("m"),
        names.execution("m", "e"),
        names.map_run("m", "l", "r"),
        names.labelled_machine("m", "l"),
        names.child_prefix("m", "l", express=True),
    )
    assert all(arn.startswith(f"arn:{partition}:states:{region}:123456789012:") for arn in written)
    assert names.role("r") == f"arn:{partition}:iam::123456789012:role/r"
