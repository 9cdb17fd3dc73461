"""How version 2 of the AWS SDK for Java names services, members and errors, pure: Step Functions shows its names.

Rules: DefaultNamingStrategy, Utils and CodegenNamingUtils of aws-sdk-java-v2's code generator. So a member DBInstances
is DbInstances in a definition, DynamoDB's BOOL is Bool, and S3's ETag stays ETag; an error DBInstanceNotFoundFault of
RDS is Rds.DbInstanceNotFoundException.
"""

import re
from functools import lru_cache

EXCEPTION = "Exception"
_FAULT = "Fault"
_RENAMED = {("AttributeValue", "NULL"): "Nul"}
"""(structure, member): what that SDK's own customisation.config renames. NULL is DynamoDB's."""

# botocore's names of services where they are not the SDK's package names but for hyphens.
_BOTOCORE_NAMES = {
    "applicationdiscovery": "discovery",
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "costandusagereport": "cur",
    "costexplorer": "ce",
    "databasemigration": "dms",
    "directory": "ds",
    "directoryservicedata": "ds-data",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "elasticsearch": "es",
    "eventbridge": "events",
    "iotdataplane": "iot-data",
    "iotjobsdataplane": "iot-jobs-data",
    "lexmodelbuilding": "lex-models",
    "lexmodelsv2": "lexv2-models",
    "lexruntimev2": "lexv2-runtime",
    "marketplacemetering": "meteringmarketplace",
    "migrationhub": "mgh",
    "serverlessapplicationrepository": "serverlessrepo",
    "sfn": "stepfunctions",
    "simpledb": "sdb",
}


@lru_cache(maxsize=4096)
def pascal_case(text: str) -> str:
    """Words of a text, each with one capital: `DBInstanceNotFound` is DbInstanceNotFound."""
    spaced = re.sub(r"[^A-Za-z0-9]+", " ", text)
    spaced = re.sub(r"([^a-z]{2,})v([0-9]+)", r"\1 v\2 ", spaced)
    spaced = re.sub(r"([^A-Z]{2,})V([0-9]+)", r"\1 V\2 ", spaced)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-zA-Z0-9])", " ", spaced)
    spaced = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", spaced)
    spaced = re.sub(r"([0-9])([a-zA-Z])", r"\1 \2", spaced)
    return "".join(word[:1].upper() + word[1:].lower() for word in spaced.split())


def service_name(service_id: str) -> str:
    """A service in error names and causes, from its serviceId: `Secrets Manager` is SecretsManager, `SFN` is Sfn."""
    return pascal_case(service_id).removeprefix("Amazon").removeprefix("Aws").removesuffix("Service")


def package_name(service_id: str) -> str:
    """A service as Resources write it: `CloudWatch Logs` is cloudwatchlogs."""
    return service_name(service_id).lower()


def botocore_name(package: str, available: frozenset[str]) -> str:
    """The name in botocore of the service that a Resource writes, or the text as it is if botocore has none."""
    if package in available:
        return package
    if package in _BOTOCORE_NAMES:
        return _BOTOCORE_NAMES[package]
    return next((name for name in available if name.replace("-", "") == package), package)


def exception_name(shape: str) -> str:
    """The class of a modelled error: `NoSuchKey` is NoSuchKeyException, `UserQuotaFault` UserQuotaException."""
    if shape.endswith(EXCEPTION):
        return pascal_case(shape)
    return pascal_case(shape.removesuffix(_FAULT)) + EXCEPTION


@lru_cache(maxsize=16_384)
def member_name(structure: str, member: str) -> str:
    """A member of a structure in Parameters and results."""
    renamed = _RENAMED.get((structure, member))
    if renamed is not None:
        return renamed
    end = 1  # of the capitals that the SDK makes small: all before the last one of a run, or the whole run
    while end < len(member) and member[end].isupper() and not member[end + 1 : end + 2].islower():
        end += 1
    return member[:1].upper() + member[1:end].lower() + member[end:]


def capitalised(name: str) -> str:
    """A name with its first letter in upper case."""
    return name[:1].upper() + name[1:]
