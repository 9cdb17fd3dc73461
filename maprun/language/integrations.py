"""Which integrations of Step Functions exist, and which of them this version can run.

Optimised ones: the developer guide's pages below "Integrating optimized services". SDK actions: a list of what the
pinned botocore's models hold (`python -m ops.sdk_actions`), read when a definition first names one.
"""

from functools import lru_cache
from importlib.resources import files

from maprun.language.resources import ActivityResource, FunctionResource, Integration, Pattern, Resource

_JOB = frozenset({Pattern.REQUEST_RESPONSE, Pattern.RUN_A_JOB})
_CALLBACK = frozenset({Pattern.REQUEST_RESPONSE, Pattern.CALLBACK})
_PLAIN = frozenset({Pattern.REQUEST_RESPONSE})
_ANY = frozenset(Pattern)

OPTIMISED: dict[str, dict[str, frozenset[Pattern]]] = {
    "apigateway": {"invoke": _CALLBACK},
    "athena": {"startQueryExecution": _JOB, "stopQueryExecution": _PLAIN}
    | dict.fromkeys(("getQueryExecution", "getQueryResults"), _PLAIN),
    "batch": {"submitJob": _JOB},
    "bedrock": {"invokeModel": _CALLBACK, "createModelCustomizationJob": _JOB},
    "codebuild": dict.fromkeys(("startBuild", "startBuildBatch", "retryBuildBatch"), _JOB)
    | dict.fromkeys(
        ("stopBuild", "stopBuildBatch", "batchDeleteBuilds", "batchGetReports", "deleteBuildBatch"), _PLAIN
    ),
    "databrew": {"startJobRun": _JOB},
    "dynamodb": dict.fromkeys(("getItem", "putItem", "updateItem", "deleteItem"), _PLAIN),
    "ecs": {"runTask": _JOB | _CALLBACK},
    "eks": {"call": _CALLBACK, "runJob": _JOB | _CALLBACK}
    | dict.fromkeys(
        (f"{what}{of}" for what in ("create", "delete") for of in ("Cluster", "Nodegroup", "FargateProfile")), _JOB
    ),
    "elasticmapreduce": dict.fromkeys(("createCluster", "terminateCluster", "addStep"), _JOB)
    | dict.fromkeys(
        ("setClusterTerminationProtection", "cancelStep", "modifyInstanceFleetByName", "modifyInstanceGroupByName"),
        _PLAIN,
    ),
    "emr-containers": {"createVirtualCluster": _PLAIN, "deleteVirtualCluster": _JOB, "startJobRun": _JOB},
    "emr-serverless": dict.fromkeys(
        (
            *("createApplication", "startApplication", "stopApplication", "deleteApplication"),
            *("startJobRun", "cancelJobRun"),
        ),
        _JOB,
    ),
    "events": {"putEvents": _CALLBACK},
    "glue": {"startJobRun": _JOB},
    "http": {"invoke": _PLAIN},
    "lambda": {"invoke": _CALLBACK},
    "mediaconvert": {"createJob": _JOB},
    "sagemaker": dict.fromkeys(
        (f"create{job}Job" for job in ("HyperParameterTuning", "Labeling", "Processing", "Training", "Transform")),
        _JOB,
    )
    | dict.fromkeys(("createEndpoint", "createEndpointConfig", "createModel", "updateEndpoint"), _PLAIN),
    "sns": {"publish": _CALLBACK},
    "sqs": {"sendMessage": _CALLBACK},
    "states": {"startExecution": _ANY},
}
"""service → action → the patterns it has."""
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
    return named.pattern in OPTIMISED.get(named.service, {}).get(named.action, ())


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
