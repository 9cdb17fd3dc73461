"""The console's pure modules, called in a browser: addresses, words, pace."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from playwright.sync_api import Page

from tests.browser.api import HOSTILE, RUN, counts

Calls = Callable[..., Any]


@pytest.fixture
def js(page: Page) -> Calls:
    """Calls a function of a module with JSON values."""
    page.goto("/console/icon.svg")

    def call(module: str, function: str, *arguments: object) -> Any:
        script = "([module, name, given]) => import(module).then((found) => found[name](...given))"
        return page.evaluate(script, [f"/console/{module}.js", function, list(arguments)])

    return call


@pytest.mark.parametrize("arn", [RUN, HOSTILE, "a/b?c#d%zz", "é漢"])
def test_an_address_is_read_as_it_was_written(js: Calls, arn: str) -> None:
    """Whatever stands in an ARN or a filter comes back from the address, and cannot become another view."""
    written = js("address", "write", "map-run", arn, {"status": "FAILED", "child": arn, "none": ""})
    assert js("address", "read", written) == {
        "view": "map-run",
        "arn": arn,
        "query": {"status": "FAILED", "child": arn},
    }


@pytest.mark.parametrize(
    "hash_", ["", "#", "#/nowhere/x", "#/map-run", "#/map-run/", "#/__proto__/x", "#/constructor/x"]
)
def test_an_unknown_address_is_home(js: Calls, hash_: str) -> None:
    """No address leads to nothing."""
    assert js("address", "read", hash_) == {"view": "home", "arn": "", "query": {}}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0 ms"), (0.25, "250 ms"), (1.26, "1.3 s"), (61, "1 min 1 s"), (3_599.7, "1 h 0 min"), (90_000, "1 d 1 h")],
)
def test_durations_have_their_two_largest_units(js: Calls, seconds: float, said: str) -> None:
    """A length of time is short enough to be read at a glance."""
    assert js("words", "duration", seconds, "en") == said


def test_numbers_are_the_readers_own(js: Calls) -> None:
    """The locale says how thousands and per cent are written."""
    assert js("words", "number", 1234567, "de") == "1.234.567"
    assert js("words", "percent", 0.0512, "en") == "5.12%"
    assert js("words", "rate", 1234.5, "en") == "1,235"


def test_a_shell_word_is_one_word(js: Calls) -> None:
    """What is copied as a command runs nothing that a name holds."""
    assert js("words", "shellWord", "arn:aws:states:x") == "arn:aws:states:x"
    assert js("words", "shellWord", "a'; rm -rf $HOME") == "'a'\\''; rm -rf $HOME'"


def test_hashes_are_sha256(js: Calls) -> None:
    """Whatever the length, also where the padding takes a block of its own."""
    for size in (0, 3, 55, 56, 63, 64, 65, 119, 120, 1_000):
        data = bytes((7 * n) % 256 for n in range(size))
        assert bytes(js("sign", "sha256", list(data))) == hashlib.sha256(data).digest(), size


@pytest.mark.parametrize("token", ["", "a+b/c="])
@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("POST", "/", {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "A.B"}, '{"x": "é漢"}'),
        ("GET", "/maprun/errors", {}, ""),
    ],
)
def test_requests_are_signed_as_by_botocore(
    js: Calls, method: str, path: str, headers: dict[str, str], body: str, token: str
) -> None:
    """The same keys at the same time give the same signature, over any body and query."""
    query = js("sign", "queryOf", {"arn": RUN, "z": "1", "nextToken": "a+b (c)*!'~", "none": ""})
    where = f"{path}?{query}" if method == "GET" else path
    keys = {"id": "AKID", "secret": "s" * 70, "token": token, "region": "eu-west-1"}
    made = js("sign", "signature", keys, "h.local:8083", method, where, headers, body, 1_790_204_286_123)
    request = AWSRequest(method, f"http://h.local:8083{where}", dict(headers), body.encode())
    signer = SigV4Auth(Credentials("AKID", "s" * 70, token or None), "states", "eu-west-1")
    request.context["timestamp"] = made["X-Amz-Date"]
    signer._modify_request_before_signing(request)
    request.headers["host"] = "h.local:8083"
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert made["Authorization"].endswith(f"Signature={signature}")
    assert made.get("X-Amz-Security-Token", "") == token


def test_the_rate_is_that_of_the_last_half_minute(js: Calls) -> None:
    """Old samples don't count, a redrive begins anew, and samples are bounded however long a page is open."""
    slow = [{"at": at, "done": at} for at in range(0, 100, 2)]
    fast = [{"at": 100 + at, "done": 100 + 10 * at} for at in range(0, 40, 2)]
    assert js("pace", "rateOf", slow) == 1
    assert js("pace", "rateOf", slow + fast) == 10
    assert js("pace", "rateOf", slow[:1]) is None
    assert js("pace", "sampled", slow, {"at": 200, "done": 3}) == [{"at": 200, "done": 3}]
    many = [{"at": at, "done": at} for at in range(900)]
    more = js("pace", "sampled", many, {"at": 900, "done": 900})
    assert 600 < len(more) < 900
    assert more[-1] == {"at": 900, "done": 900}


def test_samples_of_times_are_bounded_and_quantiles_are_of_those_that_ended(js: Calls) -> None:
    """However long a page is open; a child that runs has no time yet, and without any there is nothing to say."""
    many = [{"at": at} for at in range(901)]
    assert len(js("pace", "bounded", many)) == 676
    ended = [{"startDate": 10, "stopDate": 10 + n} for n in (1, 9, 3, 2)]
    assert js("latency", "timesOf", [*ended, {"startDate": 1}]) == {"half": 3, "most": 9}
    assert js("latency", "timesOf", [{"startDate": 1}]) is None


def test_time_left_is_only_said_when_it_is_known(js: Calls) -> None:
    """Without a pace or a total there is none."""
    assert js("pace", "secondsLeft", 100, 40, 6) == 10
    assert js("pace", "secondsLeft", None, 40, 6) is None
    assert js("pace", "secondsLeft", 100, 40, 0) is None


def test_the_bar_never_ends_before_its_pieces(js: Calls) -> None:
    """When more was counted than expected the whole is what was counted; what is left is pending."""
    drawn = js("pace", "pieces", counts(total=10, failed=2, succeeded=5, pending=3), 4)
    assert drawn["whole"] == 10
    assert sum(part["count"] for part in drawn["parts"]) == 10


@pytest.mark.parametrize(
    ("count", "percentage", "most"), [(0, 0, None), (7, 0, 7), (0, 10, 20), (30, 10, 20), (7, 10, 7), (900, 0, 200)]
)
def test_the_stricter_tolerance_counts(js: Calls, count: int, percentage: float, most: int | None) -> None:
    """With a count and a percentage the run ends at the first of them; with none at any failure."""
    run = {"toleratedFailureCount": count, "toleratedFailurePercentage": percentage}
    assert js("pace", "tolerated", run, 200) == most
