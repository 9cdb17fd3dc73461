"""What the ARN of a Resource names, wherever it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.integrations.resources import (
    LAMBDA_INVOKE,
    ActivityResource,
    FunctionResource,
    Integration,
    Pattern,
    Resource,
    parse_resource,
)

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc")
PLACES = st.tuples(
    st.sampled_from(PARTITIONS),
    st.sampled_from(("", "us-east-1", "cn-north-1", "us-gov-west-1")),
    st.sampled_from(("", "123456789012")),
)


@given(
    PLACES,
    st.sampled_from(("lambda", "s3", "dynamodb", "elasticmapreduce", "emr-containers")),
    st.sampled_from(("invoke", "getObject", "listObjectsV2")),
    st.booleans(),
    st.sampled_from(list(Pattern)),
)
def test_partition_region_and_account_play_no_part(
    place: tuple[str, str, str], service: str, action: str, is_sdk: bool, pattern: Pattern
) -> None:
    """An integration is the same in every partition, region and account, with or without them."""
    sdk = "aws-sdk:" if is_sdk else ""
    text = f"arn:{place[0]}:states:{place[1]}:{place[2]}:{sdk}{service}:{action}{pattern.value}"
    found = parse_resource(text)
    assert found == Integration(service, action, is_sdk, pattern)
    assert isinstance(found, Integration)
    assert text.endswith(f":{found.resource_type}:{found.resource_name}")


@pytest.mark.parametrize("partition", PARTITIONS)
def test_functions_and_activities_are_known_in_every_partition(partition: str) -> None:
    """A function's ARN, with or without a qualifier, and an activity's keep their text and say their place."""
    for rest in ("f", "f:live", "f:$LATEST"):
        arn = f"arn:{partition}:lambda:us-gov-west-1:123456789012:function:{rest}"
        found = parse_resource(arn)
        assert isinstance(found, FunctionResource)
        assert (found.arn, found.place) == (arn, (partition, "us-gov-west-1", "123456789012"))
    activity = parse_resource(f"arn:{partition}:states:us-east-1:123456789012:activity:a")
    assert isinstance(activity, ActivityResource)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("arn:aws:states:::lambda:invoke", LAMBDA_INVOKE),
        ("arn:aws:states:us-east-1:123456789012:lambda:invoke", LAMBDA_INVOKE),
        ("arn:aws:states:::s3:getObject:more", None),
        ("arn:aws:states:::lambda", None),
        ("arn:aws:states:::lambda:", None),
        ("arn:aws:states:::lambda:invoke.sync:3", None),
        ("arn:aws:states:::aws-sdk:s3", None),
        ("arn:aws:lambda:us-east-1:123456789012:function:", None),
        ("arn:aws:lambda:us-east-1:123456789012:function:f:1:2", None),
        ("arn:aws:lambda:us-east-1:123456789012:layer:f", None),
        ("arn:aws:s3:::bucket", None),
        ("arn:other:states:::lambda:invoke", None),
        ("lambda:invoke", None),
        ("${Function}", None),
        ("", None),
    ],
)
def test_what_is_no_resource_is_nothing(text: str, named: Resource | None) -> None:
    """A text that names no function, activity or integration is none of them."""
    assert parse_resource(text) == named
