"""Activities in the fold of home."""

from typing import Any

import msgspec
import pytest

from maprun.mapruns.fold.outputs import Send
from maprun.mapruns.fold.state import RequestAnswered
from schemas import topics
from schemas.activities import ActivityRequested, ActivityWritten
from schemas.machines import ENCRYPTION_OWNED, TagsRequested
from tests.unit.mapruns.folding import Folding, answers, sent
from tests.unit.mapruns.programs import NAMES

ARN = NAMES.activity("a")
OTHER_KEY = b'{"type":"CUSTOMER_MANAGED_KMS_KEY","kmsKeyId":"k"}'


def ask(folding: Folding, request_id: str, action: Any, **over: Any) -> tuple[RequestAnswered, list[ActivityWritten]]:
    """A request's answer and the activities it wrote."""
    outputs = folding.put(ActivityRequested(request_id, action, ARN, "a", **over))
    [answer] = answers(outputs)
    return answer, sent(outputs, ActivityWritten)


def test_created_deleted_and_made_anew() -> None:
    """Each change is one record with a higher cause; an activity that is gone can be made anew, with a new date."""
    folding = Folding()
    answer, [made] = ask(folding, "1", "create", tags=b'[{"key":"k","value":"v"}]')
    assert msgspec.json.decode(answer.body) == {"activityArn": ARN, "creationDate": made.created_ms / 1000}
    answer, [gone] = ask(folding, "2", "delete")
    assert (answer.error, gone.deleted, gone.cause.offset > made.cause.offset) == ("", True, True)
    answer, [again] = ask(folding, "3", "create")
    assert (again.deleted, again.tags, again.created_ms > made.created_ms) == (False, b"", True)


@pytest.mark.parametrize(
    ("over", "error"),
    [
        ({}, ""),
        ({"tags": b'[{"key":"k","value":"v"}]'}, ""),  # passed over
        ({"encryption": ENCRYPTION_OWNED}, ""),  # what holds anyway
        ({"encryption": OTHER_KEY}, "ActivityAlreadyExists"),
    ],
)
def test_creating_again_is_idempotent_unless_the_encryption_differs(over: dict[str, bytes], error: str) -> None:
    """The first one's date is answered, and nothing is written."""
    folding = Folding()
    first, _ = ask(folding, "1", "create")
    answer, written = ask(folding, "2", "create", **over)
    assert (answer.error, written) == (error, [])
    if not error:
        assert answer.body == first.body


def test_deleting_what_is_not_there_is_silent() -> None:
    """As on AWS."""
    answer, written = ask(Folding(), "1", "delete")
    assert (answer.error, written) == ("", [])


def test_tags_change_and_nothing_else() -> None:
    """Tags are added, replaced and removed; each revision deletes the one before it from its topic."""
    folding = Folding()
    _, [made] = ask(folding, "1", "create", tags=b'[{"key":"a","value":"1"}]')
    outputs = folding.put(TagsRequested("2", ARN, ("b", "2"), removed=("a",)))
    [tagged] = sent(outputs, ActivityWritten)
    assert msgspec.json.decode(tagged.tags) == [{"key": "b", "value": "2"}]
    assert (tagged.created_ms, tagged.name) == (made.created_ms, "a")
    keys = [output.key for output in outputs if isinstance(output, Send) and output.topic == topics.MACHINES.name]
    assert keys == [f"{ARN}|{each.cause.offset}".encode() for each in (tagged, made)]
