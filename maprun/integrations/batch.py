"""Batch."""

from typing import Any

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered
from maprun.integrations.service import JOB, Service, Words

_MARK = {"Name": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}
_OVERRIDES, _ENVIRONMENT = "ContainerOverrides", "Environment"


def _marked(parameters: dict[str, Any]) -> dict[str, Any]:
    """With the variable that AWS gives the containers of such a job; jobs of several nodes or of EKS have none."""
    if any(name in parameters for name in ("NodeOverrides", "EksPropertiesOverride", "EcsPropertiesOverride")):
        return parameters
    overrides = parameters.get(_OVERRIDES) or {}
    if not isinstance(overrides, dict):
        return parameters  # the SDK says what is wrong with it
    environment = overrides.get(_ENVIRONMENT) or []
    return {**parameters, _OVERRIDES: {**overrides, _ENVIRONMENT: [*environment, _MARK]}}


SERVICE = Service(
    "batch",
    {JOB: ("submitJob",)},
    words=Words("Batch", "AWSBatch", "AWSBatchException"),
    jobs={
        "submitJob": Job(
            look=Ask("describeJobs", {"Jobs": (answered("JobId"),)}),
            place=("Jobs", 0),
            status=("Status",),
            good=frozenset({"SUCCEEDED"}),
            bad=frozenset({"FAILED"}),
            stop=Ask("terminateJob", {"JobId": answered("JobId"), "Reason": "Stopped by AWS Step Functions"}),
            marked=_marked,
        )
    },
)
