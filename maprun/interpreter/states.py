"""From the type of a state to the function that does its work."""

from maprun.interpreter.choice_state import perform_choice
from maprun.interpreter.ends import perform_fail, perform_succeed
from maprun.interpreter.map_state import perform_map
from maprun.interpreter.parallel_state import perform_parallel
from maprun.interpreter.pass_state import perform_pass
from maprun.interpreter.run import Work
from maprun.interpreter.task_state import perform_task
from maprun.interpreter.wait_state import perform_wait

PERFORM: dict[str, Work] = {
    "Pass": perform_pass,
    "Task": perform_task,
    "Choice": perform_choice,
    "Wait": perform_wait,
    "Succeed": perform_succeed,
    "Fail": perform_fail,
    "Parallel": perform_parallel,
    "Map": perform_map,
}
