"""A call that finds no open file left waits for one: its callee has not heard of it, so it must not fail.

Connections that rest hold a file for some seconds as well, so the calls of several services together can need more than
a process may open though each of them stays within its own bound.
"""

import asyncio
import errno
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_NONE_LEFT = (errno.EMFILE, errno.ENFILE)
_LOOK_SECONDS = 0.2


class NoFileError(OSError):
    """No file was left for so long that a call as it is would come too late. Its callee has not heard of it."""


async def once_one_is_free(call: Callable[[], Awaitable[T]], seconds_max: float = math.inf) -> T:
    """What the call gives. It is begun again while the system says that no file is left; other errors are raised.

    Raises NoFileError when that has gone on for longer than `seconds_max`.
    """
    waited = 0.0
    while True:
        try:
            return await call()
        except OSError as error:
            if error.errno not in _NONE_LEFT:
                raise
            if waited > seconds_max:
                raise NoFileError(error.errno, f"no file was left for {waited:.0f} s") from error
        await asyncio.sleep(_LOOK_SECONDS)
        waited += _LOOK_SECONDS
