"""Counting the error events of a process's log."""

import logging
from typing import Any

import pytest

from maprun.runtime import logs
from maprun.runtime.error_counts import NAMES_MAX, OTHERS, ErrorCounts


def test_an_hour_is_counted_by_minutes() -> None:
    """What is over an hour old is in the total alone."""
    counts = ErrorCounts()
    counts.add("a", 0.0)
    counts.add("a", 59.0)
    counts.add("b", 60.0)
    assert counts.within_hour(61.0) == {"a": 2, "b": 1}
    assert counts.within_hour(3_600.0) == {"b": 1}
    assert counts.within_hour(3_660.0) == {}
    assert counts.total == {"a": 2, "b": 1}


def test_names_are_bounded() -> None:
    """However many names a library has, memory and labels stay few."""
    counts = ErrorCounts()
    for number in range(NAMES_MAX + 5):
        counts.add(str(number), 0.0)
    assert counts.total[OTHERS] == 5
    assert len(counts.within_hour(0.0)) == NAMES_MAX + 1


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ({"level": "error", "event": "it_failed"}, "it_failed"),
        ({"level": "critical", "event": "any text", "logger": "aiokafka"}, "logger:aiokafka"),
        ({"level": "warning", "event": "it_was_late"}, None),
    ],
)
def test_errors_are_counted_by_a_name_from_code(event: dict[str, Any], name: str | None) -> None:
    """Ours by their event, a library's by its logger, whose texts are without end; warnings are none."""
    before = logs.ERRORS.total.copy()
    assert logs.count_errors(logging, "", event) is event
    assert dict(logs.ERRORS.total - before) == ({name: 1} if name else {})
