"""STS's GetCallerIdentity, which tools that deploy ask for before anything else: on the API's port, as STS answers."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from aiohttp import web

from schemas.arns import Names
from services.maprun_tracker.access.allowed import ANYBODY, Caller

_NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"
_SIGNED_FOR = re.compile(r"Credential=[^/,]+/\d{8}/[^/,]+/([a-z0-9-]+)/aws4_request")
_QUERY: Final = "application/x-www-form-urlencoded"
ENDPOINT_SHOWN: Final = "This endpoint answers for Step Functions and for STS's GetCallerIdentity"


def signed_for(headers: Mapping[str, str]) -> str:
    """The service that a request is signed for, as its signature says; empty without one."""
    found = _SIGNED_FOR.search(headers.get("Authorization", ""))
    return found[1] if found else ""


def is_query(headers: Mapping[str, str]) -> bool:
    """True for a request of the Query protocol, which STS has and Step Functions has not.

    A form is also what curl takes any body for: what names its operation in a header is for Step Functions.
    """
    return headers.get("Content-Type", "").startswith(_QUERY) and "X-Amz-Target" not in headers


def answer(
    names: Names, request_id: str, headers: Mapping[str, str], body: bytes, caller: Caller = ANYBODY
) -> web.Response:
    """Who asks: the user whose key it is, the account's root where nobody has to sign; another action is refused."""
    asked = parse_qs(body.decode(errors="replace"))
    action, service = asked.get("Action", [""])[0], signed_for(headers)
    if action != "GetCallerIdentity" or service not in {"", "sts"}:
        told = f"{ENDPOINT_SHOWN}, not for '{action}'" + (f" of '{service}'." if service else ".")
        error = f"<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>{escape(told)}</Message></Error>"
        refused = f'<ErrorResponse xmlns="{_NAMESPACE}">{error}<RequestId>{request_id}</RequestId></ErrorResponse>'
        return _response(400, request_id, refused)
    arn, user = caller.arn or names.root(), caller.name or names.account
    identity = f"<Arn>{escape(arn)}</Arn><UserId>{escape(user)}</UserId><Account>{names.account}</Account>"
    answered = (
        f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}">'
        f"<GetCallerIdentityResult>{identity}</GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    return _response(200, request_id, answered)


def _response(status: int, request_id: str, text: str) -> web.Response:
    headers = {"x-amzn-RequestId": request_id}
    return web.Response(status=status, text=text, content_type="text/xml", headers=headers)
