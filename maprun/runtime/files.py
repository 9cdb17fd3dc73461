"""How many files and sockets this process may hold open at once."""

import resource


def allow_many() -> int:
    """Raises the soft limit of open files to the hard one, as far as the system lets; gives the limit that holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # a system without such a number, or one that forbids it: what was stays
            return soft
    return hard
