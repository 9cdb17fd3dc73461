"""Three brokers with TLS, SCRAM and ACLs, as the services meet them where Kafka is run in earnest."""

from pathlib import Path

import pytest

from tests.chaos.broker_faults import FAULTS
from tests.chaos.brokers import running, trouble


@pytest.mark.integration
def test_a_broker_killed_in_midrun_costs_nothing(tmp_path: Path) -> None:
    """Each service has the least rights; every index has exactly one right result, and no service ended."""
    with running(tmp_path, 3) as (brokers, stack, services):
        report = trouble(brokers, stack, services, FAULTS["kill"], items=900, seed=3, at_once=60, seconds=5.0)
    assert report.wrong == []
    assert len(report.struck) == 1
