"""What a Resource's ARN names: a function, an activity, or an integration of Step Functions.

This is the one place that reads such an ARN. Partition, region and account play no part in which integration it is: a
definition from AWS's sample or from another partition names the same call (connect-to-resource, task-state).
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Pattern(StrEnum):
    """How a Task waits for its integration, as the Resource's ending says."""

    REQUEST_RESPONSE = ""
    RUN_A_JOB = ".sync"
    RUN_A_JOB_2 = ".sync:2"
    CALLBACK = ".waitForTaskToken"


class Place(NamedTuple):
    """Where an ARN says that it belongs; region and account may be empty."""

    partition: str  # "aws", "aws-cn", "aws-us-gov", …
    region: str
    account: str


class FunctionResource(NamedTuple):
    """A Lambda function by its ARN, with a version or alias behind it or none."""

    arn: str
    place: Place


class ActivityResource(NamedTuple):
    """An activity by its ARN."""

    arn: str
    place: Place


class Integration(NamedTuple):
    """A call of a service: an optimised one (`lambda:invoke`), or one of the SDK's (`aws-sdk:s3:getObject`)."""

    service: str  # as the ARN writes it, without "aws-sdk:"
    action: str
    is_sdk: bool = False
    pattern: Pattern = Pattern.REQUEST_RESPONSE

    @property
    def resource_type(self) -> str:
        """The service as history events name it."""
        return f"aws-sdk:{self.service}" if self.is_sdk else self.service

    @property
    def resource_name(self) -> str:
        """The action as history events name it, with its pattern."""
        return f"{self.action}{self.pattern.value}"

    def asked_once(self) -> "Integration":
        """The same call, answered by its response alone."""
        return self._replace(pattern=Pattern.REQUEST_RESPONSE)


Resource = FunctionResource | ActivityResource | Integration

LAMBDA_INVOKE = Integration("lambda", "invoke")
READ_OBJECT = Integration("s3", "getObject")
READ_LISTING = Integration("s3", "listObjectsV2")
WRITE_OBJECT = Integration("s3", "putObject")
"""The optimised integrations that have a meaning of their own: in a Task, in an ItemReader, in a ResultWriter."""

_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):(?P<service>lambda|states):(?P<region>[^:]*):(?P<account>[^:]*):"
)
_FUNCTION = re.compile(r"function:[^:]+(?::[^:]+)?")
_ACTIVITY = re.compile(r"activity:[^:]+")
_INTEGRATION = re.compile(
    r"(?P<sdk>aws-sdk:)?(?P<service>[A-Za-z0-9-]+):(?P<action>[A-Za-z0-9]+)"
    r"(?P<pattern>\.sync(?::2)?|\.waitForTaskToken)?",
)


@lru_cache(maxsize=4096)
def parse_resource(text: str) -> Resource | None:
    """What a Resource names; None for a text that can be none."""
    arn = _ARN.match(text)
    if arn is None:
        return None
    place, rest = Place(arn["partition"], arn["region"], arn["account"]), text[arn.end() :]
    if arn["service"] == "lambda":
        return FunctionResource(text, place) if _FUNCTION.fullmatch(rest) else None
    if _ACTIVITY.fullmatch(rest):
        return ActivityResource(text, place)
    found = _INTEGRATION.fullmatch(rest)
    if found is None or found["service"] == "aws-sdk":
        return None
    return Integration(found["service"], found["action"], found["sdk"] is not None, Pattern(found["pattern"] or ""))
