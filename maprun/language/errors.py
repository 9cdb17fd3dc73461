"""What can go wrong with a definition before it runs, and with an expression while it runs."""

from collections.abc import Sequence

from maprun.language.diagnostics import Diagnostic


class DefinitionError(Exception):
    """A definition that can't be used, with everything that was found wrong with it, at least one finding.

    `str()` is AWS's "<CODE>: <text> at <pointer>" (InvalidDefinition), of each finding, joined by commas.
    """

    def __init__(self, findings: Sequence[Diagnostic]) -> None:
        super().__init__(", ".join(found.line for found in findings))
        self.findings = tuple(findings)


class StatesError(Exception):
    """An error by AWS's name and cause, as Retry and Catch see it.

    `location` names the field when a JSONata expression failed (an EvaluationFailed event precedes the end), else "".
    `shown_raw` says that the cause is complete; else the interpreter puts "An error occurred while executing the state
    …" before it.
    """

    def __init__(self, error: str, cause: str, location: str = "", *, shown_raw: bool = False) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause
        self.location = location
        self.shown_raw = shown_raw


class PathSyntaxError(ValueError):
    """The text is no path, or no expression."""


class PathError(Exception):
    """A path can't be followed in this value; the text is the path engine's. Fields make a StatesError of it."""


class PathNotFoundError(PathError):
    """A path leads nowhere. Wild cards and conditions of filters pass over this one, and over no other PathError."""


def runtime_error(cause: str) -> StatesError:
    """The error that no Retry or Catch stops."""
    return StatesError("States.Runtime", cause)
