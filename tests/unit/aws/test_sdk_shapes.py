"""Names, parameters and results of AWS SDK calls in Step Functions' spelling."""

import datetime as dt
import io
from functools import lru_cache
from typing import Any, cast

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.aws.java_names import botocore_name, exception_name, member_name, package_name, service_name
from maprun.aws.sdk_shapes import (
    OPTIMISED_SPELLING,
    SDK_SPELLING,
    Idempotency,
    UnusableMemberError,
    iso_text,
    to_request,
    to_result,
)
from maprun.aws.sdk_tasks import Call, call_of
from maprun.integrations.jobs import Job
from maprun.integrations.registry import SERVICES
from maprun.integrations.resources import Integration, parse_resource

KEY = Idempotency("key")


@lru_cache
def model_of(service: str) -> Any:
    """A service's model."""
    return botocore.session.get_session().get_service_model(service)


def operation(service: str, name: str) -> Any:
    """An operation's model."""
    return model_of(service).operation_model(name)


def request(service: str, name: str, parameters: Any) -> Any:
    """What botocore is given."""
    return to_request(parameters, operation(service, name).input_shape, KEY)


def result(service: str, name: str, answer: Any, spelling: Any = SDK_SPELLING) -> Any:
    """What the execution gets."""
    return to_result(answer, operation(service, name).output_shape, spelling, lambda body: bytes(body.read()))


@pytest.mark.parametrize(
    ("service_id", "name", "package"),
    [
        ("S3", "S3", "s3"),
        ("SFN", "Sfn", "sfn"),
        ("SQS", "Sqs", "sqs"),
        ("DynamoDB", "DynamoDb", "dynamodb"),
        ("Secrets Manager", "SecretsManager", "secretsmanager"),
        ("CloudWatch Logs", "CloudWatchLogs", "cloudwatchlogs"),
        ("EventBridge", "EventBridge", "eventbridge"),
        ("Lambda", "Lambda", "lambda"),
        ("SESv2", "SesV2", "sesv2"),
        ("Elastic Load Balancing v2", "ElasticLoadBalancingV2", "elasticloadbalancingv2"),
        ("Database Migration Service", "DatabaseMigration", "databasemigration"),
    ],
)
def test_services_are_named_as_javas_sdk_names_them(service_id: str, name: str, package: str) -> None:
    """Error names, causes and Resources carry the service as version 2 of the Java SDK writes it."""
    assert (service_name(service_id), package_name(service_id)) == (name, package)


def test_a_resource_leads_to_the_service_of_botocore() -> None:
    """Every service that botocore has is found under the name that Resources give it, and under its own."""
    session = botocore.session.get_session()
    available = frozenset(session.get_available_services())
    loader = session.get_component("data_loader")
    for service in ("s3", "logs", "stepfunctions", "events", "bedrock-runtime", "elbv2", "dms", "iot-data", "ssm"):
        service_id = loader.load_service_model(service, "service-2")["metadata"]["serviceId"]
        assert botocore_name(package_name(service_id), available) == service
        assert botocore_name(service, available) == service
    assert botocore_name("nosuchservice", available) == "nosuchservice"


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ("NoSuchBucket", "NoSuchBucketException"),
        ("ResourceNotFoundException", "ResourceNotFoundException"),
        ("DBInstanceNotFoundFault", "DbInstanceNotFoundException"),
        ("ObjectNotInActiveTierError", "ObjectNotInActiveTierErrorException"),
        ("QueueDoesNotExist", "QueueDoesNotExistException"),
    ],
)
def test_errors_are_named_as_javas_sdk_names_them(shape: str, name: str) -> None:
    """An error ends in Exception, once; a Fault gives its ending up; acronyms are words."""
    assert exception_name(shape) == name


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("Bucket", "Bucket"),
        ("taskArn", "TaskArn"),
        ("ETag", "ETag"),
        ("DBInstances", "DbInstances"),
        ("SSEKMSKeyId", "SsekmsKeyId"),
        ("SSECustomerKeyMD5", "SseCustomerKeyMD5"),
        ("BOOL", "Bool"),
        ("S", "S"),
    ],
)
def test_members_are_named_as_javas_sdk_names_them(member: str, name: str) -> None:
    """A member has a capital first, and of a run of capitals only the first and the next word's stay."""
    assert member_name("Any", member) == name


@pytest.mark.parametrize(
    ("resource", "call"),
    [
        ("arn:aws:states:::aws-sdk:s3:listObjectsV2", Call("s3", "listObjectsV2", None)),
        ("arn:aws:states:::aws-sdk:sfn:startExecution", Call("sfn", "startExecution", None)),
        ("arn:aws:states:::dynamodb:putItem", Call("dynamodb", "putItem", SERVICES["dynamodb"].words)),
        ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", Call("sqs", "sendMessage", SERVICES["sqs"].words)),
        (
            "arn:aws:states:::ecs:runTask.waitForTaskToken",
            Call("ecs", "runTask", SERVICES["ecs"].words, None, cast("Job", SERVICES["ecs"].jobs["runTask"])),
        ),
        ("arn:aws:states:::eks:call", None),
        ("arn:aws-us-gov:states:::sqs:sendMessage", Call("sqs", "sendMessage", SERVICES["sqs"].words)),
        ("arn:aws:states:eu-west-1:123456789012:aws-sdk:s3:getObject", Call("s3", "getObject", None)),
        ("arn:aws:states:::http:invoke", None),
    ],
)
def test_resources_name_calls(resource: str, call: Call | None) -> None:
    """A Resource leads to a service and an action, or to nothing this room runs."""
    named = parse_resource(resource)
    assert isinstance(named, Integration)
    assert call_of(named) == call


ITEM = {
    "id": {"S": "1"},
    "data": {"M": {"eTag": {"BOOL": True}, "list": {"L": [{"SS": ["a"]}, {"NULL": True}]}}},
    "Data": {"N": "2"},
}


def test_keys_of_maps_stay_in_answers() -> None:
    """The attributes of a DynamoDB item keep their names at every depth; the members around them are the SDK's."""
    answer = {"Item": ITEM, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}}
    assert result("dynamodb", "GetItem", answer) == {
        "Item": {
            "id": {"S": "1"},
            "data": {"M": {"eTag": {"Bool": True}, "list": {"L": [{"Ss": ["a"]}, {"Nul": True}]}}},
            "Data": {"N": "2"},
        },
        "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0},
    }
    assert result("dynamodb", "GetItem", answer, OPTIMISED_SPELLING) == answer


@pytest.mark.parametrize("spelt", [ITEM, result("dynamodb", "GetItem", {"Item": ITEM})["Item"]])
def test_keys_of_maps_stay_in_requests(spelt: Any) -> None:
    """An item may be written as either kind of integration shows it, and reaches DynamoDB as it is."""
    assert request("dynamodb", "PutItem", {"TableName": "t", "Item": spelt}) == {"TableName": "t", "Item": ITEM}


def test_documents_json_and_free_text_are_never_touched() -> None:
    """What is of a document type, and the JSON in a text, are the user's own."""
    schema = {"type": "object", "properties": {"firstName": {"type": "string"}, "DBName": {}}}
    tool = {"toolSpec": {"name": "t", "inputSchema": {"json": schema}}}
    given = {"ModelId": "m", "ToolConfig": {"Tools": [{"ToolSpec": {"Name": "t", "InputSchema": {"Json": schema}}}]}}
    assert request("bedrock-runtime", "Converse", given) == {"modelId": "m", "toolConfig": {"tools": [tool]}}
    use = {"toolUse": {"toolUseId": "1", "name": "t", "input": schema}}
    answer = {"output": {"message": {"role": "assistant", "content": [use]}}, "usage": {"inputTokens": 1}}
    content = result("bedrock-runtime", "Converse", answer)["Output"]["Message"]["Content"]
    assert content == [{"ToolUse": {"ToolUseId": "1", "Name": "t", "Input": schema}}]
    message = {"QueueUrl": "q", "MessageBody": {"aKey": 1}}
    assert request("sqs", "SendMessage", message) == {"QueueUrl": "q", "MessageBody": '{"aKey":1}'}


def test_answers_become_json() -> None:
    """Dates are ISO text, bodies text, other bytes base64; metadata of objects keeps its keys."""
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    answer = {"ETag": '"x"', "LastModified": moment, "Body": io.BytesIO(b"text"), "Metadata": {"myKey": "v"}}
    assert result("s3", "GetObject", answer) == {
        "ETag": '"x"',
        "LastModified": "2026-01-02T03:04:05Z",
        "Body": "text",
        "Metadata": {"myKey": "v"},
    }
    assert result("kms", "Encrypt", {"CiphertextBlob": b"\xff", "KeyId": "k"}) == {
        "CiphertextBlob": "/w==",
        "KeyId": "k",
    }


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [(0, "05Z"), (120_000, "05.120Z"), (123_456, "05.123456Z")],
)
def test_moments_are_written_as_java_does(microsecond: int, text: str) -> None:
    """A moment in any zone is UTC, with no fraction or with three or six digits of it."""
    zone = dt.timezone(dt.timedelta(hours=1))
    moment = dt.datetime(2026, 1, 2, 4, 4, 5, microsecond, tzinfo=zone)
    assert iso_text(moment) == f"2026-01-02T03:04:{text}"


def test_a_member_given_in_two_spellings_is_refused() -> None:
    """One member under two names has no meaning."""
    with pytest.raises(UnusableMemberError, match="DBInstanceIdentifier"):
        request("rds", "StartDBInstance", {"DbInstanceIdentifier": "a", "DBInstanceIdentifier": "b"})


@pytest.mark.parametrize(
    ("service", "action", "parameters", "words"),
    [
        ("s3", "GetObject", {"Bucket": 5, "Key": "k"}, "The value for the field 'Bucket' must be a STRING"),
        ("s3", "GetObject", {"Bucket": "b", "Key": True}, "The value for the field 'Key' must be a STRING"),
        ("dynamodb", "GetItem", {"TableName": 1.5}, "The value for the field 'TableName' must be a STRING"),
        ("dynamodb", "GetItem", {"Key": {"k": "a"}}, "The value for the field 'Key/k' must be an OBJECT"),
        ("dynamodb", "PutItem", {"Item": []}, "The value for the field 'Item' must be an OBJECT"),
        ("dynamodb", "Query", {"Limit": "5"}, "The value for the field 'Limit' must be an INTEGER"),
        ("dynamodb", "Query", {"Limit": True}, "The value for the field 'Limit' must be an INTEGER"),
        ("dynamodb", "Query", {"ScanIndexForward": "no"}, "field 'ScanIndexForward' must be a BOOLEAN"),
        ("events", "PutEvents", {"Entries": {}}, "The value for the field 'Entries' must be an ARRAY"),
        ("events", "PutEvents", {"Entries": [{"Source": 1}]}, "field 'Entries/0/Source' must be a STRING"),
        ("cloudwatch", "PutMetricData", {"MetricData": [{"Value": "x"}]}, "'MetricData/0/Value' must be a NUMBER"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_with_its_place(
    service: str, action: str, parameters: dict[str, Any], words: str
) -> None:
    """A Parameter of a wrong type is named in JSON's terms, before anything of botocore stumbles over it."""
    with pytest.raises(UnusableMemberError, match=words):
        request(service, action, parameters)


def test_tokens_follow_from_the_key() -> None:
    """A token not given is the same for each repeat of an attempt, another for another; a user's own stays."""
    parameters = {"Name": "n", "SecretString": "s"}
    shape = operation("secretsmanager", "CreateSecret").input_shape
    first, again = (to_request(parameters, shape, Idempotency("a")) for _ in range(2))
    assert first == again
    assert len(first["ClientRequestToken"]) == 36
    assert to_request(parameters, shape, Idempotency("b"))["ClientRequestToken"] != first["ClientRequestToken"]
    own = {**parameters, "ClientRequestToken": "mine-mine-mine-mine-mine-mine-mine"}
    assert to_request(own, shape, Idempotency("a")) == own


SAMPLED = ("dynamodb", "s3", "rds", "ecs", "bedrock-agent", "stepfunctions")


@st.composite
def structures(draw: st.DrawFn) -> tuple[Any, Any]:
    """A structure of some service, and a value of it: every member with its own name somewhere below."""
    service = draw(st.sampled_from(SAMPLED))
    model = model_of(service)
    name = draw(st.sampled_from(sorted(model.operation_names)))
    shape = model.operation_model(name).input_shape
    return shape, value_of(shape, draw, 4) if shape is not None else {}


def value_of(shape: Any, draw: st.DrawFn, depth: int) -> Any:
    """A value of a shape; below `depth` structures are empty."""
    match shape.type_name:
        case "structure" if shape.is_document_type:
            return {"aKey": {"BKey": [1]}}
        case "structure":
            chosen = sorted(shape.members) if depth > 2 else []
            if depth == 2:
                chosen = (
                    sorted(draw(st.sets(st.sampled_from(sorted(shape.members)), max_size=3))) if shape.members else []
                )
            return {name: value_of(shape.members[name], draw, depth - 1) for name in chosen}
        case "list":
            return [value_of(shape.member, draw, depth - 1)]
        case "map":
            return {key: value_of(shape.value, draw, depth - 1) for key in ("aKey", "BKEY")}
        case "integer" | "long":
            return 7
        case "double" | "float":
            return 0.5
        case "boolean":
            return True
        case "string" if shape.serialization.get("jsonvalue"):
            return {"aKey": 1}
        case "blob":
            return b"bytes"
        case _:
            return "text"


@given(structures())
def test_no_member_is_lost_or_renamed_on_its_way_there_and_back(made: tuple[Any, Any]) -> None:
    """What a result shows can be given as Parameters, in both kinds of integrations, and is the same call again."""
    shape, value = made
    for spelling in (SDK_SPELLING, OPTIMISED_SPELLING):
        shown = to_result(value, shape, spelling, lambda body: bytes(body.read()))
        back = to_request(shown, shape, KEY) if shape is not None else {}
        assert without_tokens(back, shape) == without_tokens(value, shape)


def without_tokens(value: Any, shape: Any) -> Any:
    """A value without the tokens that are made up for it."""
    kind = shape.type_name if shape is not None else ""
    if kind == "structure" and not shape.is_document_type:
        kept = {name: member for name, member in shape.members.items() if not member.metadata.get("idempotencyToken")}
        return {name: without_tokens(value[name], kept[name]) for name in value if name in kept}
    if kind == "list":
        return [without_tokens(item, shape.member) for item in value]
    if kind == "map":
        return {key: without_tokens(item, shape.value) for key, item in value.items()}
    return value
