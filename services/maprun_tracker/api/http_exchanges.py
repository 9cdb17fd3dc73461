"""What went over the wire for an HTTP Task, as TestState shows it: headers as one text, bodies as they were."""

from collections.abc import Iterable

from maprun.aws.web.client import Watch
from maprun.statetest.answers import Exchange, Request, Response


def exchange_of(watch: Watch | None) -> Exchange | None:
    """What a watch has seen; None if nothing was sent."""
    if watch is None or watch.request is None:
        return None
    sent, answer = watch.request, watch.answer
    scheme = sent.url.scheme
    request = Request(
        protocol=scheme,
        method=sent.method,
        url=str(sent.url),
        headers=_listed(sent.headers.items()),
        body=_text(sent.body),
    )
    if answer is None:
        return Exchange(request)
    response = Response(
        protocol=scheme,
        status_code=str(answer.status),
        status_message=answer.reason,
        headers=_listed(answer.headers),
        body=_text(answer.body),
    )
    return Exchange(request, response)


def _listed(headers: Iterable[tuple[str, str]]) -> str:
    return f"[{', '.join(f'{name}: {value}' for name, value in headers)}]"


def _text(body: bytes) -> str | None:
    return body.decode(errors="replace") if body else None
