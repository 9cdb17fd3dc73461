"""Glue DataBrew."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered, asked
from maprun.integrations.service import JOB, Service, Words

_RUN = {"Name": asked("Name"), "RunId": answered("RunId")}
SERVICE = Service(
    "databrew",
    {JOB: ("startJobRun",)},
    words=Words("DataBrew", "AWSGlueDataBrew", "AWSGlueDataBrewException"),
    jobs={
        "startJobRun": Job(
            look=Ask("describeJobRun", _RUN),
            place=(),
            status=("State",),
            good=frozenset({"SUCCEEDED"}),
            bad=frozenset({"FAILED", "STOPPED", "TIMEOUT"}),
            stop=Ask("stopJobRun", _RUN),
        )
    },
)
