"""GetObject without botocore: what is taken, what is left to it, and that requests may go out before their turn."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError
from hypothesis import given
from hypothesis import strategies as st

from maprun.aws.clients import S3, AwsSettings, make_s3
from maprun.aws.light_gets import BEGUN_SECONDS_MAX, SMALL_BYTES_MAX, TROUBLE_SECONDS, LightGets
from maprun.aws.sigv4 import Keys, Signer

BODY = b"the body of an object"


class Server:
    """Answers as its keys say, and keeps the requests and connections it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.connections: set[Any] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """A GetObject."""
                server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                server.connections.add(self.client_address)
                kind = self.path.rpartition("/")[2]
                if kind == "gone":
                    self.close_connection = True
                    return
                status = {"missing": 404, "absent": 404, "elsewhere": 301, "busy": 503}.get(kind, 206)
                self.send_response(status)
                self.send_header("ETag", '"e"')
                self.send_header("Content-Range", f"bytes 0-{len(BODY) - 1}/{len(BODY)}")
                self.send_header("Last-Modified", "Sat, 31 Jan 2026 12:00:00 GMT")
                if kind in {"chunked", "absent"}:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
                    return
                size = SMALL_BYTES_MAX + 1 if kind == "large" else len(BODY)
                self.send_header("Content-Length", str(size))
                if kind == "last":
                    self.send_header("Connection", "close")
                    self.close_connection = True
                self.end_headers()
                self.wfile.write(BODY if kind != "torn" else BODY[:5])
                if kind in {"torn", "last", "large"}:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server for one test."""
    made = Server()
    yield made
    made.close()


def s3_at(endpoint: str, wall_seconds: Callable[[], float] = time.time) -> S3:
    """An access with a light path."""
    settings = AwsSettings(region="us-east-1", access_key_id="a", secret_access_key="b", s3_endpoint=endpoint)  # noqa: S106
    return make_s3(settings, lambda _: None, lambda: 0.5, wall_seconds=wall_seconds)


def light_at(endpoint: str) -> LightGets:
    """The light path."""
    light = s3_at(endpoint).light
    assert light is not None
    return light


def asked(key: str, bucket: str = "bucket") -> dict[str, Any]:
    """A range of an object in its version."""
    return {"Bucket": bucket, "Key": key, "Range": "bytes=0-99", "IfMatch": '"e"', "ExpectedBucketOwner": "1"}


def test_an_answer_has_what_sources_look_at(server: Server) -> None:
    """Body, ETag, range, dates; the next call goes over the same connection; conditions travel."""
    light = light_at(server.endpoint)
    for _ in range(3):
        answer = light.get(asked("a b/ä"))
        assert answer is not None
        assert (answer["Body"].read(), answer["ETag"], answer["ContentLength"]) == (BODY, '"e"', len(BODY))
        assert answer["ContentRange"] == f"bytes 0-{len(BODY) - 1}/{len(BODY)}"
        assert answer["LastModified"].year == 2026
    path, headers = server.seen[0]
    assert path == "/bucket/a%20b/%C3%A4"
    assert (headers["range"], headers["if-match"], headers["x-amz-expected-bucket-owner"]) == ("bytes=0-99", '"e"', "1")
    assert len(server.connections) == 1


@pytest.mark.parametrize("kind", ["missing", "absent", "elsewhere", "busy", "gone", "chunked", "torn", "large"])
def test_whatever_else_comes_is_left_to_botocore(server: Server, kind: str) -> None:
    """None, whether the request was sent before its turn or not."""
    assert light_at(server.endpoint).get(asked(kind)) is None
    light = light_at(server.endpoint)
    light.begin(asked(kind))
    assert light.get(asked(kind)) is None
    fine = light.get(asked("fine", "another"))
    assert (fine is not None) == (kind in {"missing", "absent", "elsewhere"})


def test_a_server_in_trouble_is_asked_once(server: Server) -> None:
    """After a failure botocore, which makes calls again, has them all for some seconds."""
    now = [1_700_000_000.0]
    settings = AwsSettings(region="us-east-1", access_key_id="a", secret_access_key="b", s3_endpoint=server.endpoint)  # noqa: S106
    light = make_s3(settings, lambda _: None, lambda: 0.5, wall_seconds=lambda: now[0]).light
    assert light is not None
    assert light.get(asked("busy")) is None
    assert light.get(asked("fine")) is None
    assert len(server.seen) == 1
    now[0] += TROUBLE_SECONDS
    assert light.get(asked("fine")) is not None


def test_a_bucket_of_another_region_is_asked_for_once(server: Server) -> None:
    """A redirect means that botocore knows better, for all objects of that bucket; so do names that sign otherwise."""
    light = light_at(server.endpoint)
    assert light.get(asked("elsewhere")) is None
    assert light.get(asked("fine")) is None
    assert light.get(asked("fine", "arn:aws:s3:us-east-1:1:accesspoint/x")) is None
    assert light.get(asked("fine", "fast--use1-az4--x-s3")) is None
    assert len(server.seen) == 1


def test_requests_go_out_before_their_turn(server: Server) -> None:
    """Three are under way before the first is read, and nothing is asked for twice, though two readers want it."""
    light = light_at(server.endpoint)
    keys = ["a", "b", "last"]
    for key in (*keys, "a"):
        light.begin(asked(key))
    for key in reversed(keys):
        answer = light.get(asked(key))
        assert answer is not None
        assert answer["Body"].read() == BODY
    assert sorted(path for path, _ in server.seen) == ["/bucket/a", "/bucket/b", "/bucket/last"]


@pytest.mark.parametrize("trouble", [True, False])
def test_an_answer_that_nobody_came_for_is_not_another_reads(server: Server, trouble: bool) -> None:
    """It is thrown away: when botocore is asked instead, and when it was asked for long ago."""
    passed = [0.0]
    light = s3_at(server.endpoint, lambda: time.time() + passed[0]).light
    assert light is not None
    light.begin(asked("one"))
    if trouble:
        assert light.get(asked("busy")) is None
        assert light.get(asked("one")) is None
    passed[0] = max(TROUBLE_SECONDS, BEGUN_SECONDS_MAX) + 1
    assert light.get(asked("one")) is not None
    assert [path for path, _ in server.seen].count("/bucket/one") == 2


def test_versions_of_an_object_are_not_taken_for_each_other(server: Server) -> None:
    """An answer that was asked for ahead is of one version."""
    light = light_at(server.endpoint)
    light.begin({**asked("one"), "VersionId": "v1"})
    assert light.get({**asked("one"), "VersionId": "v2"}) is not None
    assert {path for path, _ in server.seen} == {"/bucket/one?versionId=v1", "/bucket/one?versionId=v2"}


def test_keys_that_cannot_be_renewed_are_told_by_the_read_itself() -> None:
    """Nothing is begun then, and nothing raised."""

    class Lapsed:
        """Credentials whose source is away."""

        def get_frozen_credentials(self) -> None:
            """Fails as botocore's do."""
            raise CredentialRetrievalError(provider="test", error_msg="away")

    client = SimpleNamespace(meta=SimpleNamespace(region_name="us-east-1", endpoint_url="http://127.0.0.1:1"))
    light = LightGets(client, Lapsed(), time.time, 1.0, 1.0)
    light.begin(asked("one"))
    with pytest.raises(CredentialRetrievalError):
        light.get(asked("one"))


def test_a_server_that_is_away_is_botocores_to_tell() -> None:
    """No connection, no answer; and no exception."""
    light = light_at("http://127.0.0.1:9")
    light.begin(asked("a"))
    assert light.get(asked("a")) is None


@given(key=st.text(st.sampled_from("abZ09-_.~:%+ /ä$&"), min_size=1, max_size=12))
def test_paths_of_s3_are_signed_as_botocore_signs_them(key: str) -> None:
    """A path is signed as it is sent."""
    path = f"/bucket/{quote(key, safe='/')}"
    headers = {"range": "bytes=0-9"}
    theirs = AWSRequest("GET", f"http://localhost:1234{path}", dict(headers))
    signer: Any = S3SigV4Auth(Credentials("AKID", "secret"), "s3", "eu-west-1")
    signer.add_auth(theirs)
    given = {**headers, "x-amz-content-sha256": theirs.headers["X-Amz-Content-SHA256"]}
    date = theirs.headers["X-Amz-Date"]
    ours = Signer(Keys("AKID", "secret"), "eu-west-1", "s3").signed("GET", "localhost:1234", path, "", given, b"", date)
    assert ours["authorization"] == theirs.headers["Authorization"]
