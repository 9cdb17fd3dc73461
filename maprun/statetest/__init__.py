"""TestState: one state of a definition, run alone by the interpreter, with what it does on the way. Pure."""

from maprun.statetest.answers import Exchange, Inspection, StateOutcome
from maprun.statetest.asked import Asked, Configuration, ErrorOutput, Mock
from maprun.statetest.subject import states_of
from maprun.statetest.trial import Called, World, seconds_max, timed_out, try_state

__all__ = [
    "Asked",
    "Called",
    "Configuration",
    "ErrorOutput",
    "Exchange",
    "Inspection",
    "Mock",
    "StateOutcome",
    "World",
    "seconds_max",
    "states_of",
    "timed_out",
    "try_state",
]
