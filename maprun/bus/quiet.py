"""aiokafka's own log lines, once in a while each: while a broker is away it says the same a hundred times a second."""

import logging

from maprun.runtime import clock

REPEAT_SECONDS = 10.0


class OnceInAWhile(logging.Filter):
    """Lets a message text (without its arguments) pass once in `REPEAT_SECONDS`."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is to be said."""
        now = clock.monotonic_seconds()
        if now - self._last.get(record.msg, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._last[record.msg] = now
        return True


def quieten() -> None:
    """Puts the filter on every logger of aiokafka that exists: filters are not inherited."""
    once = OnceInAWhile()
    for name, logger in logging.root.manager.loggerDict.items():
        if name.split(".")[0] == "aiokafka" and isinstance(logger, logging.Logger):
            if any(isinstance(each, OnceInAWhile) for each in logger.filters):
                return
            logger.addFilter(once)
