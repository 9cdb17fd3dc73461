"""Patterns of causes: what varies from child to child is left out, what tells failures apart stays."""

import json
import time

import pytest

from services.maprun_tracker.api.causes import PATTERN_CHARS_MAX, cause_pattern

UUID = "0b6c8f3e-1a2b-4c3d-9e8f-00112233aabb"


@pytest.mark.parametrize(
    ("cause", "pattern"),
    [
        ("Order 7 has no price", "Order <n> has no price"),
        ("Order 123456789 has no price", "Order <n> has no price"),
        ("Balance is -12.50, not 1,000.00", "Balance is <n>, not <n>"),
        (f"No customer {UUID}", "No customer <id>"),
        ("Commit 9f8e7d6c5b is unknown", "Commit <id> is unknown"),
        ("Nothing at 2026-11-30T23:25:28.123Z", "Nothing at <time>"),
        ("Denied: arn:aws:s3:::orders/7.json (403)", "Denied: <arn> (<n>)"),
        ("Missing key 'price'", "Missing key 'price'"),
        ("cafeteria is closed", "cafeteria is closed"),
        ("file-0007.csv", "file-<n>.csv"),
        ("\n\n  two\t lines \n of text", "two lines"),
        ("", ""),
        ("\n", ""),
    ],
)
def test_what_varies_is_left_out(cause: str, pattern: str) -> None:
    """Numbers, ids, times and ARNs become words; names and sentences stay."""
    assert cause_pattern(cause) == pattern


def test_of_a_function_its_message_counts() -> None:
    """Lambda's cause is JSON with a stack trace and a request id; its message says what went wrong."""
    cause = {"errorMessage": "Order 7 has no price", "errorType": "KeyError", "requestId": UUID, "stackTrace": ["…"]}
    assert cause_pattern(json.dumps(cause)) == "Order <n> has no price"


@pytest.mark.parametrize(
    ("cause", "pattern"),
    [
        ('{"errorMessage": 7}', '{"errorMessage": <n>}'),
        ('{"other": "x"}', '{"other": "x"}'),
        ("{broken 7", "{broken <n>"),
    ],
)
def test_other_json_is_read_as_text(cause: str, pattern: str) -> None:
    """What is no function's error is a text like any other."""
    assert cause_pattern(cause) == pattern


def test_a_pattern_is_short_and_soon_there() -> None:
    """Whatever a cause holds, its pattern is bounded and found within a moment."""
    for unit in ("1", "a1", "1,", "arn:", "0123456789abcdef", "2026-11-30T", "-", "[", "\\", "{", "1e+"):
        began = time.perf_counter()
        assert len(cause_pattern(unit * 32_768)) <= PATTERN_CHARS_MAX
        assert time.perf_counter() - began < 0.1
