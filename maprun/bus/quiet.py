"""aiokafka's own log lines, once in a while each: while a broker is away it says the same a hundred times a second."""

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import aiokafka.client
from aiokafka.protocol.metadata import MetadataRequest

from maprun.runtime import clock

REPEAT_SECONDS = 10.0


class OnceInAWhile(logging.Filter):
    """Lets a message text (without its arguments) pass once in `REPEAT_SECONDS`."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}
        self.trouble = ""  # what was last said at level error: aiokafka's exceptions don't carry it

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is to be said."""
        if record.levelno >= logging.ERROR:
            self.trouble = record.getMessage()
        now = clock.monotonic_seconds()
        if now - self._last.get(record.msg, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._last[record.msg] = now
        return True


def never_make_topics() -> None:
    """Has aiokafka's requests for metadata make no topics.

    By its default the broker makes a topic that a client asks after, with settings of its own: living processes would
    put such topics on a broker that was wiped, where they pass for somebody else's.
    """
    asks = functools.partial(MetadataRequest, allow_auto_topic_creation=False)
    aiokafka.client.MetadataRequest = asks


@contextmanager
def unsaid_by_aiokafka() -> Iterator[None]:
    """Meanwhile aiokafka's log says nothing but what ends the process."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def quieten() -> OnceInAWhile:
    """Puts one filter on every logger of aiokafka that exists: filters are not inherited."""
    loggers = [
        logger
        for name, logger in logging.root.manager.loggerDict.items()
        if name.split(".")[0] == "aiokafka" and isinstance(logger, logging.Logger)
    ]
    known = (each for logger in loggers for each in logger.filters if isinstance(each, OnceInAWhile))
    once = next(known, None) or OnceInAWhile()
    for logger in loggers:
        logger.addFilter(once)  # twice is once
    return once
