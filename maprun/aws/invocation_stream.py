"""Many invocations over one connection to a function host that offers it; see `schemas.invocations`."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast
from urllib.parse import urlsplit

from maprun.aws.errors import AnswerTooLargeError
from maprun.aws.lambda_answers import FUNCTION_ERROR, HTTP_OK_BELOW, Answer, InvokeParameters
from maprun.aws.lambda_http import ANSWER_BYTES_MAX
from schemas.invocations import PATH, PROTOCOL, Answered, FrameError, FrameReader, FrameWriter, HostFrame, Invocation

LOOK_SECONDS = 1.0  # how exactly an answer's time is kept
HEAD_BYTES_MAX = 64 << 10
OPEN_SECONDS_MAX = 2.0  # a host that offers the stream says so at once,
OFFER_AGAIN_SECONDS = 60.0  # one that does not is asked again so much later,
SILENT_AGAIN_SECONDS = 10.0  # one that says nothing so much later,
CONNECT_AGAIN_SECONDS = 1.0  # and one that isn't there so much
SWITCHING = b" 101 "
_REQUEST = b"GET " + PATH + b" HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: " + PROTOCOL + b"\r\n\r\n"


class Waiting(Protocol):
    """Who waits for an invocation."""

    def came(self, answered: Answered | OSError) -> None:
        """Called once: the answer, a ConnectionError when the connection ended, a TimeoutError when none came."""
        ...


class NotOfferedError(Exception):
    """What answers there speaks Lambda's Invoke API alone."""


class InvocationStream(asyncio.Protocol):
    """One connection. `invoke` may be called by any number of coroutines at once."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._monotonic = monotonic
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._head = b""
        self._reader: FrameReader[HostFrame] = FrameReader(HostFrame)
        self._writer = FrameWriter()
        self._numbers = 0
        self._waiting: dict[int, tuple[Waiting, float]] = {}  # who waits, and until when
        self._invocations: list[Invocation] = []
        self._given_up: list[int] = []
        self._flushing = False
        self._paused = False
        self._look: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """True while invocations can be sent."""
        return self._transport is not None and self._opened.done() and not self._transport.is_closing()

    async def open(self, host: str, port: int, seconds_max: float) -> None:
        """Connects. Raises NotOfferedError when the other side declines, OSError or TimeoutError when none is there."""
        async with asyncio.timeout(seconds_max):
            await self._loop.create_connection(lambda: self, host, port)
            assert self._transport is not None
            place = f"{host}:{port}".encode()
            self._transport.write(_REQUEST % place)
            try:
                await self._opened
            except BaseException:
                self.close()
                raise

    async def invoke(
        self,
        parameters: InvokeParameters,
        payload: bytes,
        seconds_max: float,
        idempotency_key: str,
        trace: str = "",
        execution: str = "",
    ) -> Answer:
        """The answer. Raises ConnectionError when the connection ends before it, TimeoutError when none comes in time.

        Who is cancelled while waiting gives the answer up: an invocation that has not begun is not made then.
        """
        waiting = _Coroutine(self._loop.create_future())
        number = self.begin(parameters, payload, seconds_max, idempotency_key, waiting, trace, execution)
        try:
            return answer_of(await waiting.answer)
        except asyncio.CancelledError:
            self.give_up(number)
            raise

    def begin(
        self,
        parameters: InvokeParameters,
        payload: bytes,
        seconds_max: float,
        idempotency_key: str,
        waiting: Waiting,
        trace: str = "",
        execution: str = "",
    ) -> int:
        """Begins an invocation and answers its number; who waits hears later what came of it.

        For thousands of invocations at once: none takes a coroutine.
        """
        self._numbers = number = self._numbers + 1
        self._waiting[number] = (waiting, self._monotonic() + seconds_max)
        self._invocations.append(
            Invocation(
                number,
                parameters.function_name,
                payload,
                idempotency_key,
                parameters.qualifier,
                parameters.client_context,
                parameters.log_type == "Tail",
                trace,
                execution,
            )
        )
        self._flush_soon()
        if self._look is None:
            self._look = self._loop.call_later(LOOK_SECONDS, self._give_up_late)
        return number

    def give_up(self, number: int) -> None:
        """Nobody waits for this answer any more: an invocation that has not begun is not made."""
        if self._waiting.pop(number, None) is not None:
            self._given_up.append(number)
            self._flush_soon()

    def close(self) -> None:
        """Ends the connection; who waits gets a ConnectionError."""
        if self._transport is not None:
            self._transport.close()
        if self._look is not None:
            self._look.cancel()

    # ------------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes

    def data_received(self, data: bytes) -> None:
        """The answer to the first request, then frames."""
        if not self._opened.done():
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                if len(head) > HEAD_BYTES_MAX:
                    self._opened.set_exception(NotOfferedError("no HTTP"))
                return
            self._head = b""
            if SWITCHING not in head.partition(b"\r\n")[0]:
                self._opened.set_exception(NotOfferedError(head.partition(b"\r\n")[0].decode(errors="replace")))
                return
            self._opened.set_result(None)
        try:
            for frame in self._reader.frames(data):
                for answered in frame.answers:
                    waiting = self._waiting.pop(answered.number, None)
                    if waiting is not None:
                        waiting[0].came(answered)
        except FrameError:
            assert self._transport is not None
            self._transport.abort()  # `connection_lost` follows, and tells everybody who waits

    def pause_writing(self) -> None:
        """The other side reads slower than is sent."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = False
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and with it all answers."""
        if not self._opened.done():
            self._opened.set_exception(NotOfferedError(str(exc or "the connection was closed")))
        waiting, self._waiting = self._waiting, {}
        self._invocations, self._given_up = [], []
        for one, _ in waiting.values():
            one.came(ConnectionResetError("The target server failed to respond"))

    # ------------------------------------------------------------------ inside

    def _flush_soon(self) -> None:
        """What is asked in one turn of the loop travels together."""
        if not self._flushing and not self._paused:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._paused or not self.is_open or not (self._invocations or self._given_up):
            return
        assert self._transport is not None
        frames = self._writer.asked(self._invocations, self._given_up)
        self._invocations, self._given_up = [], []
        self._transport.writelines(frames)

    def _give_up_late(self) -> None:
        now = self._monotonic()
        late = [number for number, (_, until) in self._waiting.items() if until <= now]
        for number in late:
            waiting = self._waiting[number][0]
            self.give_up(number)
            waiting.came(TimeoutError("Read timed out"))
        self._look = self._loop.call_later(LOOK_SECONDS, self._give_up_late) if self._waiting else None


class StreamKeeper:
    """The stream to one endpoint, opened when it is first asked for, and again after it was lost.

    Only an endpoint that settings name, without TLS, is asked whether it offers one: AWS's own does not.
    """

    def __init__(self, endpoint: str, monotonic: Callable[[], float]) -> None:
        parts = urlsplit(endpoint)
        self._place = (parts.hostname, parts.port or 80) if parts.scheme == "http" and parts.hostname else None
        self._monotonic = monotonic
        self._stream: InvocationStream | None = None
        self._opening: asyncio.Task[None] | None = None
        self._ask_after = float("-inf")
        self._declined = False  # it was asked, and offered none

    @property
    def stream(self) -> InvocationStream | None:
        """The stream, if it is open."""
        stream = self._stream
        return stream if stream is not None and stream.is_open else None

    async def offered(self) -> InvocationStream | None:
        """The stream, opened if need be; None where Lambda's Invoke API is all there is.

        Who offered none is asked again beside the calls: an endpoint that says nothing to it must not hold them up.
        """
        if self._place is None or (self._opening is None and self._monotonic() < self._ask_after):
            return None
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(*self._place))
        if not self._declined:
            await asyncio.shield(self._opening)  # who stops waiting stops nobody else's
        return self.stream

    def close(self) -> None:
        """Ends the stream."""
        if self._opening is not None:
            self._opening.cancel()
        if self._stream is not None:
            self._stream.close()

    async def _open(self, host: str, port: int) -> None:
        stream = InvocationStream(self._monotonic)
        try:
            await stream.open(host, port, OPEN_SECONDS_MAX)
        except NotOfferedError:
            self._declined, self._ask_after = True, self._monotonic() + OFFER_AGAIN_SECONDS
        except TimeoutError:
            self._declined, self._ask_after = True, self._monotonic() + SILENT_AGAIN_SECONDS
        except OSError:
            self._ask_after = self._monotonic() + CONNECT_AGAIN_SECONDS
        else:
            self._declined, self._stream = False, stream
        finally:
            self._opening = None


class _Coroutine:
    """A coroutine that waits."""

    __slots__ = ("answer",)

    def __init__(self, answer: "asyncio.Future[Answered | OSError]") -> None:
        self.answer = answer

    def came(self, answered: Answered | OSError) -> None:
        if not self.answer.done():
            self.answer.set_result(answered)


def answer_of(answered: Answered | OSError) -> Answer:
    """What came of an invocation, as the Invoke API gives it. Raises AnswerTooLargeError, and the error that came."""
    if isinstance(answered, OSError):
        raise answered
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(answered.body)),
        "x-amzn-RequestId": answered.request_id,
    }
    if answered.executed_version:
        headers["X-Amz-Executed-Version"] = answered.executed_version
    if answered.function_error:
        headers[FUNCTION_ERROR] = answered.function_error
    elif answered.status < HTTP_OK_BELOW and len(answered.body) > ANSWER_BYTES_MAX:
        raise AnswerTooLargeError(f"The function answered more than {ANSWER_BYTES_MAX} bytes")
    if answered.error_type:
        headers["x-amzn-ErrorType"] = answered.error_type
    if answered.log_result:
        headers["X-Amz-Log-Result"] = answered.log_result
    return Answer(answered.status, headers, answered.body)
