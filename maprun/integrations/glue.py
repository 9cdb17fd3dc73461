"""Glue."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered, asked
from maprun.integrations.service import JOB, Sent, Service, Words

SERVICE = Service(
    "glue",
    {JOB: ("startJobRun",)},
    words=Words("Glue", "AWSGlue", "AWSGlueException"),
    sent={"startJobRun": Sent("startJobRun", answer={"JobName": asked("JobName")})},
    jobs={
        "startJobRun": Job(
            look=Ask("getJobRun", {"JobName": asked("JobName"), "RunId": answered("JobRunId")}),
            place=("JobRun",),
            status=("JobRunState",),
            good=frozenset({"SUCCEEDED", "STOPPED"}),
            bad=frozenset({"FAILED", "TIMEOUT", "ERROR", "EXPIRED"}),
            stop=Ask("batchStopJobRun", {"JobName": asked("JobName"), "JobRunIds": (answered("JobRunId"),)}),
        )
    },
)
