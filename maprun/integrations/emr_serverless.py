"""EMR Serverless."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered, asked
from maprun.integrations.service import JOB, Service, Words

_RUN = {"ApplicationId": asked("ApplicationId"), "JobRunId": answered("JobRunId")}
_STARTED_RUN = Job(
    look=Ask("getJobRun", _RUN),
    place=("JobRun",),
    status=("State",),
    good=frozenset({"SUCCESS"}),
    bad=frozenset({"FAILED", "CANCELLED"}),
    stop=Ask("cancelJobRun", _RUN),
    repeatable=True,
)


def _application(state: str, *later: str, created: bool = False) -> Job:
    """An application that comes into a state, or is beyond it; one that is terminated comes into no other."""
    return Job(
        look=Ask("getApplication", {"ApplicationId": (answered if created else asked)("ApplicationId")}),
        place=("Application",),
        status=("State",),
        good=frozenset({state, *later}),
        bad=frozenset({"TERMINATED"}) - {state},
        repeatable=created,
    )


SERVICE = Service(
    "emr-serverless",
    {
        JOB: (
            *("createApplication", "startApplication", "stopApplication", "deleteApplication"),
            *("startJobRun", "cancelJobRun"),
        ),
    },
    words=Words("EMRServerless", "EMRServerless", "EMRServerlessException"),
    jobs={
        "createApplication": _application("CREATED", "STARTING", "STARTED", created=True),
        "startApplication": _application("STARTED"),
        "stopApplication": _application("STOPPED"),
        "deleteApplication": _application("TERMINATED"),
        "startJobRun": _STARTED_RUN,
        "cancelJobRun": _STARTED_RUN._replace(
            look=Ask("getJobRun", {"ApplicationId": asked("ApplicationId"), "JobRunId": asked("JobRunId")}),
            good=frozenset({"CANCELLED"}),
            bad=frozenset({"SUCCESS", "FAILED"}),
            stop=None,
            repeatable=False,
        ),
    },
)
