"""SageMaker: jobs under names that the Task gives."""

from maprun.integrations.jobs import Ask, Job
from maprun.integrations.members import asked
from maprun.integrations.service import JOB, PLAIN, Service, Words

_KINDS = ("HyperParameterTuningJob", "LabelingJob", "ProcessingJob", "TrainingJob", "TransformJob")


def _job(kind: str) -> Job:
    name = {f"{kind}Name": asked(f"{kind}Name")}
    return Job(
        look=Ask(f"describe{kind}", name),
        place=(),
        status=(f"{kind}Status",),
        good=frozenset({"Completed"}),
        bad=frozenset({"Failed", "Stopped"}),
        stop=Ask(f"stop{kind}", name),
    )


SERVICE = Service(
    "sagemaker",
    {
        JOB: tuple(f"create{kind}" for kind in _KINDS),
        PLAIN: ("createEndpoint", "createEndpointConfig", "createModel", "updateEndpoint"),
    },
    words=Words("SageMaker", "AmazonSageMaker", "AmazonSageMakerException"),
    jobs={f"create{kind}": _job(kind) for kind in _KINDS},
)
