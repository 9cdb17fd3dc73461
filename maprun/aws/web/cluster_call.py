"""`eks:call`: a request to the API of a cluster (developer guide, connect-eks)."""

from typing import Literal

import msgspec

from maprun.aws.parameters import UnusableError, parameters_as, unusable
from maprun.aws.sigv4 import Keys
from maprun.aws.web.clusters import Asked, ClusterParameters, Clusters, queried, shown, well
from maprun.aws.web.failures import TaskError
from maprun.aws.web.members import MemberError


class CallParameters(ClusterParameters, frozen=True, forbid_unknown_fields=True, rename="pascal", kw_only=True):
    """The parameters of `arn:aws:states:::eks:call`."""

    method: Literal["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]
    path: str
    query_parameters: dict[str, list[str]] | None = None
    request_body: msgspec.Raw = msgspec.Raw(b"")


async def call_cluster(clusters: Clusters, parameters: bytes, role: Keys | None, answer_bytes_max: int) -> bytes:
    """The result. Raises TaskError, AnswerTooLargeError."""
    try:
        asked = parameters_as(parameters, CallParameters)
        body = bytes(asked.request_body)
        if body[:1] == b'"':
            body = msgspec.json.decode(body, type=str).encode(errors="replace")  # it may be a text that is JSON
        sent = Asked(asked.method, asked.path, queried(asked.query_parameters), b"" if body == b"null" else body)
        answer = await clusters.ask(asked, sent, role, answer_bytes_max)
    except UnusableError as error:
        raise TaskError("States.Runtime", str(error)) from error
    except MemberError as error:
        raise TaskError("States.Runtime", unusable(parameters, str(error))) from error
    return msgspec.json.encode(shown(well(answer)))
