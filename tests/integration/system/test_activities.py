"""Activities with unmodified boto3: made, listed, tagged, deleted."""

from typing import Any

import pytest

from tests.integration.system.stack import ACCOUNT, REGION
from tests.integration.system.test_api import error_of

pytestmark = pytest.mark.integration
ARN = f"arn:aws:states:{REGION}:{ACCOUNT}:activity"


def test_an_activity_from_create_to_delete(sfn: Any) -> None:
    """Create, describe, tag, delete: what was written is read, and what was deleted is gone."""
    made = sfn.create_activity(name="round-trip", tags=[{"key": "a", "value": "1"}])
    arn = made["activityArn"]
    assert arn == f"{ARN}:round-trip"
    again = sfn.create_activity(name="round-trip", tags=[{"key": "b", "value": "2"}])
    assert (again["activityArn"], again["creationDate"]) == (arn, made["creationDate"])
    described = sfn.describe_activity(activityArn=arn)
    assert (described["name"], described["creationDate"]) == ("round-trip", made["creationDate"])
    assert described["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "1"}]
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "c", "value": "3"}])
    sfn.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "c", "value": "3"}]
    sfn.delete_activity(activityArn=arn)
    sfn.delete_activity(activityArn=arn)
    assert error_of(sfn.describe_activity, activityArn=arn) == (
        "ActivityDoesNotExist",
        f"Activity Does Not Exist: '{arn}'",
    )
    assert error_of(sfn.list_tags_for_resource, resourceArn=arn)[0] == "ResourceNotFound"
    assert error_of(sfn.tag_resource, resourceArn=arn, tags=[{"key": "c", "value": "3"}])[0] == "ResourceNotFound"


def test_activities_are_listed_in_pages(sfn: Any) -> None:
    """Newest first, each once, however small the pages."""
    names = [f"listed-{n}" for n in range(7)]
    for name in names:
        sfn.create_activity(name=name)
    pages = sfn.get_paginator("list_activities").paginate(PaginationConfig={"PageSize": 3})
    listed = [row["name"] for row in pages.search("activities") if row["name"] in names]
    assert listed == names[::-1]


def test_what_cannot_be_is_refused_in_the_words_of_aws(sfn: Any) -> None:
    """Names, ARNs and configurations that AWS refuses."""
    assert error_of(sfn.create_activity, name="a b") == ("InvalidName", "Invalid Name: 'a b'")
    assert error_of(sfn.describe_activity, activityArn="nothing")[0] == "InvalidArn"
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:m"
    assert error_of(sfn.delete_activity, activityArn=machine) == (
        "InvalidArn",
        "Invalid Arn: 'Resource type not valid in this context: stateMachine'",
    )
    sfn.create_activity(name="own-key")
    other = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/k"}
    assert error_of(sfn.create_activity, name="own-key", encryptionConfiguration=other) == (
        "ActivityAlreadyExists",
        f"Activity Already Exists: '{ARN}:own-key'",
    )
