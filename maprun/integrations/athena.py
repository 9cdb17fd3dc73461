"""Athena."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered, job
from maprun.integrations.service import JOB, PLAIN, Service, Words

_QUERY = {"QueryExecutionId": answered("QueryExecutionId")}
SERVICE = Service(
    "athena",
    {JOB: ("startQueryExecution",), PLAIN: ("stopQueryExecution", "getQueryExecution", "getQueryResults")},
    words=Words("Athena", "AmazonAthena", "AmazonAthenaException"),
    jobs={
        "startQueryExecution": Job(
            look=Ask("getQueryExecution", _QUERY),
            place=("QueryExecution",),
            status=("Status", "State"),
            good=frozenset({"SUCCEEDED"}),
            bad=frozenset({"FAILED", "CANCELLED"}),
            stop=Ask("stopQueryExecution", _QUERY),
            output={"QueryExecution": job()},
            repeatable=True,
        )
    },
)
