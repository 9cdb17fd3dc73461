"""Bedrock: jobs that customize models, by its SDK; models themselves are invoked by `maprun.aws.models`."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import answered
from maprun.integrations.service import CALLBACK, JOB, Service, Words

_JOB = {"JobIdentifier": answered("JobArn")}
SERVICE = Service(
    "bedrock",
    {CALLBACK: ("invokeModel",), JOB: ("createModelCustomizationJob",)},
    words=Words("Bedrock", "AmazonBedrock", "AmazonBedrockException"),
    jobs={
        "createModelCustomizationJob": Job(
            look=Ask("getModelCustomizationJob", _JOB),
            place=(),
            status=("Status",),
            good=frozenset({"Completed"}),
            bad=frozenset({"Failed", "Stopped"}),
            stop=Ask("stopModelCustomizationJob", _JOB),
            repeatable=True,
        )
    },
    own=frozenset({"invokeModel"}),
)
