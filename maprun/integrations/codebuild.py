"""CodeBuild."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered, job
from maprun.integrations.service import JOB, PLAIN, Service, Words

_BUILD = Job(
    look=Ask("batchGetBuilds", {"Ids": (answered("Build", "Id"),)}),
    place=("Builds", 0),
    status=("BuildStatus",),
    good=frozenset({"SUCCEEDED"}),
    bad=frozenset({"FAILED", "FAULT", "TIMED_OUT", "STOPPED"}),
    stop=Ask("stopBuild", {"Id": answered("Build", "Id")}),
    output={"Build": job()},
    repeatable=True,
    token="IdempotencyToken",  # noqa: S106 - the name of a member
)
_BATCH = _BUILD._replace(
    look=Ask("batchGetBuildBatches", {"Ids": (answered("BuildBatch", "Id"),)}),
    place=("BuildBatches", 0),
    status=("BuildBatchStatus",),
    stop=Ask("stopBuildBatch", {"Id": answered("BuildBatch", "Id")}),
    output={"BuildBatch": job()},
)
SERVICE = Service(
    "codebuild",
    {
        JOB: ("startBuild", "startBuildBatch", "retryBuildBatch"),
        PLAIN: ("stopBuild", "stopBuildBatch", "batchDeleteBuilds", "batchGetReports", "deleteBuildBatch"),
    },
    words=Words("CodeBuild", "AWSCodeBuild", "AWSCodeBuildException"),
    jobs={"startBuild": _BUILD, "startBuildBatch": _BATCH, "retryBuildBatch": _BATCH},
)
