"""What root executions log: records on `execution-logs`, from the same outputs that histories grow by."""

from collections.abc import Iterable

from maprun.bus.port import Outgoing
from maprun.mapruns.fold.outputs import HistoryGrew, Output
from schemas import topics
from schemas.execution_logs import GROUP_HEADER, log_records


def logs_of(outputs: Iterable[Output], home: int) -> list[Outgoing]:
    """The log records that the outputs of a record of `home` ask for, in order."""
    return [
        Outgoing(
            topics.EXECUTION_LOGS.name,
            home,
            record.value,
            output.arn.encode(),
            ((GROUP_HEADER, record.group.encode()),),
        )
        for output in outputs
        if isinstance(output, HistoryGrew) and output.logging
        for record in log_records(output.logging, output.arn, output.redrive_count, output.first_id, output.events)
    ]
