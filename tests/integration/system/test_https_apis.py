"""`http:invoke`, `apigateway:invoke` and `eks:runJob` on the whole stack, against APIs of the test's own."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.system.api_server import Api, served
from tests.integration.system.running import Json, ended, map_definition, output_of, run, states
from tests.integration.system.stack import ROLE, Stack
from tests.unit.aws.cluster_api import Authority, Cluster, running

pytestmark = pytest.mark.integration
CHILDREN = 300
JOBS = 20
KEY = "a-secret-that-nobody-may-see"
CONNECTIONS = [
    {
        "Name": "orders",
        "AuthorizationType": "API_KEY",
        "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "X-Api-Key", "ApiKeyValue": KEY}},
    }
]
CONNECTION = "arn:aws:events:eu-west-1:210987654321:connection/orders/81210c42-8af1-456b-9c4a-6ff02fc664ac"
OTHER = CONNECTION.replace("/orders/", "/others/")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """The API."""
    with served() as made:
        yield made


@pytest.fixture(scope="module")
def collector() -> Iterator[Api]:
    """What takes spans."""
    with served() as made:
        yield made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Json]]:
    """A cluster of Kubernetes whose Jobs take two looks, and how Tasks name it."""
    made, authority = Cluster(looks_until_done=2), Authority(tmp_path_factory.mktemp("authority"))
    with running(made, authority) as endpoint:
        yield made, {"ClusterName": "c", "CertificateAuthority": authority.data, "Endpoint": endpoint}


@pytest.fixture(scope="module")
def calling(
    api: Api, cluster: tuple[Cluster, Json], collector: Api, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack that may call the API and the cluster, finds an API Gateway, and tells a collector of its spans."""
    folder = Path(tmp_path_factory.mktemp("calling"))
    file = folder / "connections.json"
    file.write_text(json.dumps(CONNECTIONS))
    stack = Stack(
        folder / "state",
        MAPRUN_CONNECTIONS_FILE=str(file),
        MAPRUN_HTTP_TASK_ALLOW=f"{api.url},{cluster[1]['Endpoint']}",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        MAPRUN_APIGATEWAY_ENDPOINTS=f"*.execute-api.*={api.url}/gateway/{{api}}",
    )
    stack.up()
    yield stack
    stack.down()


def calls(url: str, **parameters: Any) -> Json:
    """A Task that calls a URL."""
    given = {"ApiEndpoint": url, "Method": "GET", "InvocationConfig": {"ConnectionArn": CONNECTION}, **parameters}
    return {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": given, "End": True}


def test_an_execution_calls_an_api_and_its_history_holds_no_secret(calling: Stack, api: Api) -> None:
    """The key reaches the API; the history has the Task as its definition says it."""
    sfn = calling.client("stepfunctions")
    task = calls(f"{api.url}/orders", Method="POST", RequestBody={"n.$": "$.n"}, QueryParameters={"q": "1"})
    described = run(sfn, states(T=task), {"n": 7})
    found = output_of(described)
    assert (found["StatusCode"], found["StatusText"], found["ResponseBody"]) == (200, "OK", {"got": {"n": 7}})
    request = api.requests[-1]
    assert (request.path, request.headers["x-api-key"]) == ("/orders?q=1", KEY)
    events = sfn.get_execution_history(executionArn=described["executionArn"])["events"]
    assert [event["type"] for event in events][2:5] == ["TaskScheduled", "TaskStarted", "TaskSucceeded"]
    assert events[2]["taskScheduledEventDetails"]["resourceType"] == "http"
    assert KEY not in json.dumps(events, default=str)


def test_errors_are_caught_by_their_names(calling: Stack, api: Api) -> None:
    """A status, an address that may not be called, a connection that is not there."""
    sfn = calling.client("stepfunctions")
    tasks = [
        (calls(f"{api.url}/missing"), "States.Http.StatusCode.404"),
        (calls("https://127.0.0.1:1/"), "States.Permissions"),
        (calls(api.url, InvocationConfig={"ConnectionArn": OTHER}), "Events.ConnectionResource.ResourceNotFound"),
    ]
    caught = []
    for task, error in tasks:
        catch = [{"ErrorEquals": ["States.ALL"], "Next": "C"}]
        definition = states(T={**task, "Catch": catch}, C={"Type": "Pass", "End": True})
        caught.append((output_of(run(sfn, definition)), error))
    assert [found["Error"] for found, _ in caught] == [error for _, error in caught]
    assert json.loads(caught[0][0]["Cause"]) == {"message": "no such order"}


def test_children_of_a_map_run_call_an_api(calling: Stack, api: Api) -> None:
    """Hundreds at once, each once."""
    sfn = calling.client("stepfunctions")
    before = len(api.requests)
    child = {"T": calls(f"{api.url}/children", Method="POST", RequestBody={"n.$": "$"})}
    described = run(sfn, map_definition(child), list(range(CHILDREN)))
    found = output_of(described)
    assert [each["ResponseBody"]["got"]["n"] for each in found] == list(range(CHILDREN))
    called = Counter(request.body["n"] for request in api.requests[before:])
    assert called == Counter(range(CHILDREN))


def test_an_api_behind_a_gateway_ends_its_task_by_a_callback(calling: Stack, api: Api) -> None:
    """The request is signed and carries the token; SendTaskSuccess ends the Task."""
    sfn = calling.client("stepfunctions")
    parameters = {
        "ApiEndpoint": "abc123.execute-api.us-east-1.amazonaws.com",
        "Method": "POST",
        "Stage": "prod",
        "Path": "bills",
        "Headers": {"TaskToken.$": "States.Array($$.Task.Token)"},
        "RequestBody": {"bill": 1, "none": None},
        "AuthType": "IAM_ROLE",
    }
    resource = "arn:aws:states:::apigateway:invoke.waitForTaskToken"
    definition = states(T={"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True})
    machine = sfn.create_state_machine(name="bills", definition=definition, roleArn=ROLE)["stateMachineArn"]
    while not api.news.empty():
        api.news.get()
    arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    request = api.news.get(timeout=30)
    assert (request.path, request.body) == ("/gateway/abc123/prod/bills", {"bill": 1})
    assert "/us-east-1/execute-api/aws4_request" in request.headers["authorization"]
    sfn.send_task_success(taskToken=request.headers["tasktoken"], output='{"paid": true}')
    assert output_of(ended(sfn, arn)) == {"paid": True}


def spans_at(collector: Api, trace_id: str, count: int) -> dict[str, Json]:
    """Those of a trace that a collector was told of, by their ids, once they are so many."""
    deadline = time.monotonic() + 60
    while True:
        scopes = [s for r in collector.requests for each in r.body["resourceSpans"] for s in each["scopeSpans"]]
        spans = {span["spanId"]: span for scope in scopes for span in scope["spans"] if span["traceId"] == trace_id}
        if len(spans) >= count or time.monotonic() > deadline:
            return spans
        time.sleep(0.1)


def path_of(spans: dict[str, Json], span: Json) -> str:
    """The names of the spans above one, and its own."""
    parent = spans.get(span["parentSpanId"])
    return span["name"] if parent is None else f"{path_of(spans, parent)} > {span['name']}"


def test_calls_say_which_trace_they_belong_to(calling: Stack, api: Api, collector: Api) -> None:
    """A traced execution, its children and what it starts carry one trace; each call has a span of its own.

    A collector hears of all of them: below who started it the root execution, then children, calls, what they start.
    """
    sfn = calling.client("stepfunctions")
    child = {"T": calls(f"{api.url}/traced/child", Method="POST", RequestBody={"n.$": "$"})}
    started = states(T=calls(f"{api.url}/traced/started"))
    inner = sfn.create_state_machine(name="traced-inner", definition=started, roleArn=ROLE)["stateMachineArn"]
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": inner},
        "End": True,
    }
    whole = json.loads(map_definition(child))
    [name] = whole["States"]
    whole["States"][name] = {key: value for key, value in whole["States"][name].items() if key != "End"}
    whole["States"] |= {name: {**whole["States"][name], "Next": "Start"}, "Start": start}
    made = sfn.create_state_machine(
        name="traced", definition=json.dumps(whole), roleArn=ROLE, tracingConfiguration={"enabled": True}
    )
    root = "1-5759e988-bd862e3fe1be46a994272793"
    given = f"Root={root};Parent=53995c3f42cd8ad8;Sampled=1"
    machine = made["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, input="[1,2,3]", traceHeader=given)["executionArn"]
    described = ended(sfn, arn)
    assert (described["status"], described["traceHeader"]) == ("SUCCEEDED", given)
    found = [request for request in api.requests if request.path.startswith("/traced/")]
    assert sorted(request.path for request in found) == ["/traced/child"] * 3 + ["/traced/started"]
    traces = [dict(part.split("=") for part in request.headers["x-amzn-trace-id"].split(";")) for request in found]
    assert {(trace["Root"], trace["Sampled"]) for trace in traces} == {(root, "1")}
    assert len({trace["Parent"] for trace in traces} - {"53995c3f42cd8ad8"}) == 4
    parents = [request.headers["traceparent"] for request in found]
    assert parents == [f"00-{root[2:].replace('-', '')}-{trace['Parent']}-01" for trace in traces]
    spans = spans_at(collector, root[2:].replace("-", ""), 10)
    assert {trace["Parent"] for trace in traces} <= set(spans)

    assert Counter(path_of(spans, span) for span in spans.values()) == {
        "traced": 1,
        "traced > traced/L": 3,
        "traced > traced/L > T": 3,
        "traced > Start": 1,
        "traced > Start > traced-inner": 1,
        "traced > Start > traced-inner > T": 1,
    }
    own = sfn.start_execution(stateMachineArn=machine, input="[]")["executionArn"]
    assert ended(sfn, own)["traceHeader"].startswith("Root=1-")


def test_children_wait_for_jobs_in_a_cluster(calling: Stack, cluster: tuple[Cluster, Json]) -> None:
    """Each makes its own and ends with it; a Job that is there already is an error with its name."""
    kubernetes, named = cluster
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name.$": "States.Format('job-{}', $)"}}
    parameters = {**named, "Namespace": "maps", "Job": job, "LogOptions": {"RetrieveLogs": True}}
    task = {"Type": "Task", "Resource": "arn:aws:states:::eks:runJob.sync", "Parameters": parameters, "End": True}
    sfn = calling.client("stepfunctions")
    found = output_of(run(sfn, map_definition({"T": task}), list(range(JOBS))))
    assert [each["metadata"]["name"] for each in found] == [f"job-{n}" for n in range(JOBS)]
    assert all(each["status"]["succeeded"] == 1 and each["logs"] == {"pods": {}} for each in found)
    assert sum(method == "POST" for method, _, _ in kubernetes.asked) == JOBS
    caught = {"ErrorEquals": ["EKS.409"], "Next": "C"}
    again = {**task, "Parameters": {**parameters, "Job": {**job, "metadata": {"name": "job-0"}}}, "Catch": [caught]}
    assert output_of(run(sfn, states(T=again, C={"Type": "Pass", "End": True})))["Error"] == "EKS.409"
