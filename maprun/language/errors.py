"""What can go wrong with a definition before it runs, and with an expression while it runs."""


class DefinitionError(Exception):
    """A definition that can't be used. `str()` is AWS's "<CODE>: <text> at <pointer>" (InvalidDefinition).

    AWS names everything it finds, joined by commas: `more` are the texts of the findings after the first.
    """

    def __init__(self, code: str, text: str, pointer: str, more: tuple[str, ...] = ()) -> None:
        first = f"{code}: {text} at {pointer}" if pointer else f"{code}: {text}"
        super().__init__(", ".join((first, *more)))
        self.code = code
        self.text = text
        self.pointer = pointer


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


class PathNotFoundError(Exception):
    """A path leads nowhere; the text is Jayway's. Fields turn it into a StatesError in their own words."""


def runtime_error(cause: str) -> StatesError:
    """The error that no Retry or Catch stops."""
    return StatesError("States.Runtime", cause)
