"""Task tokens say where they belong, and nobody can make one up."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tokens import NO_LANE, TaskToken, TokenSecret, attempt_of

SECRET = TokenSecret(b"one")
ARN = "arn:aws:states:us-east-1:123456789012:execution:m/label:00000007-1f2e-3004-a000-000000000001"
TOKEN = TaskToken(ARN, attempt_of(ARN, "T#1.0"), 5)


@given(st.text(min_size=1, max_size=256), st.text(max_size=80), st.integers(NO_LANE, 30_000))
def test_a_token_is_read_as_it_was_made(arn: str, ref: str, lane: int) -> None:
    """Execution, attempt and lane come back; the text fits what AWS takes for a token."""
    token = TaskToken(arn, attempt_of(arn, ref), lane)
    text = SECRET.make(token)
    assert SECRET.read(text) == token
    assert len(text) <= 2048


def test_no_two_attempts_share_a_token() -> None:
    """Attempts, executions and redrives (whose refs begin with their number) differ."""
    refs = ("T#1.0", "T#1.1", "T#2.0", "1/T#1.0")
    texts = {SECRET.make(TaskToken(arn, attempt_of(arn, ref))) for arn in (ARN, ARN[:-1]) for ref in refs}
    assert len(texts) == 2 * len(refs)


@pytest.mark.parametrize("at", range(len(SECRET.make(TOKEN)) - 2))
def test_a_token_that_was_changed_is_none(at: int) -> None:
    """Whichever character is another one."""
    text = SECRET.make(TOKEN)
    changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    assert SECRET.read(changed) is None


@pytest.mark.parametrize(
    "text", ["", "x", "token", "AAAA", "ü", "=", "A" * 2048, base64.urlsafe_b64encode(b"\x01" * 40).decode()]
)
def test_what_is_no_token_is_none(text: str) -> None:
    """Nothing that was not made with the secret is read."""
    assert SECRET.read(text) is None


def test_another_cluster_s_token_is_none() -> None:
    """Each cluster has a secret of its own."""
    assert TokenSecret(b"other").read(SECRET.make(TOKEN)) is None
