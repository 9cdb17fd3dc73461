"""One step of one execution: `(machine, execution, happening, now) -> (execution, effects, events)`. Pure."""

from maprun.interpreter.execution import Execution, ExecutionHead, Limits
from maprun.interpreter.item_selector import input_builder
from maprun.interpreter.redrive import redrive
from maprun.interpreter.step import Step, advance, begin, effect_key, go_on
from maprun.interpreter.step_builder import Ended, Spent, never_spent
from maprun.interpreter.store import decode_execution, decode_remains, encode_execution, encode_remains

__all__ = [
    "Ended",
    "Execution",
    "ExecutionHead",
    "Limits",
    "Spent",
    "Step",
    "advance",
    "begin",
    "decode_execution",
    "decode_remains",
    "effect_key",
    "encode_execution",
    "encode_remains",
    "go_on",
    "input_builder",
    "never_spent",
    "redrive",
]
