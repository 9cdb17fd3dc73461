"""A service of AWS's that a test answers for over HTTP: requests are read and answers written by the service's model.

Who reads and writes is moto, not botocore, which the calls are made with: so neither side is held against itself.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug import Response
from werkzeug.serving import make_server

Json = dict[str, Any]
Answers = Mapping[str, Callable[[Json], Json]]
"""Operation → its answer to what is asked, both with the model's own names."""


class ModelledService:
    """Answers, and keeps what was asked."""

    def __init__(self, name: str, answers: Answers) -> None:
        self._name, self._answers = name, answers
        self._model = get_service_model(name)
        self._router = get_service_router(name)
        self.asked: list[tuple[str, Json]] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """One request."""
        request: Any = Request(environ)
        operation, places = self._router.match(request)
        protocol = determine_request_protocol(self._model, request.content_type)
        asked = PROTOCOL_PARSERS[protocol](operation).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": places,
            }
        )
        self.asked.append((operation.name, asked))
        made = get_serializer_class(self._name, protocol)(operation).serialize(self._answers[operation.name](asked))
        return Response(made["body"], made["status_code"], made["headers"])(environ, start_response)


@contextmanager
def running(service: ModelledService) -> Iterator[str]:
    """The address at which it answers."""
    server = make_server("127.0.0.1", 0, service, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
