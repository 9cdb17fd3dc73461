"""The API of a Kubernetes cluster of EKS: requests that show who asks, to a cluster that shows its certificate.

Who asks is shown as AWS's authenticator for Kubernetes does it: by a request to STS, signed and not sent, which the
cluster sends. Whoever has it is this process for the cluster. So it goes to EKS's own hosts, or to a place that the
configuration names, never to a host of a definition's choice.
"""

import base64
import re
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec
from multidict import CIMultiDict
from yarl import URL

from maprun.aws.lambda_answers import payload_json
from maprun.aws.signing import Signers
from maprun.aws.sigv4 import Keys
from maprun.aws.web.answers import UnreadableError, is_json, text_of
from maprun.aws.web.client import CURE, NoAnswerError, NotAllowedError, Origin, WebAnswer, WebClient, WebRequest
from maprun.aws.web.failures import TaskError
from maprun.aws.web.http_invoke import endpoint_of
from maprun.aws.web.members import MemberError, encoded, escaped

NO_ANSWER = "EKS.SdkClientException"
JSON = "application/json"
TOKEN_SECONDS = 60
"""So long STS takes the signed request; the cluster takes the token for a quarter of an hour."""
TRUSTS_MAX = 256
_OWN = re.compile(
    r"[a-z0-9-]+\.[a-z0-9-]+\.(?P<region>[a-z0-9-]+)\.eks\.amazonaws\.com(?:\.cn)?"
    r"|[a-z0-9-]+\.[a-z0-9-]+\.eks-cluster\.(?P<other>[a-z0-9-]+)\.api\.(?:aws|amazonwebservices\.com\.cn)",
    re.IGNORECASE,
)


class ClusterParameters(msgspec.Struct, frozen=True, rename="pascal"):
    """Which cluster is meant."""

    cluster_name: str
    certificate_authority: str
    endpoint: str


class Asked(msgspec.Struct, frozen=True):
    """One request to the API; a value of the query may be there several times."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Clusters:
    """Calls clusters. Use within one event loop. `origins` are places that the configuration names."""

    def __init__(self, client: WebClient, origins: frozenset[Origin], signers: Signers, region: str) -> None:
        self._client = client
        self._origins = origins
        self._signers = signers
        self._region = region
        self._trusts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    async def ask(
        self, cluster: ClusterParameters, asked: Asked, role: Keys | None, answer_bytes_max: int
    ) -> WebAnswer:
        """The answer, whatever its status, with the keys of the process or of a role.

        Raises TaskError, MemberError for what can't be sent, AnswerTooLargeError.
        """
        place = endpoint_of(cluster.endpoint)
        own = _OWN.fullmatch(place.host or "")
        if own is None and (place.scheme, place.host or "", place.port or 0) not in self._origins:
            where = f"{place.scheme}://{place.authority}"
            raise TaskError("States.Permissions", f"{where} may not be called: it is no cluster of EKS; {CURE}")
        region = (own["region"] or own["other"]) if own is not None else self._region
        headers = CIMultiDict({"Accept": JSON, "User-Agent": "maprun"})
        headers["Authorization"] = f"Bearer {await self._token(cluster.cluster_name, region, role)}"
        if asked.body:
            headers["Content-Type"] = _content_type(asked)
        url = URL(f"{place.origin()}{_path_of(asked.path)}", encoded=True)
        if asked.query:
            url = URL(f"{url}?{encoded(asked.query)}", encoded=True)
        trust = self._trust(cluster.certificate_authority)
        request = WebRequest(asked.method, url, headers, asked.body, trust=trust)
        try:
            return await self._client.send(request, answer_bytes_max)
        except NotAllowedError as error:
            raise TaskError("States.Permissions", str(error)) from error
        except NoAnswerError as error:
            raise TaskError(NO_ANSWER, f"Unable to execute HTTP request: {error}") from error

    async def _token(self, cluster_name: str, region: str, role: Keys | None) -> str:
        signer = await self._signers.of(region, role)
        if signer is None:
            raise TaskError(NO_ANSWER, "Unable to load credentials to sign the request with")
        host = f"sts.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
        query = signer.presigned(
            host,
            {"Action": "GetCallerIdentity", "Version": "2011-06-15"},
            {"x-k8s-aws-id": cluster_name},
            self._signers.amz_date(),
            TOKEN_SECONDS,
        )
        return f"k8s-aws-v1.{base64.urlsafe_b64encode(f'https://{host}/?{query}'.encode()).decode().rstrip('=')}"

    def _trust(self, authority: str) -> ssl.SSLContext:
        """Trust in this authority alone. Raises MemberError."""
        trust = self._trusts.get(authority)
        if trust is None:
            try:
                trust = ssl.create_default_context(cadata=base64.b64decode(authority, validate=True).decode("ascii"))
            except (ValueError, ssl.SSLError) as error:
                raise MemberError(
                    "The value for the field 'CertificateAuthority' must be a certificate in Base64"
                ) from error
            trust.verify_flags &= ~ssl.VERIFY_X509_STRICT  # certificates of clusters lack what it asks for
            self._trusts[authority] = trust
            if len(self._trusts) > TRUSTS_MAX:
                self._trusts.popitem(last=False)
        else:
            self._trusts.move_to_end(authority)
        return trust


def _path_of(path: str) -> str:
    if any(segment in {".", ".."} for segment in path.split("/")):
        raise MemberError("The value for the field 'Path' must lead nowhere but down")
    return "".join(f"/{escaped(part)}" for part in path.removeprefix("/").split("/"))


def _content_type(asked: Asked) -> str:
    """A PATCH is what kubectl's is by default, or of an array the changes that it lists."""
    if asked.method != "PATCH":
        return JSON
    return (
        "application/json-patch+json" if asked.body.lstrip()[:1] == b"[" else "application/strategic-merge-patch+json"
    )


def shown(answer: WebAnswer) -> dict[str, Any]:
    """An answer as the integration shows it, also in causes."""
    try:
        text = text_of(answer)
    except UnreadableError as error:
        raise TaskError("States.Runtime", str(error)) from error
    body: Any = msgspec.Raw(payload_json(text.encode(errors="replace"))) if is_json(answer) and text.strip() else text
    return {"ResponseBody": body, "StatusCode": answer.status, "StatusText": answer.reason}


def well(answer: WebAnswer) -> WebAnswer:
    """The same answer if it is a success. Raises TaskError, named after the status."""
    if not answer.ok:
        raise TaskError(f"EKS.{answer.status}", msgspec.json.encode(shown(answer)).decode())
    return answer


def queried(parameters: Mapping[str, list[str]] | None) -> tuple[tuple[str, str], ...]:
    """A query as Parameters write it."""
    return tuple((name, value) for name, values in (parameters or {}).items() for value in values)
