"""AWS's quotas that several rooms hold to, and the words of what exceeds them."""

ERROR_LENGTH_MAX = 256
"""Characters of an error name."""
CAUSE_LENGTH_MAX = 32_768
"""Characters of a cause."""
SECONDS_MAX = 99_999_999
"""Of a wait, a timeout, a heartbeat, a delay between attempts."""
DATA_LIMIT_EXCEEDED = "States.DataLimitExceeded"


def result_too_large(name: str) -> str:
    """The cause when a state's result, or a task's, is larger than a payload may be."""
    return too_large(f"The state/task '{name}' returned a result")


def too_large(what: str) -> str:
    """The cause when something is larger than a quota of bytes."""
    return f"{what} with a size exceeding the maximum number of bytes service limit."
