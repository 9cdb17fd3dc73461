"""Versions and aliases of state machines in the fold of home, as AWS was seen to have them."""

from typing import Any

import msgspec
import pytest

from maprun.mapruns.fold.outputs import Output, Send
from maprun.mapruns.fold.state import RequestAnswered, encode_state
from maprun.mapruns.fold.versions import ALIASES_MAX, VERSIONS_MAX
from maprun.requests.registry import MachineRegistry
from schemas import topics
from schemas.machines import (
    AliasRequested,
    MachineEmptied,
    MachineRequested,
    MachineSpec,
    MachineWritten,
    TagsRequested,
)
from schemas.machines import VersionRequested as Asked
from schemas.wire import encode
from tests.unit.mapruns.folding import Folding, answers
from tests.unit.mapruns.programs import NAMES, Programs

ARN = NAMES.machine("m")
SPEC = MachineSpec(b'{"v":1}', "role-1", tags=b'[{"key":"k","value":"v"}]')
MISSING = ("ResourceNotFound", "Request references a resource that does not exist.")


class Machines:
    """A fold, and the view of machines that others have of it."""

    def __init__(self) -> None:
        self.folding = Folding()
        self.view = MachineRegistry()
        self.topic: dict[bytes, MachineWritten] = {}
        self._number = 0

    def put(self, record: Any) -> RequestAnswered:
        """Folds one record in; the answer to it."""
        outputs = self.folding.put(record)
        for output in outputs:
            self._publish(output)
        [answer] = answers(outputs)
        return answer

    def _publish(self, output: Output) -> None:
        if not isinstance(output, Send) or output.topic != topics.MACHINES.name:
            return
        assert output.key is not None
        if output.message is None:
            del self.topic[output.key]
            assert self.view.read(0, 0, None)
        else:
            assert isinstance(output.message, MachineWritten)
            self.topic[output.key] = output.message
            assert self.view.read(0, 0, encode(output.message))

    def fresh_id(self) -> str:
        """A request id of its own."""
        self._number += 1
        return str(self._number)

    def machine(self, action: Any, definition: bytes = b'{"v":1}', **published: Any) -> Any:
        """Creates, updates or deletes; what is answered."""
        spec = MachineSpec(definition) if action == "update" else msgspec.structs.replace(SPEC, definition=definition)
        return said(self.put(MachineRequested(self.fresh_id(), action, ARN, "m", spec, **published)))

    def publish(self, revision_id: str = "", description: str = "") -> Any:
        """Publishes a version; what is answered."""
        return said(self.put(Asked(self.fresh_id(), "publish", ARN, 0, revision_id, description)))

    def unpublish(self, number: int) -> Any:
        """Deletes a version; what is answered."""
        return said(self.put(Asked(self.fresh_id(), "delete", ARN, number)))

    def alias(self, action: Any, name: str, *routes: int, description: str | None = None) -> Any:
        """Creates, updates or deletes an alias; what is answered."""
        return said(self.put(AliasRequested(self.fresh_id(), action, ARN, name, routes, description)))

    @property
    def now(self) -> MachineWritten:
        """The machine as it stands, which everybody else must see alike."""
        shown = self.view.get(ARN)
        assert shown is not None
        assert shown == self.folding.state.machines[ARN]
        return shown


def said(answer: RequestAnswered) -> Any:
    """An answer's members, or error and message."""
    return (answer.error, answer.message) if answer.error else msgspec.json.decode(answer.body)


def test_a_version_is_what_the_machine_was() -> None:
    """It has the definition, the role and the revision, a date and a description of its own, and no tags."""
    machines = Machines()
    machines.machine("create")
    made = machines.publish(description="first")
    assert made["stateMachineVersionArn"] == f"{ARN}:1"
    changed = machines.machine("update", b'{"v":2}')
    version = machines.view.get(f"{ARN}:1")
    assert version is not None
    assert (version.spec, version.name) == (msgspec.structs.replace(SPEC, tags=b""), "m")
    assert (version.description, version.version, version.updated) == ("first", 1, False)
    assert version.created_ms == round(made["creationDate"] * 1000)
    assert machines.now.spec.definition == b'{"v":2}'
    assert machines.publish(changed["revisionId"])["stateMachineVersionArn"] == f"{ARN}:2"
    assert machines.now.versions == (1, 2)
    assert {machine.arn for machine in machines.view} == {ARN, f"{ARN}:1", f"{ARN}:2"}


def test_a_revision_is_published_once() -> None:
    """Published again it is the same version; deleted it comes back under another number, for AWS uses none twice."""
    machines = Machines()
    machines.machine("create")
    first = machines.publish()
    assert machines.publish(description="again") == first
    assert machines.unpublish(1) == {}
    assert (machines.view.get(f"{ARN}:1"), machines.now.versions) == (None, ())
    assert machines.publish()["stateMachineVersionArn"] == f"{ARN}:2"


def test_create_and_update_publish_as_they_change() -> None:
    """An update that changes nothing makes no revision, and what it publishes is the version that is there."""
    machines = Machines()
    created = machines.machine("create", publish=True, description="d")
    assert created["stateMachineVersionArn"] == f"{ARN}:1"
    assert machines.machine("create", publish=True, description="d") == created
    assert machines.machine("create", publish=True, description="e")[0] == "StateMachineAlreadyExists"
    same = machines.machine("update", publish=True)
    assert (same["stateMachineVersionArn"], "revisionId" in same) == (f"{ARN}:1", False)
    other = machines.machine("update", b'{"v":2}', publish=True)
    assert (other["stateMachineVersionArn"], other["revisionId"]) == (f"{ARN}:2", machines.now.revision_id)
    again = machines.machine("update", b'{"v":2}', publish=True)
    assert again == other
    assert (machines.now.versions, machines.now.updated) == ((1, 2), True)


def test_create_that_publishes_is_not_the_one_that_did_not() -> None:
    """AWS compares what is published too; created again without a word of it, the machine is the same one."""
    machines = Machines()
    machines.machine("create")
    assert machines.machine("create", publish=True)[0] == "StateMachineAlreadyExists"
    machines.publish()
    assert "stateMachineVersionArn" not in machines.machine("create")


def test_publishing_another_revision_than_the_present_one_is_a_conflict() -> None:
    """The revision of a machine that was never updated is called INITIAL."""
    machines = Machines()
    machines.machine("create")
    message = "Failed to publish the State Machine version for revision x. The current State Machine revision is {}."
    assert machines.publish("x") == ("ConflictException", message.format("INITIAL"))
    assert machines.publish("INITIAL")["stateMachineVersionArn"] == f"{ARN}:1"
    now = machines.machine("update", b'{"v":2}')["revisionId"]
    assert machines.publish("x") == ("ConflictException", message.format(now))
    assert machines.publish("INITIAL")[0] == "ConflictException"


def test_of_what_is_not_there() -> None:
    """Publishing needs a machine, an alias versions that are there; deleting is silent."""
    machines = Machines()
    assert machines.publish() == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{ARN}'")
    assert machines.unpublish(1) == {}
    assert machines.alias("create", "a", 1, 100) == MISSING
    assert machines.alias("delete", "a") == {}
    machines.machine("create", publish=True)
    assert machines.alias("create", "a", 2, 100) == MISSING
    assert machines.alias("update", "a", 1, 100) == MISSING
    assert machines.alias("delete", "a") == {}
    assert machines.unpublish(2) == {}
    assert machines.now.versions == (1,)


def test_an_alias_from_create_to_delete() -> None:
    """Created alike it is the same one, otherwise a conflict; an update changes what it gives, and the date with it."""
    machines = Machines()
    machines.machine("create", publish=True)
    machines.machine("update", b'{"v":2}', publish=True)
    made = machines.alias("create", "a", 1, 100, description="d")
    assert made["stateMachineAliasArn"] == f"{ARN}:a"
    assert machines.alias("create", "a", 1, 100, description="d") == made
    refused = machines.alias("create", "a", 1, 100, description="e")
    assert refused[0] == "ConflictException"
    assert machines.alias("create", "a", 1, 50, 2, 50, description="d") == refused
    assert round(machines.alias("update", "a")["updateDate"], 3) == made["creationDate"]
    updated = machines.alias("update", "a", 1, 50, 2, 50)
    assert updated["updateDate"] > made["creationDate"]
    [alias] = machines.now.aliases
    assert (alias.routes, alias.description) == ((1, 50, 2, 50), "d")
    machines.alias("update", "a", description="")
    [alias] = machines.now.aliases
    assert (alias.routes, alias.description) == ((1, 50, 2, 50), "")
    assert machines.alias("delete", "a") == {}
    assert machines.now.aliases == ()


def test_a_version_that_an_alias_routes_to_stays() -> None:
    """Even with a weight of nothing; it may go once no alias names it."""
    machines = Machines()
    machines.machine("create", publish=True)
    machines.machine("update", b'{"v":2}', publish=True)
    machines.alias("create", "a", 1, 0, 2, 100)
    machines.alias("create", "b", 1, 100)
    words = (
        "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: "
    )
    assert machines.unpublish(1) == ("ConflictException", words + "[a, b]")
    machines.alias("delete", "b")
    assert machines.unpublish(1) == ("ConflictException", words + "[a]")
    machines.alias("update", "a", 2, 100)
    assert machines.unpublish(1) == {}
    assert machines.now.versions == (2,)


def test_what_has_no_revision_changes_none() -> None:
    """Versions, aliases and tags leave revision and date of the machine as they are; versions have no tags."""
    machines = Machines()
    machines.machine("create")
    before = machines.now
    machines.publish()
    machines.alias("create", "a", 1, 100)
    machines.put(TagsRequested("tags", ARN, ("k", "2")))
    after = machines.now
    assert (after.revision_id, after.updated_ms, after.updated) == (before.revision_id, before.updated_ms, False)
    assert machines.publish()["stateMachineVersionArn"] == f"{ARN}:1"
    assert machines.put(TagsRequested("more", f"{ARN}:1", ("k", "2"))).error == "ResourceNotFound"


def test_a_deleted_machine_takes_its_versions_and_aliases_along() -> None:
    """A new one of its name counts from 1 again."""
    machines = Machines()
    machines.machine("create", publish=True)
    machines.machine("update", b'{"v":2}', publish=True)
    machines.alias("create", "a", 1, 100)
    machines.machine("delete")
    assert (machines.now.deleting, machines.view.deleting) == (True, {ARN: machines.now.cause.offset})
    machines.put(MachineEmptied("e", ARN, machines.now.cause.offset))
    assert machines.view.deleting == {}
    assert machines.folding.state.machines == {}
    assert list(machines.view) == []
    assert [record.deleted for record in machines.topic.values()] == [True]
    assert machines.machine("create", b'{"v":3}', publish=True)["stateMachineVersionArn"] == f"{ARN}:1"
    assert machines.now.aliases == ()
    version = machines.view.get(f"{ARN}:1")
    assert version is not None
    assert version.spec.definition == b'{"v":3}'


def test_a_home_does_not_grow_with_the_definitions_of_versions() -> None:
    """They stand on the topic, for those who start executions; the fold needs none of them, nor do its snapshots."""
    machines = Machines()
    machines.machine("create")
    for number in range(20):
        machines.machine("update", b'{"v":"%s"}' % (b"%d" % number * 10_000), publish=True)
    size = len(encode_state(machines.folding.state, Programs()))
    assert size < 50_000
    version = machines.view.get(f"{ARN}:7")
    assert version is not None
    assert len(version.spec.definition) > 10_000


def test_a_request_comes_again() -> None:
    """It has its first answer, and nothing is published, named or deleted twice."""
    machines = Machines()
    machines.machine("create")
    first = machines.put(Asked("again", "publish", ARN))
    machines.unpublish(1)
    assert machines.put(Asked("again", "publish", ARN)) == first
    assert machines.now.versions == ()


def test_machines_that_are_newer_than_the_record_stay() -> None:
    """A tracker may take them from their topic, as they are by now, and fold what made them once more."""
    machines = Machines()
    records: list[Any] = [
        MachineRequested("1", "create", ARN, "m", SPEC, publish=True),
        AliasRequested("2", "create", ARN, "a", (1, 100)),
        MachineRequested("3", "update", ARN, "m", MachineSpec(b'{"v":2}'), publish=True),
        MachineRequested("4", "update", ARN, "m", MachineSpec(b'{"v":3}')),
        Asked("5", "delete", ARN, 2),
        TagsRequested("6", ARN, ("k", "2")),
    ]
    for record in records:
        machines.put(record)
    again = Folding()
    again.state.machines.update(machines.folding.state.machines)
    for record in records:
        again.put(record)
    assert again.state.machines == machines.folding.state.machines


@pytest.mark.parametrize("publishing", ["publish", "update"])
def test_as_many_versions_as_aws_has(publishing: str) -> None:
    """One more is refused, and an update that would publish it changes nothing; what is there is published still."""
    machines = Machines()
    machines.machine("create", publish=True)
    for number in range(2, VERSIONS_MAX + 1):
        machines.machine("update", b'{"v":%d}' % number, publish=True)
    assert machines.publish()["stateMachineVersionArn"] == f"{ARN}:{VERSIONS_MAX}"
    before = machines.now
    if publishing == "publish":
        machines.machine("update", b'{"v":0}')
        refused = machines.publish()
    else:
        refused = machines.machine("update", b'{"v":0}', publish=True)
        assert machines.now == before
    assert refused[0] == "ServiceQuotaExceededException"
    machines.unpublish(7)
    assert machines.machine("update", b'{"v":0}', publish=True)["stateMachineVersionArn"].endswith(
        f":{VERSIONS_MAX + 1}"
    )


def test_as_many_aliases_as_aws_has() -> None:
    """One more is refused; one that is there may be created again."""
    machines = Machines()
    machines.machine("create", publish=True)
    for number in range(ALIASES_MAX):
        machines.alias("create", f"a{number}", 1, 100)
    assert machines.alias("create", "more", 1, 100)[0] == "ServiceQuotaExceededException"
    assert machines.alias("create", "a0", 1, 100)["stateMachineAliasArn"] == f"{ARN}:a0"
