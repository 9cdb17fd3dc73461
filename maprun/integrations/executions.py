"""Step Functions itself: `states:startExecution`. The execution starts here, whoever's endpoint SDK calls have.

With `.sync` its Task is a job that nobody asks after: the home of the started execution tells the home of the Task.
"""

import msgspec

from maprun.integrations.resources import Integration, Pattern, parse_resource
from maprun.integrations.service import ANY, Service, Words
from schemas.effects import TaskRequested

SERVICE = Service(
    "states",
    {ANY: ("startExecution",)},
    words=Words("StepFunctions", "AWSStepFunctions", "AWSStepFunctionsException"),
)
START = Integration("states", "startExecution")
TASK_TOKEN_HEADER, TASK_PATTERN_HEADER = "X-Maprun-Task-Token", "X-Maprun-Task-Pattern"
"""Of StartExecution by a Task that waits for the execution: its token, and the Resource's ending."""
_MACHINE_PARTS = 7  # arn:partition:states:region:account:stateMachine:name


class _Parameters(msgspec.Struct):
    machine_arn: str = msgspec.field(name="StateMachineArn")
    name: str | None = msgspec.field(default=None, name="Name")


_parameters = msgspec.json.Decoder(_Parameters)


def waits_for_execution(resource: str) -> bool:
    """True for the Resource of a Task that ends with the execution it starts."""
    named = parse_resource(resource)
    return (
        isinstance(named, Integration)
        and named.pattern in {Pattern.RUN_A_JOB, Pattern.RUN_A_JOB_2}
        and named.asked_once() == START
    )


def withdrawn_cause(arn: str) -> str:
    """The cause with which an execution is stopped that a Task of this one started, in AWS's words."""
    return f"The Task state in AWS Step Functions execution [{arn}] which was managing this resource was aborted"


def name_of(attempt: str) -> str:
    """The name of the execution that an attempt starts, where the user gives none: always the same one."""
    return f"{attempt[:8]}-{attempt[8:12]}-4{attempt[13:16]}-a{attempt[17:20]}-{attempt[20:32]}"


def execution_of(task: TaskRequested, attempt: str) -> str | None:
    """The ARN of the execution that a Task waits for, whether it has started or not; None if it can wait for none."""
    if not waits_for_execution(task.resource):
        return None
    try:
        asked = _parameters.decode(task.parameters)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    parts = asked.machine_arn.split(":")
    if len(parts) < _MACHINE_PARTS:
        return None
    return ":".join([*parts[:5], "execution", parts[6], asked.name or name_of(attempt)])
