"""Between Step Functions' way to write AWS SDK calls and botocore's: names, parameters, results, errors."""

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from botocore import xform_name
from botocore.exceptions import ClientError

from maprun.aws.errors import code_of, sdk_cause, status_of

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")

# Step Functions writes some services as their Java SDK packages, which botocore names otherwise.
SERVICE_NAMES = {
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "cognitoidentity": "cognito-identity",
    "eventbridge": "events",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "applicationautoscaling": "application-autoscaling",
    "sfn": "stepfunctions",
    "bedrockruntime": "bedrock-runtime",
    "rdsdata": "rds-data",
    "redshiftdata": "redshift-data",
    "servicequotas": "service-quotas",
}


class Optimised(NamedTuple):
    """An optimised integration's words: they stem from version 1 of the Java SDK."""

    service: str  # botocore's name
    prefix: str  # of error names
    signature: str  # the service in causes
    base_error: str


OPTIMISED = {
    "dynamodb": Optimised("dynamodb", "DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException"),
    "sqs": Optimised("sqs", "SQS", "AmazonSQS", "AmazonSQSException"),
    "sns": Optimised("sns", "SNS", "AmazonSNS", "AmazonSNSException"),
    "events": Optimised("events", "EventBridge", "AmazonEventBridge", "AmazonEventBridgeException"),
}


class Refused(NamedTuple):
    """Error name and cause of a call that can't be made or was refused."""

    error: str
    cause: str


def java_name(service_id: str) -> str:
    """A service id as version 2 of the Java SDK writes it: `Secrets Manager` is SecretsManager, `SFN` is Sfn."""
    words = [word for piece in service_id.split() for word in _WORD.findall(piece)]
    return "".join(word[:1].upper() + word[1:].lower() for word in words)


def snake(name: str) -> str:
    """An operation's botocore method: listObjectsV2 is list_objects_v2."""
    return str(xform_name(name))


def to_request(value: Any, shape: Any) -> Any:
    """Parameters with PascalCase members as botocore's shape names them; members that are null are left out."""
    if shape is None or value is None:
        return value
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        members = shape.members
        named: dict[str, Any] = {}
        for name, member in value.items():
            known = _member_name(name, members)
            if member is not None:
                named[known] = to_request(member, members.get(known))
        return named
    if kind == "list" and isinstance(value, list):
        return [to_request(member, shape.member) for member in value]
    if kind == "map" and isinstance(value, dict):
        return {name: to_request(member, shape.value) for name, member in value.items()}
    if kind == "string" and isinstance(value, (dict, list)):
        return _json_text(value)  # a JSON value where text is wanted: MessageBody, Message, Detail
    if kind == "blob":
        return value.encode() if isinstance(value, str) else _json_text(value).encode()
    return value


def _member_name(name: str, members: Any) -> str:
    if name in members:
        return name
    lower = name[:1].lower() + name[1:]
    return lower if lower in members else name


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def to_result(value: Any) -> Any:
    """A botocore answer with PascalCase members, dates as ISO text, streams and bytes as text."""
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: to_result(member) for name, member in value.items()}
    if isinstance(value, list):
        return [to_result(member) for member in value]
    if isinstance(value, dt.datetime):
        moment = value.astimezone(dt.UTC)
        return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")
    if hasattr(value, "read"):
        return to_result(value.read())
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return value


def missing_members(parameters: dict[str, Any], shape: Any) -> Iterator[str]:
    """Required members that are null: AWS's service refuses them, botocore would leave them out."""
    for name in shape.required_members if shape is not None else ():
        given = name if name in parameters else name[:1].upper() + name[1:]
        if given in parameters and parameters[given] is None:
            yield name


def request_id_for(ref: str) -> str:
    """A request id for a refusal that no service ever saw, derived from the effect's own name."""
    digest = hashlib.sha256(ref.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def null_members(names: list[str], optimised: Optimised, ref: str) -> Refused:
    """What a service says to members that must not be null."""
    count = len(names)
    each = "; ".join(
        f"Value null at '{name[:1].lower() + name[1:]}' failed to satisfy constraint: Member must not be null"
        for name in names
    )
    message = f"{count} validation error{'' if count == 1 else 's'} detected: {each}"
    details = f"Service: {optimised.signature}; Status Code: 400; Error Code: ValidationException"
    cause = f"{message} ({details}; Request ID: {request_id_for(ref)}; Proxy: null)"
    return Refused(f"{optimised.prefix}.{optimised.base_error}", cause)


def refused_by_sdk(java: str, modelled: frozenset[str], error: ClientError) -> Refused:
    """The error of an `aws-sdk` integration: `S3.NoSuchBucketException`, or `<Svc>.<Svc>Exception` if not modelled."""
    code = code_of(error)
    name = f"{java}Exception"
    if code in modelled:
        name = code if code.endswith("Exception") else f"{code.removesuffix('Error')}Exception"
    return Refused(f"{java}.{name}", sdk_cause(java, error))


def refused_by_optimised(optimised: Optimised, modelled: frozenset[str], error: ClientError) -> Refused:
    """The error of an optimised integration, in the words of version 1 of the Java SDK."""
    code = code_of(error)
    name = optimised.base_error
    if code in modelled:
        name = code if code.endswith("Exception") else f"{code}Exception"
    meta = error.response.get("ResponseMetadata", {})
    message = error.response.get("Error", {}).get("Message", "") or code
    details = f"Service: {optimised.signature}; Status Code: {status_of(error)}; Error Code: {code}"
    cause = f"{message} ({details}; Request ID: {meta.get('RequestId', 'null')}; Proxy: null)"
    return Refused(f"{optimised.prefix}.{name}", cause)
