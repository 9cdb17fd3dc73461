"""Which source an ItemReader's Resource means."""

from typing import Any, cast

import pytest

from maprun.aws.errors import SourceError
from maprun.aws.sources.opening import open_source, source_text
from schemas.plan import ItemReaderPlan

PLACES = ("aws:states:::", "aws-us-gov:states:::", "aws-cn:states:cn-north-1:123456789012:")


@pytest.mark.parametrize("place", PLACES)
def test_partition_region_and_account_play_no_part(place: str) -> None:
    """A reader means an object or a listing wherever its ARN says that it belongs."""
    listing = ItemReaderPlan(f"arn:{place}s3:listObjectsV2", "b", prefix="p")
    one = ItemReaderPlan(f"arn:{place}s3:getObject", "b", "k", input_type="CSV")
    assert (source_text(listing), source_text(one)) == ("s3://b", "s3://b/k")
    with pytest.raises(SourceError, match="names no Key"):
        open_source(cast("Any", None), ItemReaderPlan(one.resource, "b"), b"", b"")


@pytest.mark.parametrize("resource", ["arn:aws:states:::s3:putObject", "arn:aws:states:::aws-sdk:s3:getObject", "x"])
def test_what_reads_nothing_is_refused(resource: str) -> None:
    """Another integration is no reader."""
    with pytest.raises(SourceError, match="is not supported"):
        open_source(cast("Any", None), ItemReaderPlan(resource, "b", "k"), b"", b"")
