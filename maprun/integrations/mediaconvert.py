"""MediaConvert."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered, job
from maprun.integrations.service import JOB, Service, Words

_JOB = {"Id": answered("Job", "Id")}
SERVICE = Service(
    "mediaconvert",
    {JOB: ("createJob",)},
    words=Words("MediaConvert", "AWSMediaConvert", "AWSMediaConvertException"),
    jobs={
        "createJob": Job(
            look=Ask("getJob", _JOB),
            place=("Job",),
            status=("Status",),
            good=frozenset({"COMPLETE"}),
            bad=frozenset({"CANCELED", "ERROR"}),
            stop=Ask("cancelJob", _JOB),
            output={"Job": job()},
            repeatable=True,
        )
    },
)
