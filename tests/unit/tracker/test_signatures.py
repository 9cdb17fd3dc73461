"""Signatures as botocore makes them, and all that may be wrong with one."""

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.aws.sigv4 import amz_date_of, signing_key
from maprun.requests.checks import Refusal
from services.maprun_tracker.access.allowed import Caller
from services.maprun_tracker.access.gate import SERVICES, Gate
from services.maprun_tracker.access.replays import Replays
from services.maprun_tracker.access.signatures import SignedRequest, check, claim_of
from tests.unit.tracker.signing import ADMIN, ID, KEY, Clock, gate_with, signed_headers, utc_now

URL = "http://127.0.0.1:8083"
TARGET = {"X-Amz-Target": "AWSStepFunctions.StopExecution", "Content-Type": "application/x-amz-json-1.0"}
BODY = b'{"executionArn":"arn"}'
Headers = dict[str, str]


def as_came(headers: Headers, method: str = "POST", target: str = "/") -> SignedRequest:
    """A request as the site sees it."""
    lower = {"host": "127.0.0.1:8083", **{name.lower(): value for name, value in headers.items()}}
    return SignedRequest(method, target, list(lower.items()))


def let_in(gate: Gate, request: SignedRequest, body: bytes = BODY, operation: str = "StopExecution") -> Caller:
    """Both steps of the gate."""
    return gate.let_in(gate.claim(request, "states", peer=False), request, body, operation)


@given(
    name=st.text(st.sampled_from("abcXYZ019-_:%~ é/+"), min_size=1, max_size=12),
    value=st.text(st.sampled_from("aZ9 -_é"), max_size=12),
    body=st.binary(max_size=40),
)
def test_what_botocore_signs_holds(name: str, value: str, body: bytes) -> None:
    """Whatever path, query, headers and body: the claim is true for them, and false for any other body."""
    target = f"/{quote(name, safe='')}?b={quote(value, safe='')}&a-b=1&a={quote(name, safe='')}&a=0"
    headers = signed_headers("POST", URL + target, {"X-Any": f" {value.encode().hex()}  x "}, body)
    request = as_came(headers, target=target)
    claim = claim_of(request, utc_now())
    assert (claim.key_id, claim.region, claim.service) == (ID, "us-east-1", "states")
    key = signing_key(KEY, claim.date, claim.region, claim.service)
    check(claim, request, body, key)
    for absolute in (SignedRequest("POST", URL + target, request.headers),):  # the form that proxies are asked in
        check(claim, absolute, body, key)
    with pytest.raises(Refusal, match="InvalidSignatureException"):
        check(claim, request, body + b" ", key)


def changed(name: str, value: str) -> Callable[[Headers], Headers]:
    """A header put there, or in the place of another, after the signing."""
    return lambda headers: {**{n: v for n, v in headers.items() if n.lower() != name}, name: value}


def in_authorization(old: str, new: str) -> Callable[[Headers], Headers]:
    """Something else in the header that carries the signature."""
    return lambda headers: {**headers, "Authorization": headers["Authorization"].replace(old, new)}


def without(name: str) -> Callable[[Headers], Headers]:
    """A header taken away after the signing."""
    return lambda headers: {n: v for n, v in headers.items() if n != name}


INVALID, INCOMPLETE, MISSING = (
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
)
MISMATCH = "The request signature we calculated does not match the signature you provided."


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (without("Authorization"), MISSING, "Missing Authentication Token"),
        (changed("authorization", "Basic YTpi"), MISSING, "Missing Authentication Token"),
        (changed("authorization", "AWS4-HMAC-SHA256"), INCOMPLETE, "one key=value pair"),
        (changed("authorization", "AWS4-HMAC-SHA256 Credential="), INCOMPLETE, "requires 'Credential' parameter."),
        (changed("authorization", "AWS4-ECDSA-P256-SHA256 Credential=a"), INCOMPLETE, "Unsupported AWS 'algorithm'"),
        (in_authorization("Signature=", "Other="), INCOMPLETE, "requires 'Signature' parameter."),
        (in_authorization("Signature=", "Signature=0, Signature="), INCOMPLETE, "one key=value pair of its own"),
        (in_authorization("/aws4_request", ""), INCOMPLETE, "5 slash-delimited elements"),
        (in_authorization("aws4_request", "aws5_request"), INVALID, "valid terminator: 'aws4_request'"),
        (in_authorization("us-east-1", "eu-west-1"), INVALID, "scoped to a valid region, not 'eu-west-1'."),
        (in_authorization("/states/", "/sns/"), INVALID, "scoped to correct service: 'states'."),
        (in_authorization("Signature=", "Signature=0"), INVALID, MISMATCH),
        (in_authorization("Signature=", "Signature=é"), INVALID, MISMATCH),
        (in_authorization(f"={ID}/", "=SOMEONE/"), "UnrecognizedClientException", "security token included"),
        (in_authorization(";host;", ";"), INVALID, "'host' must be a 'SignedHeader'"),
        (in_authorization(";x-amz-target", ""), INVALID, "'x-amz-target' must be a 'SignedHeader'"),
        (
            in_authorization("content-type;", "accept;content-type;"),
            INVALID,
            "'accept' is named as a SignedHeader, but",
        ),
        (in_authorization("content-type;", "host;"), INCOMPLETE, "SignedHeaders must be in order"),
        (without("X-Amz-Date"), INCOMPLETE, "requires existence of a 'X-Amz-Date' header."),
        (changed("x-amz-date", "20261301T000000Z"), INCOMPLETE, "ISO-8601 'basic format'"),
        (changed("x-amz-date", "20260101T000000Z"), INVALID, "Date in Credential scope does not match YYYYMMDD"),
        (changed("x-amz-target", "AWSStepFunctions.StartExecution"), INVALID, MISMATCH),
        (changed("host", "127.0.0.1:9999"), INVALID, MISMATCH),
        (changed("content-type", "text/plain"), INVALID, MISMATCH),
        (changed("x-amz-security-token", "mine"), INVALID, "'x-amz-security-token' must be a 'SignedHeader'"),
        (changed("x-maprun-task-token", "mine"), INVALID, "'x-maprun-task-token' must be a 'SignedHeader'"),
        (changed("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), INVALID, "'x-amz-content-sha256' must be a"),
    ],
)
def test_what_is_wrong_is_named(change: Callable[[Headers], Headers], code: str, words: str, tmp_path: Path) -> None:
    """Each fault has AWS's code, and says what it is."""
    request = as_came(change(signed_headers("POST", URL, TARGET, BODY)))
    with pytest.raises(Refusal) as refused:
        let_in(gate_with(tmp_path, ADMIN), request)
    assert refused.value.code == code
    assert words in refused.value.message


@pytest.mark.parametrize("name", ["Authorization", "X-Amz-Target", "X-Amz-Date"])
def test_what_stands_there_twice_is_refused(name: str, tmp_path: Path) -> None:
    """What is verified could be one of them, and what is done the other."""
    headers = signed_headers("POST", URL, TARGET, BODY)
    once = as_came(headers)
    twice = SignedRequest("POST", "/", [*once.headers, (name.lower(), headers[name])])
    with pytest.raises(Refusal, match="more than once"):
        let_in(gate_with(tmp_path, ADMIN), twice)


@pytest.mark.parametrize("payload", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0" * 64])
def test_a_body_that_is_not_signed_is_refused(payload: str, tmp_path: Path) -> None:
    """Even by who has the key; with the right digest, as some SDKs send it, the same request is let in."""
    gate = gate_with(tmp_path, ADMIN)
    headers = signed_headers("POST", URL, {**TARGET, "X-Amz-Content-SHA256": payload}, BODY)
    with pytest.raises(Refusal, match="is not the SHA-256 of the request's body"):
        let_in(gate, as_came(headers))
    digest = hashlib.sha256(BODY).hexdigest()
    let_in(gate, as_came(signed_headers("POST", URL, {**TARGET, "X-Amz-Content-SHA256": digest}, BODY)))


@pytest.mark.parametrize(
    ("ahead_seconds", "words"),
    [
        (310, r"Signature expired: \S+ is now earlier than \S+ \(\S+ - 5 min.\)"),
        (-310, r"not yet current: .*\+ 5 min."),
    ],
)
def test_a_date_far_from_now_is_refused(ahead_seconds: int, words: str, tmp_path: Path) -> None:
    """Five minutes either way, which AWS's documents say too."""
    request = as_came(signed_headers("POST", URL, TARGET, BODY))
    with pytest.raises(Refusal, match=words) as refused:
        let_in(gate_with(tmp_path, ADMIN, clock=Clock(ahead_seconds)), request)
    assert refused.value.code == INVALID
    nearer = ahead_seconds - 20 if ahead_seconds > 0 else ahead_seconds + 20
    let_in(gate_with(tmp_path, ADMIN, clock=Clock(nearer)), request)


def test_a_copy_that_comes_late_changes_nothing(tmp_path: Path) -> None:
    """Equal calls of one second are signed alike, and all answered; a copy that was kept is not, unless it reads."""
    clock = Clock()
    gate = gate_with(tmp_path, ADMIN, clock=clock)
    request = as_came(signed_headers("POST", URL, TARGET, BODY))
    for _ in range(3):
        let_in(gate, request)
    clock.ahead = dt.timedelta(seconds=32)
    with pytest.raises(Refusal, match="This signature was used some time ago"):
        let_in(gate, request)
    let_in(gate, request, operation="DescribeExecution")
    let_in(gate, as_came(signed_headers("POST", URL, TARGET, BODY + b" ")), BODY + b" ")


def test_who_copies_an_invocation_id_asks_for_something_else() -> None:
    """Nobody is given the answer to another key's call by naming its id; services name those of whom they ask for."""
    ours, theirs = (Caller(name, f"arn:{name}").attempt_of("one") for name in ("ci", "other"))
    assert ours != theirs
    assert SERVICES.attempt_of(ours) == ours
    assert Caller("ci", "arn:ci").attempt_of("") == ""


def test_temporary_keys(tmp_path: Path) -> None:
    """Their token is asked for, no other one will do, and they run out."""
    key = {**ADMIN, "token": "session/token==", "expires": f"{utc_now() + dt.timedelta(minutes=3):%Y-%m-%dT%H:%M:%SZ}"}
    with_token = as_came(signed_headers("POST", URL, TARGET, BODY, token="session/token=="))  # noqa: S106 - of no key
    assert let_in(gate_with(tmp_path, key), with_token).name == "ci"
    for token in (None, "another"):
        with pytest.raises(Refusal, match="UnrecognizedClientException"):
            let_in(gate_with(tmp_path, key), as_came(signed_headers("POST", URL, TARGET, BODY, token=token)))
    with pytest.raises(Refusal, match="UnrecognizedClientException"):
        let_in(gate_with(tmp_path, ADMIN), with_token)
    with pytest.raises(Refusal, match="ExpiredTokenException"):
        let_in(gate_with(tmp_path, key, clock=Clock(240)), with_token)


def test_headers_of_our_own_are_not_a_users(tmp_path: Path) -> None:
    """With them a Task's token would hear of another execution's end."""
    headers = signed_headers("POST", URL, {**TARGET, "X-Maprun-Task-Token": "t"}, BODY)
    with pytest.raises(Refusal, match="AccessDeniedException"):
        let_in(gate_with(tmp_path, ADMIN), as_came(headers))


def test_used_signatures_are_forgotten_with_their_dates() -> None:
    """Those of a second that is no longer good go, and the oldest ones of too many; all others stay."""
    seen, now = Replays(kept_max=3), utc_now().replace(microsecond=0)
    claim = claim_of(as_came(signed_headers("POST", URL, TARGET, BODY)), now)

    def in_time(mark: int, after_seconds: int, date_seconds: int) -> bool:
        date = amz_date_of(int(now.timestamp()) + date_seconds)
        used = msgspec.structs.replace(claim, amz_date=date, signature=f"{mark:016x}00")
        return seen.in_time(used, now + dt.timedelta(seconds=after_seconds))

    assert in_time(1, 0, 0)
    assert in_time(2, 0, 1)
    assert not in_time(1, 300, 0), "its date is good for another moment"
    assert in_time(3, 301, 301)
    assert in_time(1, 301, 0), "forgotten with its date, which the gate lets in no more"
    assert not in_time(2, 301, 1)
    assert in_time(4, 302, 302)
    assert in_time(5, 303, 303)
    assert in_time(2, 303, 1), "the oldest of too many"
    assert in_time(4, 332, 302)
    assert not in_time(4, 333, 302)
