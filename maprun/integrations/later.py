"""Optimised integrations that AWS has and this version only knows: machines can be made, the state fails in words.

Source: the developer guide's pages below "Integrating optimized services".
"""

from maprun.integrations.service import CALLBACK, JOB, JOB_OR_CALLBACK, PLAIN, Service

SERVICES = (
    Service(
        "athena", {JOB: ("startQueryExecution",), PLAIN: ("stopQueryExecution", "getQueryExecution", "getQueryResults")}
    ),
    Service("batch", {JOB: ("submitJob",)}),
    Service("bedrock", {CALLBACK: ("invokeModel",), JOB: ("createModelCustomizationJob",)}),
    Service(
        "codebuild",
        {
            JOB: ("startBuild", "startBuildBatch", "retryBuildBatch"),
            PLAIN: ("stopBuild", "stopBuildBatch", "batchDeleteBuilds", "batchGetReports", "deleteBuildBatch"),
        },
    ),
    Service("databrew", {JOB: ("startJobRun",)}),
    Service("ecs", {JOB_OR_CALLBACK: ("runTask",)}),
    Service(
        "eks",
        {
            CALLBACK: ("call",),
            JOB_OR_CALLBACK: ("runJob",),
            JOB: (
                *("createCluster", "createNodegroup", "createFargateProfile"),
                *("deleteCluster", "deleteNodegroup", "deleteFargateProfile"),
            ),
        },
    ),
    Service(
        "elasticmapreduce",
        {
            JOB: ("createCluster", "terminateCluster", "addStep"),
            PLAIN: (
                *("setClusterTerminationProtection", "cancelStep"),
                *("modifyInstanceFleetByName", "modifyInstanceGroupByName"),
            ),
        },
    ),
    Service("emr-containers", {PLAIN: ("createVirtualCluster",), JOB: ("deleteVirtualCluster", "startJobRun")}),
    Service(
        "emr-serverless",
        {
            JOB: (
                *("createApplication", "startApplication", "stopApplication", "deleteApplication"),
                *("startJobRun", "cancelJobRun"),
            ),
        },
    ),
    Service("glue", {JOB: ("startJobRun",)}),
    Service("mediaconvert", {JOB: ("createJob",)}),
    Service(
        "sagemaker",
        {
            JOB: (
                *("createHyperParameterTuningJob", "createLabelingJob", "createProcessingJob"),
                *("createTrainingJob", "createTransformJob"),
            ),
            PLAIN: ("createEndpoint", "createEndpointConfig", "createModel", "updateEndpoint"),
        },
    ),
)
