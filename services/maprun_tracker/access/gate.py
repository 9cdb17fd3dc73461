"""Who asks, before anything of a request is looked at: its signature verified with the key that it names."""

import datetime as dt
import hmac
from collections.abc import Callable
from typing import Final

import msgspec

from maprun.aws.own_calls import OWN_HEADERS, services_secret
from maprun.aws.sigv4 import signing_key
from maprun.requests.checks import Refusal
from maprun.runtime.keys import SERVICES_KEY_ID, Key, KeyFile
from schemas.arns import Names
from schemas.tokens import TokenSecret
from services.maprun_tracker.access import signatures
from services.maprun_tracker.access.allowed import Caller
from services.maprun_tracker.access.replays import Replays
from services.maprun_tracker.access.signatures import Claim, SignedRequest

STATES: Final = "states"
SIGNING_KEYS_MAX = 256
SERVICES: Final = Caller("maprun")
"""maprun's own processes: other trackers that hand requests on, and Tasks that start executions."""
_READS: Final = ("Describe", "List", "Validate", "GetExecutionHistory")
_LATE = "This signature was used some time ago: each is good once for a request that may change something."
_NOT_YET = "The tracker has not met its cluster yet; try again."


def changes(operation: str) -> bool:
    """True for an operation that may change something: one that reads is the same however often it is asked."""
    return not operation.startswith(_READS)


class Gate:
    """Lets in who has a key. `keys` are those of users, `secret` is the cluster's."""

    def __init__(self, keys: KeyFile, names: Names, secret: TokenSecret, utc_now: Callable[[], dt.datetime]) -> None:
        self._keys = keys
        self._names = names
        self._secret = secret
        self._utc_now = utc_now
        self._replays = Replays()
        self._signing_keys: dict[tuple[str, str, str, str], bytes] = {}

    def claim(self, request: SignedRequest, service: str, *, peer: bool) -> "Claimed":
        """What the headers of a request to `service` claim. Raises Refusal when that can't be true for any body.

        `peer` says that it is one which processes of the tracker make to each other.
        """
        now = self._utc_now()
        claim = signatures.claim_of(request, now)
        regions = {self._names.region} if service == STATES else {self._names.region, "us-east-1"}
        if claim.region not in regions:
            raise signatures.invalid(f"Credential should be scoped to a valid region, not '{claim.region}'.")
        if claim.service != service:
            raise signatures.invalid(f"Credential should be scoped to correct service: '{service}'.")
        if claim.key_id == SERVICES_KEY_ID:
            if not self._secret.known:
                raise Refusal("ServiceUnavailable", _NOT_YET)
            return Claimed(claim, services_secret(self._secret), SERVICES)
        key = self._keys.of(claim.key_id)
        if key is None or not hmac.compare_digest(key.token.encode(), claim.token.encode(errors="surrogateescape")):
            raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
        if key.expires is not None and key.expires <= now:
            raise Refusal("ExpiredTokenException", "The security token included in the request is expired")
        if any(name.startswith(OWN_HEADERS) for name, _ in request.headers):
            raise Refusal(
                "AccessDeniedException", f"Headers that begin with {OWN_HEADERS} are of maprun's own processes."
            )
        if peer:
            raise Refusal("AccessDeniedException", "Only processes of the tracker ask each other here.")
        return Claimed(claim, key.secret, self._caller(key))

    def let_in(self, claimed: "Claimed", request: SignedRequest, body: bytes, operation: str) -> Caller:
        """Who asks, once the claim holds for this very body. Raises Refusal (InvalidSignatureException)."""
        claim = claimed.claim
        signatures.check(claim, request, body, self._signing_key(claimed))
        if changes(operation) and not self._replays.in_time(claim, self._utc_now()):
            raise signatures.invalid(_LATE)
        return claimed.caller

    def _caller(self, key: Key) -> Caller:
        return Caller(key.name, self._names.user(key.name), key.allow)

    def _signing_key(self, claimed: "Claimed") -> bytes:
        claim = claimed.claim
        place = claimed.secret, claim.date, claim.region, claim.service
        found = self._signing_keys.get(place)
        if found is None:
            if len(self._signing_keys) >= SIGNING_KEYS_MAX:
                self._signing_keys.clear()
            found = self._signing_keys[place] = signing_key(*place)
        return found


class Claimed(msgspec.Struct, frozen=True):
    """A claim that a body can prove, the secret it is to be proved with, and who would then be asking."""

    claim: Claim
    secret: str
    caller: Caller

    def __repr__(self) -> str:
        return f"<Claimed {self.caller.name}>"
