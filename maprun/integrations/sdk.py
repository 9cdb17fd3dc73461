"""`aws-sdk:<service>:<action>`: every action of every service that botocore knows.

Which they are stands in a list of what the pinned botocore's models hold (`python -m ops.sdk_actions`), read when a
definition first names one.
"""

from functools import lru_cache
from importlib.resources import files

from maprun.integrations.service import CALLBACK

PATTERNS = CALLBACK
"""Of each of them."""


@lru_cache(maxsize=1)
def actions() -> dict[str, frozenset[str]]:
    """The actions of each service, as a Resource writes both."""
    text = (files("maprun.integrations") / "static" / "sdk_actions.txt").read_text(encoding="utf-8")
    lines = (line.split(" ") for line in text.splitlines())
    return {service: frozenset(names) for service, *names in lines}
