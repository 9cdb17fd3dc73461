"""From the type of a state to what it does."""

from maprun.interpreter import map_state, parallel_state
from maprun.interpreter.choice_state import perform_choice
from maprun.interpreter.end_states import perform_fail, perform_succeed
from maprun.interpreter.pass_state import perform_pass
from maprun.interpreter.step_builder import StateKind
from maprun.interpreter.task_state import perform_task
from maprun.interpreter.wait_state import perform_wait
from schemas.history import EventType

KINDS = {
    "Pass": StateKind(perform_pass),
    "Task": StateKind(perform_task, aborted_type=EventType.TASK_STATE_ABORTED),
    "Choice": StateKind(perform_choice),
    "Wait": StateKind(perform_wait, aborted_type=EventType.WAIT_STATE_ABORTED),
    "Succeed": StateKind(perform_succeed),
    "Fail": StateKind(perform_fail),
    "Parallel": StateKind(
        parallel_state.perform_parallel,
        parallel_state.branch_done,
        parallel_state.go_on,
        failed_type=EventType.PARALLEL_STATE_FAILED,
        aborted_type=EventType.PARALLEL_STATE_ABORTED,
    ),
    "Map": StateKind(
        map_state.perform_map,
        map_state.iteration_done,
        map_state.go_on,
        failed_type=EventType.MAP_STATE_FAILED,
        aborted_type=EventType.MAP_STATE_ABORTED,
        child_failed_type=EventType.MAP_ITERATION_FAILED,
        child_aborted_type=EventType.MAP_ITERATION_ABORTED,
    ),
}
