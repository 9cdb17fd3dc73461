"""Which integrations of Step Functions exist, and which of them this version can run.

Optimised ones: the developer guide's pages below "Integrating optimized services". SDK actions: a list of what the
pinned botocore's models hold (`python -m ops.sdk_actions`), read when a definition first names one.
"""

from functools import lru_cache
from importlib.resources import files

from maprun.language.resources import ActivityResource, FunctionResource, Integration, Pattern, Resource

_JOB = frozenset({Pattern.REQUEST_RESPONSE, Pattern.RUN_A_JOB})
_CALLBACK = frozenset({Pattern.REQUEST_RESPONSE, Pattern.CALLBACK})
_JOB_OR_CALLBACK = _JOB | _CALLBACK
_PLAIN = frozenset({Pattern.REQUEST_RESPONSE})
_ANY = frozenset(Pattern)

OPTIMISED: dict[str, dict[frozenset[Pattern], tuple[str, ...]]] = {
    "apigateway": {_CALLBACK: ("invoke",)},
    "athena": {_JOB: ("startQueryExecution",), _PLAIN: ("stopQueryExecution", "getQueryExecution", "getQueryResults")},
    "batch": {_JOB: ("submitJob",)},
    "bedrock": {_CALLBACK: ("invokeModel",), _JOB: ("createModelCustomizationJob",)},
    "codebuild": {
        _JOB: ("startBuild", "startBuildBatch", "retryBuildBatch"),
        _PLAIN: ("stopBuild", "stopBuildBatch", "batchDeleteBuilds", "batchGetReports", "deleteBuildBatch"),
    },
    "databrew": {_JOB: ("startJobRun",)},
    "dynamodb": {_PLAIN: ("getItem", "putItem", "updateItem", "deleteItem")},
    "ecs": {_JOB_OR_CALLBACK: ("runTask",)},
    "eks": {
        _CALLBACK: ("call",),
        _JOB_OR_CALLBACK: ("runJob",),
        _JOB: (
            *("createCluster", "createNodegroup", "createFargateProfile"),
            *("deleteCluster", "deleteNodegroup", "deleteFargateProfile"),
        ),
    },
    "elasticmapreduce": {
        _JOB: ("createCluster", "terminateCluster", "addStep"),
        _PLAIN: (
            *("setClusterTerminationProtection", "cancelStep"),
            *("modifyInstanceFleetByName", "modifyInstanceGroupByName"),
        ),
    },
    "emr-containers": {_PLAIN: ("createVirtualCluster",), _JOB: ("deleteVirtualCluster", "startJobRun")},
    "emr-serverless": {
        _JOB: (
            *("createApplication", "startApplication", "stopApplication", "deleteApplication"),
            *("startJobRun", "cancelJobRun"),
        ),
    },
    "events": {_CALLBACK: ("putEvents",)},
    "glue": {_JOB: ("startJobRun",)},
    "http": {_PLAIN: ("invoke",)},
    "lambda": {_CALLBACK: ("invoke",)},
    "mediaconvert": {_JOB: ("createJob",)},
    "sagemaker": {
        _JOB: (
            *("createHyperParameterTuningJob", "createLabelingJob", "createProcessingJob"),
            *("createTrainingJob", "createTransformJob"),
        ),
        _PLAIN: ("createEndpoint", "createEndpointConfig", "createModel", "updateEndpoint"),
    },
    "sns": {_CALLBACK: ("publish",)},
    "sqs": {_CALLBACK: ("sendMessage",)},
    "states": {_ANY: ("startExecution",)},
}
"""service → the patterns that some of its actions have → those actions."""
RUNNABLE = frozenset({"dynamodb", "events", "lambda", "sns", "sqs"})
"""Optimised services that this version calls, by request and response."""


@lru_cache(maxsize=1)
def sdk_actions() -> dict[str, frozenset[str]]:
    """The actions of each service, as in `aws-sdk:<service>:<action>`."""
    text = (files("maprun.language") / "static" / "sdk_actions.txt").read_text(encoding="utf-8")
    lines = (line.split(" ") for line in text.splitlines())
    return {service: frozenset(actions) for service, *actions in lines}


def exists(named: Resource) -> bool:
    """True for what AWS has: functions and activities by their ARN, and integrations with their patterns."""
    if not isinstance(named, Integration):
        return True
    if named.is_sdk:
        return named.pattern in _CALLBACK and named.action in sdk_actions().get(named.service, ())
    known = OPTIMISED.get(named.service, {}).items()
    return any(named.pattern in patterns and named.action in actions for patterns, actions in known)


def not_yet(named: Resource) -> str:
    """What of a resource this version can't run, in words that go on with "is not supported yet"; empty if it can."""
    match named:
        case FunctionResource():
            return ""
        case ActivityResource():
            return "An activity"
        case Integration(service, action, is_sdk, pattern):
            if pattern is not Pattern.REQUEST_RESPONSE:
                return f"The integration pattern {pattern.value} of {named.resource_type}:{action}"
            return "" if is_sdk or service in RUNNABLE else f"The integration {service}:{action}"
