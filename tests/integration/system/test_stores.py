"""Runs on stores that lose answers and differ from AWS: right, or failed in words alone."""

from pathlib import Path

import pytest

from tests.integration.system.stores import few, shown, trial

pytestmark = pytest.mark.integration


def test_a_store_may_lose_any_answer_and_differ_from_aws(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each run has every index once in its results, or fails in words that name its bucket; those beside it succeed."""
    with trial(Path(tmp_path_factory.mktemp("stores"))) as made:
        outcomes = made.judge(few())
    assert [line for outcome in outcomes if not outcome.right for line in shown([outcome])] == []
    assert {outcome.status for outcome in outcomes} == {"right", "failed in words"}
