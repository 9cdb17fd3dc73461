"""How a call of a Task fails: an error name of AWS's and its cause."""


class TaskError(Exception):
    """Ends a Task's attempt."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(error)
        self.error = error
        self.cause = cause
