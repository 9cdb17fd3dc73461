"""What the world answers, made to fit a record before it is written down: an answer that is too large is a failure."""

from schemas.effects import (
    Happening,
    MapRunFailed,
    MapRunSucceeded,
    SubmissionFailed,
    TaskFailed,
    TaskSubmitted,
    TaskSucceeded,
)
from schemas.quotas import CAUSE_LENGTH_MAX, DATA_LIMIT_EXCEEDED, ERROR_LENGTH_MAX, result_too_large

_FAILED: dict[type, type[TaskFailed | SubmissionFailed | MapRunFailed]] = {
    TaskSucceeded: TaskFailed,
    TaskSubmitted: SubmissionFailed,
    MapRunSucceeded: MapRunFailed,
}


def bounded(happening: Happening, name: str, bytes_max: int) -> Happening:
    """The happening with AWS's lengths of error and cause; an output above `bytes_max` fails the state `name`."""
    match happening:
        case TaskSucceeded() | TaskSubmitted() | MapRunSucceeded() if len(happening.output) > bytes_max:
            failed = _FAILED[type(happening)]
            return failed(happening.ref, DATA_LIMIT_EXCEEDED, result_too_large(name))
        case TaskFailed() | SubmissionFailed() | MapRunFailed() if (
            len(happening.error) > ERROR_LENGTH_MAX or len(happening.cause) > CAUSE_LENGTH_MAX
        ):
            return type(happening)(
                happening.ref, happening.error[:ERROR_LENGTH_MAX], happening.cause[:CAUSE_LENGTH_MAX]
            )
        case _:
            return happening
