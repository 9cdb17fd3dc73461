"""Answers of services are read up to a bound: botocore reads whatever comes, and a huge one would end the process."""

import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.response import StreamingBody

from maprun.aws.errors import AnswerTooLargeError

CHUNK_BYTES = 64 << 10
BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)  # whatever Content-Length says


class AbandonedError(Exception):
    """Nobody waits for this call any more: its answer is not read to the end."""


class AnswerLimits:
    """How much of an answer is read, and for how long: until `gone` is set for the call of the present thread."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._own = threading.local()

    def begin(self, gone: threading.Event) -> None:
        """A call begins in this thread."""
        self._own.gone = gone

    def bound(self, client: Any) -> None:
        """Makes a client read its answers up to the bound. Bodies that the caller reads itself stay open."""

        def send(request: Any, **_: Any) -> AWSResponse:
            streams, request.stream_output = request.stream_output, True
            # What botocore itself sends with, with its proxies, certificates and pool: there is no public way to it.
            response: AWSResponse = client._endpoint.http_session.send(request)  # noqa: SLF001
            if streams and response.status_code < HTTPStatus.MULTIPLE_CHOICES:
                return response
            bodiless = request.method == "HEAD" or response.status_code in BODILESS
            size = None if bodiless else response.headers.get("Content-Length")
            body = self.read(StreamingBody(response.raw, size))  # which words what fails while it reads
            return AWSResponse(response.url, response.status_code, response.headers, _Whole(body))

        client.meta.events.register_last("before-send", send)

    def read(self, body: StreamingBody) -> bytes:
        """All bytes of an open body. Raises AnswerTooLargeError or AbandonedError; the connection is closed then."""
        pieces, size = [], 0
        gone: threading.Event | None = getattr(self._own, "gone", None)
        for chunk in body.iter_chunks(CHUNK_BYTES):
            pieces.append(chunk)
            size += len(chunk)
            if size > self._bytes_max:
                body.close()
                raise AnswerTooLargeError(f"The answer has more than {self._bytes_max} bytes")
            if gone is not None and gone.is_set():
                body.close()
                raise AbandonedError
        return b"".join(pieces)


class _Whole:
    """A body that was read, in the place of the connection it came by."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """The body at once."""
        yield self._body
