"""A call that finds no open file left waits for one: its callee has not heard of it, so it must not fail.

Connections that rest hold a file for some seconds as well, so the calls of several services together can need more than
a process may open though each of them stays within its own bound.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_NONE_LEFT = (errno.EMFILE, errno.ENFILE)
_LOOK_SECONDS = 0.2


async def once_one_is_free(call: Callable[[], Awaitable[T]]) -> T:
    """What the call gives. It is begun again while the system says that no file is left; other errors are raised."""
    while True:
        try:
            return await call()
        except OSError as error:
            if error.errno not in _NONE_LEFT:
                raise
        await asyncio.sleep(_LOOK_SECONDS)
