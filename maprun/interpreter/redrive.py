"""redrive: an execution that ended unsuccessfully goes on, each state that failed or was cut off done again.

Source: page redrive-executions of the AWS guide, and a recorded execution (facts, section 2.8). What an execution left
is its frames as they stood: those that ended well keep their results, all others are revived.
"""

import msgspec

from maprun.interpreter.drive import go_on, perform
from maprun.interpreter.execution import (
    Beginning,
    ChildrenWait,
    Execution,
    ExecutionHead,
    Frame,
    Limits,
    MapRunWait,
    RetryWait,
    Wait,
    ref_prefix,
    timeout_ref,
)
from maprun.interpreter.kinds import KINDS
from maprun.interpreter.step import DEFAULT_LIMITS, Step, finish, history_full
from maprun.interpreter.step_builder import HistoryFullError, Spent, StepBuilder, never_spent
from maprun.interpreter.store import bind
from maprun.language.model import Machine, MapWork
from schemas.effects import MapRunRedriveRequested
from schemas.history import EventType

Due = list[tuple[Frame, Wait]]
"""Frames whose state is to go on, inner ones first, each with the wait it was revived to."""


def redrive(
    machine: Machine, remains: Execution, now_ms: int, limits: Limits = DEFAULT_LIMITS, spent: Spent = never_spent
) -> Step:
    """Goes on with an execution from what remains of it. `remains` is used up: go on with the step's execution.

    The step's events are the new ones, ExecutionRedriven first. The machine's timeout and all retries start again.
    """
    if remains.unbound is not None:
        bind(remains, machine)
    remains.waits.clear()
    before = remains.head
    head = remains.head = msgspec.structs.replace(before, redrive_count=before.redrive_count + 1, redrive_ms=now_ms)
    builder = StepBuilder(remains, now_ms, limits, KINDS)
    root = remains.root
    assert root is not None
    try:
        builder.emit(EventType.EXECUTION_REDRIVEN, remains.events_count, (head.redrive_count,))
        if machine.timeout_seconds is not None:
            builder.ask_timer(None, timeout_ref(head), now_ms + machine.timeout_seconds * 1000)
        due: Due = []
        _revive(builder, root, ref_prefix(head.redrive_count), before, due)
        for frame, wait in due:
            if not frame.dead and frame.wait is wait:  # else those before it ended it, or took it on
                _go_on(builder, frame, wait)
    except HistoryFullError as full:
        history_full(builder, full)
    return finish(builder, spent)


def _revive(builder: StepBuilder, frame: Frame, path: str, before: ExecutionHead, due: Due) -> None:
    """Makes a frame, and those below it, wait as if nothing had failed. `before` is the head before the redrive."""
    wait = frame.wait
    is_map = isinstance(frame.machine.states[frame.state].work, MapWork)
    if is_map and isinstance(wait, ChildrenWait) and wait.beginning is None:
        ref = frame.effect_ref()
        wait.beginning = Beginning(before.redrive_count, before.redrive_ms, frame.retry_count, ref)
    frame.path, frame.dead, frame.retry_count, frame.attempts = path, False, 0, None
    if not frame.entered_id:
        frame.wait = None
        builder.ready.append(frame)
        return
    if isinstance(wait, ChildrenWait):
        frame.last_id = wait.began_id
        for index, child in sorted(wait.live.items()):
            _revive(builder, child, f"{frame.effect_ref()}/{index}:", before, due)
        due.append((frame, wait))
    elif isinstance(wait, MapRunWait) and wait.started_id:
        frame.last_id = wait.began_id
        wait.redriving = True
        builder.wait_for(frame, wait.ref, MapRunRedriveRequested(wait.ref))
    else:
        frame.last_id = frame.entered_id
        again = frame.wait = RetryWait("")  # no timer: its turn comes below, unless a sibling fails before
        due.append((frame, again))


def _go_on(builder: StepBuilder, frame: Frame, wait: Wait) -> None:
    """Does a state again, or starts what a Parallel or Map has left to start."""
    state = frame.machine.states[frame.state]
    if not isinstance(wait, ChildrenWait):
        frame.wait = None
        perform(builder, frame, state)
    else:
        go_on(builder, frame, state, wait)
    if frame.wait is None and not frame.dead and builder.ended is None:
        builder.ready.append(frame)
