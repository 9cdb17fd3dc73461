"""The comparison of histories: what it passes over and what it must tell."""

from typing import Any

import pytest

from tests.conformance.differences import differences


@pytest.mark.parametrize(
    ("recorded", "made"),
    [
        ({"timestamp": "timestamp", "id": 1}, {"timestamp": 5.0, "id": 1}),
        ({"output": {"a": 1}}, {"output": '{"a": 1}'}),
        ({"cause": "the run <run:1> of 111111111111 failed"}, {"cause": "the run x:y of 123456789012 failed"}),
        ({"output": {"id": "<uuid:1>"}}, {"output": '{"id":"0-1"}'}),
    ],
)
def test_what_agrees(recorded: Any, made: Any) -> None:
    """Times, the layout of JSON and whatever a stand-in covers make no difference."""
    assert list(differences(recorded, made)) == []


@pytest.mark.parametrize(
    ("recorded", "made", "line"),
    [
        ({"id": 1}, {"id": 2}, ".id: 2, recorded 1"),
        ({"id": 1}, {"id": True}, ".id: true, recorded 1"),
        ({"a": 1}, {}, ".a: missing, recorded 1"),
        ({}, {"a": 1}, ".a: not in the record, made 1"),
        ([1, 2], [1], ": 1 entries, recorded 2"),
        ({"cause": "x <y>"}, {"cause": "z 1"}, '.cause: "z 1", recorded "x <y>"'),
    ],
)
def test_what_differs_is_told(recorded: Any, made: Any, line: str) -> None:
    """Another value, kind, member or length is one line that names its place."""
    assert list(differences(recorded, made)) == [line]
