"""EMR, whose actions here have names and parameters of their own."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered, asked, job
from maprun.integrations.service import JOB, PLAIN, ByName, Sent, Service, Words

_OF_CLUSTER = {"ClusterId": asked("ClusterId")}
_STEP = {"ClusterId": asked("ClusterId"), "StepId": answered("StepId")}
_CREATED = Job(
    look=Ask("describeCluster", {"ClusterId": answered("ClusterId")}),
    place=("Cluster",),
    status=("Status", "State"),
    good=frozenset({"WAITING", "TERMINATED"}),
    bad=frozenset({"TERMINATED_WITH_ERRORS"}),
    stop=Ask("terminateJobFlows", {"JobFlowIds": (answered("ClusterId"),)}),
    output={"ClusterId": answered("ClusterId"), "Cluster": job()},
)
SERVICE = Service(
    "elasticmapreduce",
    {
        JOB: ("createCluster", "terminateCluster", "addStep"),
        PLAIN: (
            *("setClusterTerminationProtection", "cancelStep"),
            *("modifyInstanceFleetByName", "modifyInstanceGroupByName"),
        ),
    },
    words=Words("ElasticMapReduce", "AmazonElasticMapReduce", "AmazonElasticMapReduceException"),
    sdk="emr",
    sent={
        "createCluster": Sent("runJobFlow", answer={"ClusterId": answered("JobFlowId")}),
        "terminateCluster": Sent("terminateJobFlows", {"JobFlowIds": (asked("ClusterId"),)}),
        "addStep": Sent(
            "addJobFlowSteps",
            {
                "JobFlowId": asked("ClusterId"),
                "Steps": (asked("Step"),),
                "ExecutionRoleArn": asked("ExecutionRoleArn"),
            },
            {"StepId": answered("StepIds", 0)},
        ),
        "cancelStep": Sent(
            "cancelSteps",
            {"ClusterId": asked("ClusterId"), "StepIds": (asked("StepId"),)},
            {"CancelStepsInfo": answered("CancelStepsInfoList", 0)},
        ),
        "modifyInstanceFleetByName": Sent(
            "modifyInstanceFleet",
            {"ClusterId": asked("ClusterId"), "InstanceFleet": asked("InstanceFleet")},
            by_name=ByName(
                Ask("listInstanceFleets", _OF_CLUSTER),
                *("InstanceFleets", "InstanceFleetName", "InstanceFleet", "InstanceFleetId"),
            ),
        ),
        "modifyInstanceGroupByName": Sent(
            "modifyInstanceGroups",
            {"ClusterId": asked("ClusterId"), "InstanceGroups": (asked("InstanceGroup"),)},
            by_name=ByName(
                Ask("listInstanceGroups", _OF_CLUSTER),
                *("InstanceGroups", "InstanceGroupName", "InstanceGroup", "InstanceGroupId"),
            ),
        ),
        "setClusterTerminationProtection": Sent(
            "setTerminationProtection",
            {"JobFlowIds": (asked("ClusterId"),), "TerminationProtected": asked("TerminationProtected")},
        ),
    },
    jobs={
        "createCluster": _CREATED,
        "terminateCluster": _CREATED._replace(
            look=Ask("describeCluster", {"ClusterId": asked("ClusterId")}),
            good=frozenset({"TERMINATED", "TERMINATED_WITH_ERRORS"}),
            bad=frozenset(),
            stop=None,
            output={"ClusterId": asked("ClusterId"), "Cluster": job()},
        ),
        "addStep": Job(
            look=Ask("describeStep", _STEP),
            place=("Step",),
            status=("Status", "State"),
            good=frozenset({"COMPLETED"}),
            bad=frozenset({"CANCELLED", "FAILED", "INTERRUPTED"}),
            stop=Ask("cancelSteps", {"ClusterId": asked("ClusterId"), "StepIds": (answered("StepId"),)}),
            output={"StepId": answered("StepId"), "Step": job()},
        ),
    },
)
