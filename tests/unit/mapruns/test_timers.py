"""Timers by due time."""

from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.timers import Timers

ACTIONS = st.lists(st.tuples(st.sampled_from(["set", "cancel", "take"]), st.integers(0, 5), st.integers(0, 50)))


@given(ACTIONS)
def test_timers_fire_once_in_order_and_not_before_their_time(actions: list[tuple[str, int, int]]) -> None:
    """Against a plain dict: what is due fires, in order of time; cancelled and moved timers don't fire as they were."""
    timers, model = Timers[tuple[str]](), dict[str, int]()
    for action, key, at in actions:
        match action:
            case "set":
                timers.set((str(key),), at)
                model[str(key)] = at
            case "cancel":
                timers.cancel((str(key),))
                model.pop(str(key), None)
            case _:
                due = sorted((when, ref) for ref, when in model.items() if when <= at)
                assert timers.take_due(at) == [(ref,) for _, ref in due]
                model = {ref: when for ref, when in model.items() if when > at}
        assert len(timers) == len(model)
        soonest = timers.next_ms()
        assert not model or (soonest is not None and soonest <= min(model.values()))


def test_cancelled_timers_do_not_pile_up() -> None:
    """A hundred thousand timeouts a year ahead, each cancelled, leave next to nothing behind."""
    timers = Timers[tuple[int]]()
    for n in range(100_000):
        timers.set((n,), 10**12)
        timers.cancel((n,))
    assert timers.entries < 3_000
