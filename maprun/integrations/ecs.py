"""ECS and Fargate."""

from typing import Any

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered
from maprun.integrations.service import JOB_OR_CALLBACK, Service, Words

_TASK, _CLUSTER = answered("Tasks", 0, "TaskArn"), answered("Tasks", 0, "ClusterArn")


def _failed(task: Any) -> bool:
    """True if a container ended with another code than 0, or did not come to run."""
    return any(container.get("ExitCode") != 0 for container in task.get("Containers") or [{}])


def _marked(parameters: dict[str, Any]) -> dict[str, Any]:
    return {**parameters, "StartedBy": "AWS Step Functions"}


SERVICE = Service(
    "ecs",
    {JOB_OR_CALLBACK: ("runTask",)},
    words=Words("ECS", "AmazonECS", "AmazonECSException"),
    jobs={
        "runTask": Job(
            look=Ask("describeTasks", {"Cluster": _CLUSTER, "Tasks": (_TASK,)}),
            place=("Tasks", 0),
            status=("LastStatus",),
            good=frozenset({"STOPPED"}),
            bad=frozenset(),
            stop=Ask("stopTask", {"Cluster": _CLUSTER, "Task": _TASK, "Reason": "Stopped by AWS Step Functions"}),
            repeatable=True,
            fails=_failed,
            marked=_marked,
        )
    },
)
