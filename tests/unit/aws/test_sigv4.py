"""Our signatures beside botocore's."""

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from maprun.aws.sigv4 import Keys, Signer


@given(
    name=st.text(st.sampled_from("abcXYZ019-_:%~ "), min_size=1, max_size=12),
    body=st.binary(max_size=40),
    token=st.sampled_from(["", "session/token=="]),
)
def test_signatures_are_botocores(name: str, body: bytes, token: str) -> None:
    """Our signer and botocore's give the same signature for the same request."""
    path = f"/2015-03-31/functions/{quote(name, safe='')}/invocations"
    headers = {"x-amz-invocation-type": "RequestResponse", "x-amz-client-context": "e30="}
    theirs = AWSRequest("POST", f"http://localhost:1234{path}", dict(headers), body, {"Qualifier": "a"})
    signer: Any = SigV4Auth(Credentials("AKID", "secret", token or None), "lambda", "eu-west-1")
    signer.add_auth(theirs)
    date = theirs.headers["X-Amz-Date"]
    ours = Signer(Keys("AKID", "secret", token), "eu-west-1", "lambda").signed(
        "POST",
        "localhost:1234",
        path,
        "Qualifier=a",
        headers,
        body,
        date,
    )
    assert ours["authorization"] == theirs.headers["Authorization"]


@given(
    cluster=st.text(st.sampled_from("abcXYZ019-_ "), min_size=1, max_size=12).map(str.strip).filter(bool),
    token=st.sampled_from(["", "session/token=="]),
)
def test_signatures_in_a_query_are_botocores(cluster: str, token: str) -> None:
    """Of a request to STS with a header, as AWS's authenticator for Kubernetes makes it."""
    host, asked = "sts.eu-west-1.amazonaws.com", {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
    theirs = AWSRequest("GET", f"https://{host}/", {"x-k8s-aws-id": cluster}, params=dict(asked))
    signer: Any = SigV4QueryAuth(Credentials("AKID", "secret", token or None), "sts", "eu-west-1", expires=60)
    signer.add_auth(theirs)
    query = parse_qs(urlsplit(theirs.url).query)
    ours = Signer(Keys("AKID", "secret", token), "eu-west-1", "sts").presigned(
        host, asked, {"x-k8s-aws-id": cluster}, query["X-Amz-Date"][0], 60
    )
    assert parse_qs(ours) == query
