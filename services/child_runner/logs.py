"""What executions log, as records on `execution-logs`."""

from collections.abc import Iterable

from maprun.bus.port import Outgoing
from schemas import topics
from schemas.execution_logs import GROUP_HEADER, LogRecord


def log_outgoing(logs: Iterable[tuple[int, str, LogRecord]]) -> list[Outgoing]:
    """Records of these (partition, ARN)."""
    topic = topics.EXECUTION_LOGS.name
    return [
        Outgoing(topic, partition, record.value, arn.encode(), ((GROUP_HEADER, record.group.encode()),))
        for partition, arn, record in logs
    ]
