"""EKS: clusters and what belongs to them, by its SDK; the API of a cluster itself is called by `maprun.aws.web`."""

from maprun.integrations.jobs import Ask, Job, KubernetesJob
from maprun.integrations.members import asked
from maprun.integrations.service import CALLBACK, JOB, JOB_OR_CALLBACK, Service, Words

_GONE = "ResourceNotFoundException"
_CLUSTER = Job(
    look=Ask("describeCluster", {"Name": asked("Name")}),
    place=("Cluster",),
    status=("Status",),
    good=frozenset({"ACTIVE"}),
    bad=frozenset({"FAILED"}),
    repeatable=True,
)
_NODEGROUP = _CLUSTER._replace(
    look=Ask("describeNodegroup", {"ClusterName": asked("ClusterName"), "NodegroupName": asked("NodegroupName")}),
    place=("Nodegroup",),
    bad=frozenset({"CREATE_FAILED"}),
)
_PROFILE = _NODEGROUP._replace(
    look=Ask(
        "describeFargateProfile",
        {"ClusterName": asked("ClusterName"), "FargateProfileName": asked("FargateProfileName")},
    ),
    place=("FargateProfile",),
)


def _deleted(created: Job, *bad: str) -> Job:
    return created._replace(good=frozenset(), bad=frozenset(bad), repeatable=False, gone=_GONE)


SERVICE = Service(
    "eks",
    {
        CALLBACK: ("call",),
        JOB_OR_CALLBACK: ("runJob",),
        JOB: (
            *("createCluster", "createNodegroup", "createFargateProfile"),
            *("deleteCluster", "deleteNodegroup", "deleteFargateProfile"),
        ),
    },
    words=Words("EKS", "AmazonEKS", "AmazonEKSException"),
    jobs={
        "runJob": KubernetesJob(),
        "createCluster": _CLUSTER,
        "createNodegroup": _NODEGROUP,
        "createFargateProfile": _PROFILE,
        "deleteCluster": _deleted(_CLUSTER, "FAILED"),
        "deleteNodegroup": _deleted(_NODEGROUP, "DELETE_FAILED"),
        "deleteFargateProfile": _deleted(_PROFILE, "DELETE_FAILED"),
    },
    own=frozenset({"call", "runJob"}),
)
