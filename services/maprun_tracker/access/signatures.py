"""AWS Signature Version 4 verified, pure: what a request's Authorization claims, and whether the claim holds.

A claim is judged in two steps, so that nobody without a key has a body read: by the headers alone, then with the body.
The refusals are AWS's, in its words.
"""

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from maprun.aws.own_calls import OWN_HEADERS
from maprun.aws.sigv4 import ALGORITHM, TERMINATOR, canonical_request, scope_of, signature
from maprun.requests.checks import Refusal

SKEW_SECONDS_MAX = 300
"""How far a request's date may be from now. AWS's documents say five minutes too; and both ways together are less than
the time for which an answer is remembered by its request's id."""
_PARAMETERS = ("Credential", "SignedHeaders", "Signature")
_CREDENTIAL_PARTS = 5
_AMZ_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_MUST_BE_SIGNED: Final = frozenset(
    {"host", "x-amz-date", "x-amz-target", "x-amz-security-token", "x-amz-content-sha256"}
)
"""Those of a request that decide what it does or whose it is, beside all of maprun's own. The id of a call is not among
them: botocore doesn't sign it."""
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key"
    " and signing method. Consult the service documentation for details."
)


class SignedRequest(msgspec.Struct, frozen=True):
    """A request as it came: `target` is path and query as sent, `headers` by lower-case names."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]


class Claim(msgspec.Struct, frozen=True):
    """What a request's headers claim: who signed it, when, for what, and which headers with it."""

    key_id: str
    amz_date: str
    date: str
    region: str
    service: str
    signed_headers: tuple[tuple[str, str], ...]
    signature: str
    token: str
    payload_sha256: str


def claim_of(request: SignedRequest, now: dt.datetime) -> Claim:
    """What a request claims. Raises Refusal when it claims nothing, not in full, or for another time."""
    headers: dict[str, str] = {}
    repeated = set()
    for name, value in request.headers:
        if name in headers:
            repeated.add(name)
        headers[name] = value
    given = headers.get("authorization", "")
    if not given.startswith("AWS4-"):
        raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    if "authorization" in repeated:
        raise _incomplete("The header 'authorization' stands there more than once.")
    parameters = _parameters(given)
    amz_date = headers.get("x-amz-date", "")
    lacking = [f"Authorization header requires '{name}' parameter." for name in _PARAMETERS if name not in parameters]
    if not amz_date:
        lacking.append("Authorization header requires existence of a 'X-Amz-Date' header.")
    if lacking:
        raise _incomplete(" ".join(lacking))
    signed = _signed(parameters["SignedHeaders"], headers, repeated)
    parts = parameters["Credential"].rsplit("/", _CREDENTIAL_PARTS - 1)
    if len(parts) != _CREDENTIAL_PARTS:
        raise _incomplete("Credential must have exactly 5 slash-delimited elements.")
    key_id, date, region, service, terminator = parts
    _check_date(amz_date, date, now)
    if terminator != TERMINATOR:
        raise invalid(f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'.")
    return Claim(
        key_id,
        amz_date,
        date,
        region,
        service,
        signed,
        parameters["Signature"],
        headers.get("x-amz-security-token", ""),
        headers.get("x-amz-content-sha256", ""),
    )


def check(claim: Claim, request: SignedRequest, body: bytes, signing_key: bytes) -> None:
    """Whether a claim holds, for this very body. Raises Refusal (InvalidSignatureException)."""
    digest = hashlib.sha256(body).hexdigest()
    if claim.payload_sha256 not in {"", digest}:
        # UNSIGNED-PAYLOAD and the streamed forms too: a body that nobody signed could be anybody's.
        raise invalid("The value of 'x-amz-content-sha256' is not the SHA-256 of the request's body.")
    path, query = _path_and_query(request.target)
    canonical = canonical_request(request.method, path, query, claim.signed_headers, digest)
    scope = scope_of(claim.date, claim.region, claim.service)
    ours = signature(signing_key, claim.amz_date, scope, canonical)
    if not hmac.compare_digest(ours.encode(), claim.signature.encode(errors="surrogateescape")):
        raise invalid(_MISMATCH)


def invalid(message: str) -> Refusal:
    """A signature that is not good for this request."""
    return Refusal("InvalidSignatureException", message)


def _incomplete(message: str) -> Refusal:
    return Refusal("IncompleteSignatureException", message)


def _parameters(given: str) -> dict[str, str]:
    """The members of an Authorization header. Raises Refusal; the header is not repeated, for it may land in a log."""
    algorithm, _, rest = given.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': only '{ALGORITHM}' is verified here.")
    found: dict[str, str] = {}
    for part in rest.split(","):
        name, equal, value = part.strip().partition("=")
        if not equal or name in found:
            raise _incomplete("Authorization header has a part that is not one key=value pair of its own.")
        if value:
            found[name] = value
    return found


def _signed(names_given: str, headers: Mapping[str, str], repeated: set[str]) -> tuple[tuple[str, str], ...]:
    """The headers that are signed. Raises Refusal when one that decides something is not, or stands there twice."""
    names = names_given.split(";")
    if names != sorted(set(names)):
        raise _incomplete("SignedHeaders must be in order, in lower case, and name no header twice.")
    for name in names:
        if name not in headers:
            raise invalid(f"'{name}' is named as a SignedHeader, but it does not exist in the HTTP request")
    for name in headers:
        if (name in _MUST_BE_SIGNED or name.startswith(OWN_HEADERS)) and name not in names:
            raise invalid(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    if "host" not in names:
        raise invalid("'host' must be a 'SignedHeader' in the AWS Authorization.")
    for name in names:
        if name in repeated:
            raise invalid(f"The signed header '{name}' stands there more than once.")
    return tuple((name, headers[name]) for name in names)


def _check_date(amz_date: str, date: str, now: dt.datetime) -> None:
    at = _time(amz_date)
    if at is None:
        raise _incomplete("Date must be in ISO-8601 'basic format': YYYYMMDD'T'HHMMSS'Z'.")
    if amz_date[:8] != date:
        raise invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP:"
            f" '{date}' != '{amz_date[:8]}', from '{amz_date}'."
        )
    minutes, skew = SKEW_SECONDS_MAX // 60, dt.timedelta(seconds=SKEW_SECONDS_MAX)
    here = f"{now:%Y%m%dT%H%M%SZ}"
    if at < now - skew:
        bound = f"{now - skew:%Y%m%dT%H%M%SZ}"
        raise invalid(f"Signature expired: {amz_date} is now earlier than {bound} ({here} - {minutes} min.)")
    if at > now + skew:
        bound = f"{now + skew:%Y%m%dT%H%M%SZ}"
        raise invalid(f"Signature not yet current: {amz_date} is still later than {bound} ({here} + {minutes} min.)")


def _time(amz_date: str) -> dt.datetime | None:
    if not _AMZ_DATE.fullmatch(amz_date):  # strptime also takes fewer digits
        return None
    try:
        return dt.datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def _path_and_query(target: str) -> tuple[str, str]:
    """Path and query of a request's target, the query's members in the form and order that are signed."""
    if not target.startswith("/"):  # a proxy's form: http://host/path
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    ordered = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    return path, "&".join(f"{name}={value}" for name, value in ordered)


def _encoded(text: str) -> str:
    return quote(unquote(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")
