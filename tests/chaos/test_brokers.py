"""Three brokers with TLS, SCRAM and ACLs, as the services meet them where Kafka is run in earnest."""

from pathlib import Path

import pytest

from tests.chaos.brokers import kill_one, running


@pytest.mark.integration
def test_a_broker_killed_in_midrun_costs_nothing(tmp_path: Path) -> None:
    """Each service has the least rights; every index has exactly one right result, and no service ended."""
    with running(tmp_path, 3) as (brokers, stack, services):
        report = kill_one(brokers, stack, services, 900, 3, away_seconds=5.0, at_once=60)
    assert report.wrong == []
    assert len(report.struck) == 1
