"""EMR on EKS."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered, asked
from maprun.integrations.service import JOB, PLAIN, Service, Words

_RUN = {"Id": answered("Id"), "VirtualClusterId": asked("VirtualClusterId")}
SERVICE = Service(
    "emr-containers",
    {PLAIN: ("createVirtualCluster",), JOB: ("deleteVirtualCluster", "startJobRun")},
    words=Words("EMRContainers", "AmazonEMRContainers", "AmazonEMRContainersException"),
    jobs={
        "deleteVirtualCluster": Job(
            look=Ask("describeVirtualCluster", {"Id": asked("Id")}),
            place=("VirtualCluster",),
            status=("State",),
            good=frozenset({"TERMINATED"}),
            bad=frozenset({"ARRESTED"}),
        ),
        "startJobRun": Job(
            look=Ask("describeJobRun", _RUN),
            place=("JobRun",),
            status=("State",),
            good=frozenset({"COMPLETED"}),
            bad=frozenset({"FAILED", "CANCELLED"}),
            stop=Ask("cancelJobRun", _RUN),
            repeatable=True,
        ),
    },
)
