"""Our signatures beside botocore's."""

from typing import Any
from urllib.parse import quote

from botocore.auth import SigV4Auth
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
