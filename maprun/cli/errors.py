"""What can go wrong for a user of the command line, and the exit code that tells a script which it was."""

from pathlib import Path

import click

EXIT_OK = 0
EXIT_NOT_SUCCEEDED = 1
"""The execution that was followed ended FAILED, TIMED_OUT or ABORTED; or the stack could not be started or stopped."""
EXIT_USAGE = 2
"""The command line makes no sense, or a file it names can't be read (click's own code for it)."""
EXIT_UNREACHABLE = 3
"""Nothing answers at the API's address, or it can't answer now; `status`: no stack is running."""
EXIT_REFUSED = 4
"""The API refused the request; its error name and message are shown."""
EXIT_SETTINGS = 78
"""Kafka is not as it must be (topics, rights, settings), and a person must decide; services end with it too."""
EXIT_INTERRUPTED = 130
"""Ctrl-C. What was started goes on."""


class CliError(click.ClickException):
    """What happened, to which object, and what to do about it."""

    def __init__(self, message: str, cure: str = "", exit_code: int = EXIT_NOT_SUCCEEDED) -> None:
        super().__init__(message)
        self.cure = cure
        self.exit_code = exit_code

    def format_message(self) -> str:
        """The message, and the cure on a line of its own."""
        return f"{self.message}\n  {self.cure}" if self.cure else self.message


class Unreachable(CliError):  # noqa: N818 - named for what is the case
    """Nobody answers at the API's address, or who answers is not ready."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(
            f"the API at {endpoint} can't be reached: {reason}",
            "is the stack up? `maprun up` starts it; --endpoint or MAPRUN_API names another address",
            EXIT_UNREACHABLE,
        )


class NotTheApi(Unreachable):
    """Something else answers at the API's address."""


_CURES = {
    "MissingAuthenticationTokenException": (
        "this API asks for signatures: put a key of its file into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or into"
        " a profile (docs/keys.md)"
    ),
}


class Refused(CliError):  # noqa: N818 - named for what is the case
    """The API answered with one of AWS's errors. `code` is its name."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(f"{operation} was refused: {code}: {message}", _CURES.get(code, ""), EXIT_REFUSED)
        self.code = code
        self.text = message


class FileRefused(CliError):  # noqa: N818 - named for what is the case
    """A file that can't be deployed: what it is or lacks, and what to do; with the place (from 1) if there is one."""

    def __init__(self, path: Path, what: str, cure: str = "", line: int = 0, column: int = 1) -> None:
        super().__init__(f"{path}:{line} {what}" if line else f"{path} {what}", cure, EXIT_USAGE)
        self.what = what
        self.line = line or 1
        self.column = column


class NotDecoded(FileRefused):
    """A file whose text is no JSON or YAML, and the place (from 1) where that shows."""

    def __init__(self, path: Path, what: str, line: int = 1, column: int = 1) -> None:
        super().__init__(path, what)
        self.line = line
        self.column = column
