"""Answers to requests: a request that comes again gets its first answer, and is not carried out again."""

from collections.abc import Callable
from functools import wraps
from typing import Protocol, TypeVar

from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.state import RequestAnswered

ANSWERS_KEPT = 10_000
ANSWER_KEPT_MS = 15 * 60_000
"""So many answers are kept, each so long: no client tries a call again for longer. The request is a new one then."""


class Request(Protocol):
    """A record of home that asks for something."""

    @property
    def request_id(self) -> str:
        """The same for all attempts of one call."""
        ...


R = TypeVar("R", bound=Request)


def once(handler: Callable[[Fold, R], None]) -> Callable[[Fold, R], None]:
    """The handler of a request, run at the first record with its id; later ones are given the answer to that."""

    @wraps(handler)
    def handled(fold: Fold, record: R) -> None:
        if repeated(fold, record.request_id):
            return
        before = len(fold.outputs)
        handler(fold, record)
        remember(fold, next(output for output in fold.outputs[before:] if isinstance(output, RequestAnswered)))

    return handled


def repeated(fold: Fold, request_id: str) -> bool:
    """True for a request that was answered before: its first answer is given again."""
    known = fold.state.answered.get(request_id)
    if known is not None:
        fold.outputs.append(known)
    return known is not None


def remember(fold: Fold, answer: RequestAnswered) -> None:
    """The first answer to a request is the one to all its repeats."""
    answered = fold.state.answered
    answered[answer.request_id] = answer
    if len(answered) > ANSWERS_KEPT:
        del answered[next(iter(answered))]


def forget_old(fold: Fold) -> None:
    """Forgets answers that were given long ago. In log time."""
    answered = fold.state.answered
    while answered:
        request_id, answer = next(iter(answered.items()))
        if answer.answered_ms + ANSWER_KEPT_MS >= fold.state.now_ms:
            break
        del answered[request_id]
