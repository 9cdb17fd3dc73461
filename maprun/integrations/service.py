"""What is declared of an integrated service."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from maprun.integrations.jobs import Ask, Job, KubernetesJob
from maprun.integrations.members import Template
from maprun.integrations.resources import Pattern

PLAIN = frozenset({Pattern.REQUEST_RESPONSE})
CALLBACK = frozenset({Pattern.REQUEST_RESPONSE, Pattern.CALLBACK})
JOB = frozenset({Pattern.REQUEST_RESPONSE, Pattern.RUN_A_JOB})
JOB_OR_CALLBACK = JOB | CALLBACK
ANY = frozenset(Pattern)


AT_ONCE_MAX = 10_000
"""Calls of one service that are under way in one process; each takes an open file. More wait."""


class Words(NamedTuple):
    """How errors of an optimised integration are worded: they stem from version 1 of the Java SDK."""

    prefix: str  # of error names
    signature: str  # the service in causes
    base_error: str
    shows_http: bool = True  # whether a result has SdkHttpMetadata and SdkResponseMetadata
    fault_of: Callable[[Mapping[str, Any]], str] | None = None  # the error that a result is, though it came as success


class ByName(NamedTuple):
    """How a thing that Parameters name is found, which the SDK knows by its id: in a list of things with both."""

    listed: Ask
    entries: str  # the member of its answer
    name: str  # the member of Parameters that names the thing
    thing: str  # the member of Parameters that is told of it
    id: str  # the member of that, in which the SDK wants the id


class Sent(NamedTuple):
    """An action whose call is not the SDK's action of its name: what is called with what, and how that is answered."""

    action: str
    parameters: Mapping[str, Template] | None = None  # None = as the Task has them
    answer: Mapping[str, Template] | None = None  # in place of the members it is filled from; None = nothing
    by_name: ByName | None = None


class Service(NamedTuple):
    """An optimised integration: its actions, with the patterns that they have.

    A service with `words` is called by the SDK, under the name `sdk` if that is another one.
    """

    name: str  # as in `arn:aws:states:::<name>:<action>`
    actions: Mapping[frozenset[Pattern], tuple[str, ...]]
    words: Words | None = None
    sdk: str = ""
    sent: Mapping[str, Sent] = {}
    jobs: Mapping[str, Job | KubernetesJob] = {}
    own: frozenset[str] = frozenset()  # actions that are no call of its SDK's: `maprun.aws` has a caller for each
    names_origin: bool = False  # whether its calls say which execution they come from, see `events`

    def has(self, action: str, pattern: Pattern) -> bool:
        """True if AWS has this action with this pattern."""
        return any(pattern in patterns and action in actions for patterns, actions in self.actions.items())
