"""The view of state machines that a process keeps from their topic."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from maprun.requests.registry import MachineRegistry
from schemas.activities import ActivityWritten
from schemas.lanes import Cause
from schemas.wire import encode
from tests.unit.requests.test_starts import ARN, machine, registry


@given(st.permutations(range(5)))
def test_the_highest_cause_is_the_machine(order: list[int]) -> None:
    """In whatever order and however often records come, the newest stands."""
    view = MachineRegistry()
    for offset in [*order, *order]:
        view.apply(machine(offset))
    found = view.get(ARN)
    assert found is not None
    assert found.spec.definition == b'{"v":4}'
    assert (len(view), [m.arn for m in view]) == (1, [ARN])


def test_a_deleted_machine_is_gone_even_if_an_older_record_comes_late() -> None:
    """A deletion with a higher cause outlives older records; creating it again brings it back."""
    view = registry(machine(3, deleted=True))
    assert not view.apply(machine(2))
    assert view.get(ARN) is None
    assert (len(view), list(view)) == (0, [])
    assert view.apply(machine(4))
    assert view.get(ARN) is not None


def test_what_cannot_be_read_leaves_the_machine_as_it_was() -> None:
    """So does what was deleted behind a newer revision; reading goes on behind each of them."""
    view = registry(machine(3))
    assert not view.read(1, 7, b"\xff")
    assert view.read(1, 8, None)
    assert view.next_offset(1) == 9
    assert view.read(1, 9, encode(machine(5)))
    view.read_to(1, 4)
    assert (view.next_offset(1), view.next_offset(0)) == (10, 0)
    assert view.get(ARN) == machine(5)


def test_a_machine_is_shown_as_it_is_on_its_home_or_as_it_became_since() -> None:
    """Not before; a deleted one is shown once it is gone from the view."""
    view = registry(machine(3))
    assert not view.shows(ARN, machine(4))
    assert not view.shows(ARN, None)
    for offset in (3, 2):
        assert view.shows(ARN, machine(offset))
    view.apply(msgspec.structs.replace(machine(5), deleted=True))
    assert view.shows(ARN, None)
    assert not view.shows(ARN, machine(6))


def test_activities_stand_beside_the_machines() -> None:
    """They come by the same topic, and neither is taken for the other."""
    view = registry(machine(3))
    activity = ActivityWritten(Cause(1, 4, 0), "arn:a", "a", b"", b"", 1)
    assert view.read(1, 7, encode(activity))
    assert (list(view.activities), [m.arn for m in view]) == ([activity], [ARN])
    assert view.read(1, 8, encode(msgspec.structs.replace(activity, cause=Cause(1, 5, 0), deleted=True)))
    assert (view.activities.get("arn:a"), len(view)) == (None, 1)
