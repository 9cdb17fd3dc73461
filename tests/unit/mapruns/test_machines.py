"""State machines in the fold of home."""

from typing import Any

import msgspec
import pytest

from maprun.mapruns.fold.outputs import Send
from maprun.mapruns.fold.state import RequestAnswered
from schemas import topics
from schemas.machines import (
    ENCRYPTION_OWNED,
    LOGGING_OFF,
    TRACING_OFF,
    AliasRequested,
    MachineEmptied,
    MachineRequested,
    MachineSpec,
    MachineWritten,
    TagsRequested,
    VersionRequested,
)
from tests.unit.mapruns.folding import Folding, answers, sent
from tests.unit.mapruns.programs import NAMES

ARN = NAMES.machine("m")
SPEC = MachineSpec(b'{"v":1}', "role-1", tags=b"[1]")
UNTAGGED = MachineSpec(b'{"v":1}', "role-1")


def ask(folding: Folding, request_id: str, action: Any, spec: MachineSpec = SPEC) -> tuple[RequestAnswered, list[Any]]:
    """A request's answer and the machines it wrote."""
    outputs = folding.put(MachineRequested(request_id, action, ARN, "m", spec))
    [answer] = answers(outputs)
    return answer, sent(outputs, MachineWritten)


def emptied(folding: Folding, request_id: str, deleted_offset: int) -> tuple[RequestAnswered, list[Any]]:
    """The word that no execution of the machine is open, which was deleted by the record there."""
    outputs = folding.put(MachineEmptied(request_id, ARN, deleted_offset))
    [answer] = answers(outputs)
    return answer, sent(outputs, MachineWritten)


def test_created_updated_deleted() -> None:
    """Each change is one record with a higher cause; a machine that is gone can be made anew."""
    folding = Folding()
    answer, [made] = ask(folding, "1", "create")
    assert msgspec.json.decode(answer.body)["stateMachineArn"] == ARN
    answer, [changed] = ask(folding, "2", "update", MachineSpec(b'{"v":2}', machine_type=""))
    assert msgspec.json.decode(answer.body)["revisionId"] == changed.revision_id != made.revision_id
    assert (changed.spec.definition, changed.spec.role_arn, changed.updated) == (b'{"v":2}', "role-1", True)
    assert (changed.created_ms, changed.cause.offset > made.cause.offset) == (made.created_ms, True)
    _, [leaving] = ask(folding, "3", "delete")
    assert (leaving.deleting, leaving.deleted, leaving.spec) == (True, False, changed.spec)
    _, [gone] = emptied(folding, "e", leaving.cause.offset)
    assert gone.deleted
    answer, [again] = ask(folding, "4", "create")
    assert (answer.error, again.deleted, again.updated) == ("", False, False)


def test_a_machine_that_is_being_deleted_changes_no_more() -> None:
    """StateMachineDeleting, also for its name; deleting it again is silent, and its tags may still change."""
    folding = Folding()
    ask(folding, "1", "create", UNTAGGED)
    ask(folding, "2", "delete")
    requests = (
        MachineRequested("3", "create", ARN, "m", SPEC),
        MachineRequested("4", "update", ARN, "m", SPEC),
        VersionRequested("5", "publish", ARN),
        AliasRequested("6", "create", ARN, "a", (1, 100)),
        AliasRequested("7", "update", ARN, "a", (1, 100)),
    )
    for request in requests:
        outputs = folding.put(request)
        [answer] = answers(outputs)
        assert (answer.error, answer.message) == ("StateMachineDeleting", f"State Machine is being deleted: '{ARN}'")
        assert sent(outputs, MachineWritten) == []
    answer, written = ask(folding, "8", "delete")
    assert (answer.error, written) == ("", [])
    [tagged] = sent(folding.put(TagsRequested("9", ARN, ("k", "2"))), MachineWritten)
    assert tagged.deleting


def test_a_machine_goes_by_the_word_on_its_own_deletion() -> None:
    """One on an older record, or on a machine that was made anew or never deleted, changes nothing."""
    folding = Folding()
    assert emptied(folding, "0", 0)[1] == []
    ask(folding, "1", "create", UNTAGGED)
    assert emptied(folding, "2", folding.state.offset)[1] == []
    _, [leaving] = ask(folding, "3", "delete")
    assert emptied(folding, "4", leaving.cause.offset - 1)[1] == []
    [tagged] = sent(folding.put(TagsRequested("5", ARN, ("k", "2"))), MachineWritten)
    assert emptied(folding, "6", leaving.cause.offset)[1] == []
    assert [gone.deleted for gone in emptied(folding, "7", tagged.cause.offset)[1]] == [True]
    ask(folding, "8", "create")
    assert emptied(folding, "9", tagged.cause.offset)[1] == []
    assert not folding.state.machines[ARN].deleting


def test_one_record_of_a_machine_is_kept() -> None:
    """Each revision deletes the one before it behind itself: compaction leaves the newest, and small deletions."""
    folding = Folding()
    topic: dict[bytes, MachineWritten] = {}
    actions = ("create", "update", "update", "delete", "emptied", "create", "update")
    for request_id, action in enumerate(actions):
        spec = MachineSpec(b'{"v":%d}' % request_id, "role-1" if action == "create" else "")
        asked: Any = MachineRequested(str(request_id), action, ARN, "m", spec)  # type: ignore[arg-type]
        if action == "emptied":
            asked = MachineEmptied("e", ARN, folding.state.offset)
        outputs = folding.put(asked)
        for output in outputs:
            if isinstance(output, Send) and output.topic == topics.MACHINES.name:
                assert output.key is not None
                if output.message is None:
                    assert len(topic) > 1, "the newer one stands there before the older one goes"
                    del topic[output.key]
                else:
                    assert isinstance(output.message, MachineWritten)
                    topic[output.key] = output.message
        *gone, newest = sorted(topic.values(), key=lambda machine: machine.cause.offset)
        assert [machine.deleted for machine in gone] in ([], [True])
        assert newest.spec == (MachineSpec() if action == "emptied" else folding.state.machines[ARN].spec)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (SPEC, ""),
        (MachineSpec(b'{"v":1}', "role-2", tags=b"[2]"), ""),  # role and tags are not compared
        (MachineSpec(b'{"v":2}', "role-1"), "StateMachineAlreadyExists"),
        (MachineSpec(b'{"v":1}', "role-1", "EXPRESS"), "StateMachineAlreadyExists"),
        (MachineSpec(b'{"v":1}', "role-1", logging=b"{}"), "StateMachineAlreadyExists"),
    ],
)
def test_creating_again_is_idempotent_if_nothing_that_counts_differs(spec: MachineSpec, error: str) -> None:
    """AWS compares definition, type, logging, tracing and encryption; the first one's date is answered."""
    folding = Folding()
    first, _ = ask(folding, "1", "create")
    answer, written = ask(folding, "2", "create", spec)
    assert (answer.error, written) == (error, [])
    if not error:
        assert answer.body == first.body


def test_a_repeated_request_gets_its_first_answer() -> None:
    """The same request id is answered as before and changes nothing, even when the world has moved on."""
    folding = Folding()
    first, _ = ask(folding, "1", "create")
    _, [leaving] = ask(folding, "2", "delete")
    emptied(folding, "3", leaving.cause.offset)
    answer, written = ask(folding, "1", "create")
    assert (answer.body, written) == (first.body, [])


def test_what_is_not_there_cannot_be_updated_but_may_be_deleted() -> None:
    """UpdateStateMachine of nothing is StateMachineDoesNotExist; DeleteStateMachine of nothing is silent."""
    folding = Folding()
    answer, _ = ask(folding, "1", "update")
    assert (answer.error, answer.message) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{ARN}'")
    answer, written = ask(folding, "2", "delete")
    assert (answer.error, written) == ("", [])


def test_a_default_that_is_said_is_no_difference() -> None:
    """Created again with the configurations that held anyway, a machine is the same one."""
    folding = Folding()
    first, _ = ask(folding, "1", "create")
    said = msgspec.structs.replace(SPEC, logging=LOGGING_OFF, tracing=TRACING_OFF, encryption=ENCRYPTION_OWNED)
    answer, written = ask(folding, "2", "create", said)
    assert (answer.error, answer.body, written) == ("", first.body, [])


def test_tags_change_without_a_revision() -> None:
    """Tags are added, replaced and removed; revision and dates stay, and a repeated request changes nothing."""
    folding = Folding()
    ask(folding, "1", "create", msgspec.structs.replace(SPEC, tags=b'[{"key":"a","value":"1"}]'))
    [machine] = sent(folding.put(TagsRequested("2", ARN, ("b", "2", "a", "3"))), MachineWritten)
    assert msgspec.json.decode(machine.spec.tags) == [{"key": "a", "value": "3"}, {"key": "b", "value": "2"}]
    [later] = sent(folding.put(TagsRequested("3", ARN, removed=("a", "none"))), MachineWritten)
    assert msgspec.json.decode(later.spec.tags) == [{"key": "b", "value": "2"}]
    assert (later.revision_id, later.updated_ms, later.updated) == (machine.revision_id, machine.updated_ms, False)
    outputs = folding.put(TagsRequested("2", ARN, ("b", "2", "a", "3")))
    assert (sent(outputs, MachineWritten), [a.error for a in answers(outputs)]) == ([], [""])


def test_tags_of_nothing_and_too_many_tags_are_refused() -> None:
    """A machine that isn't there is ResourceNotFound; more than fifty tags in all are TooManyTags, with none added."""
    folding = Folding()
    outputs = folding.put(TagsRequested("1", ARN, ("a", "1")))
    assert [answer.error for answer in answers(outputs)] == ["ResourceNotFound"]
    ask(folding, "2", "create", msgspec.structs.replace(SPEC, tags=b'[{"key":"a","value":"1"}]'))
    many = tuple(text for n in range(50) for text in (f"k{n}", ""))
    outputs = folding.put(TagsRequested("3", ARN, many))
    assert [answer.error for answer in answers(outputs)] == ["TooManyTags"]
    assert sent(outputs, MachineWritten) == []
