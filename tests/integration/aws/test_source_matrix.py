"""The source matrix in small: every kind of source on a real S3, empty, filled, compressed, and wrong in five ways."""

import pytest

from maprun.aws.clients import S3
from tests.bench.source_cases import cases
from tests.bench.source_matrix import judge
from tests.bench.source_objects import BUCKET, Case
from tests.bench.source_reader import read

pytestmark = pytest.mark.integration

ITEMS = 400
CASES = cases(ITEMS, large=False)


@pytest.fixture(scope="module")
def matrix_bucket(s3: S3) -> str:
    """The bucket that the cases write to."""
    s3.client.create_bucket(Bucket=BUCKET)
    return BUCKET


@pytest.mark.parametrize("case", CASES, ids=[f"{case.kind} {case.name}" for case in CASES])
def test_every_case_gives_its_items_or_a_clear_cause(s3: S3, matrix_bucket: str, case: Case) -> None:
    """What can be read gives exactly its items; what can't ends in an error of AWS's name with a cause in words."""
    assert matrix_bucket == BUCKET
    case.write(s3)
    endpoint = str(s3.client.meta.endpoint_url)
    assert judge(case, read(endpoint, case.plan)) == ""


def test_every_kind_is_wrong_in_five_ways() -> None:
    """Of each kind the matrix holds five damages, and the empty source, one item, and many."""
    for kind in {case.kind for case in CASES}:
        names = [case.name for case in CASES if case.kind == kind]
        assert len([name for name in names if name.startswith("wrong: ")]) == 5
        assert {"empty", "one item"} <= set(names)
