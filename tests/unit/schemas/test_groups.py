"""The registry of groups: what a service's members share out, it also reads."""

from schemas.groups import GROUPS
from schemas.topics import TOPICS


def test_a_group_is_over_a_topic_that_its_service_reads() -> None:
    """Its members share out what the service is known to read."""
    readers = {topic.name: topic.readers for topic in TOPICS}
    assert [group for group in GROUPS if group.service not in readers[group.topic]] == []


def test_groups_bear_their_services_name() -> None:
    """So an operator knows by a group's name whose it is; no two are alike."""
    assert [group for group in GROUPS if not group.name.startswith(group.service)] == []
    assert len({group.name for group in GROUPS}) == len(GROUPS)
