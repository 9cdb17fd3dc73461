"""The table of jobs: each row fits its service's model, so that no call about a job can be one that isn't there."""

from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from maprun.aws.java_names import capitalised
from maprun.integrations.jobs import Ask, Followed, Job, KubernetesJob
from maprun.integrations.members import From, Template, asked
from maprun.integrations.registry import SERVICES, job_of, lost_answer
from maprun.integrations.resources import Pattern
from maprun.integrations.service import Sent, Service
from schemas.effects import TaskRequested

SESSION = botocore.session.get_session()
JOBS = [
    (service, action) for service in SERVICES.values() for action, job in service.jobs.items() if isinstance(job, Job)
]
IDS = [f"{service.name}:{action}" for service, action in JOBS]


def operation(service: Service, action: str) -> Any:
    """The model of an action."""
    model = SESSION.get_service_model(service.sdk or service.name)
    names = {xform_name(name): name for name in model.operation_names}
    return model.operation_model(names[xform_name(action)])


def started(service: Service, action: str) -> tuple[Any, dict[str, Template]]:
    """The model of the action that starts a job, and what is added to its answer."""
    sent = service.sent.get(action)
    return operation(service, sent.action if sent else action), dict(sent.answer or {}) if sent else {}


def members(shape: Any) -> dict[str, Any]:
    """The members of a structure as optimised integrations write them."""
    return {capitalised(name): member for name, member in shape.members.items()} if shape is not None else {}


def led_to(shape: Any, path: tuple[str | int, ...]) -> Any:
    """The shape that a path leads to. Raises KeyError."""
    for step in path:
        shape = shape.member if isinstance(step, int) else members(shape)[step]
    return shape


def leaves(template: Template) -> Iterator[From]:
    """The places of a template that are filled."""
    if isinstance(template, From):
        yield template
    elif isinstance(template, Mapping):
        for each in template.values():
            yield from leaves(each)
    elif not isinstance(template, str):
        for each in template:
            yield from leaves(each)


def row(service: Service, action: str) -> Job:
    """What is known of a job."""
    job = service.jobs[action]
    assert isinstance(job, Job)
    return job


def asks(job: Job) -> list[Ask]:
    """The calls about a job."""
    return [job.look] if job.stop is None else [job.look, job.stop]


@pytest.mark.parametrize(("service", "action"), JOBS, ids=IDS)
def test_calls_about_a_job_fit_their_models(service: Service, action: str) -> None:
    """Their members exist, none that is required is missing, and what they are filled from is there."""
    start, added = started(service, action)
    renamed = service.sent.get(action)
    for ask in asks(row(service, action)):
        called = operation(service, ask.action)
        assert set(ask.parameters) <= set(members(called.input_shape))
        assert {capitalised(name) for name in called.input_shape.required_members} <= set(ask.parameters)
        for place in leaves(dict(ask.parameters)):
            if place.source == "answered" and place.path[0] not in added:
                led_to(start.output_shape, place.path)
            if place.source == "asked" and (renamed is None or renamed.parameters is None):
                led_to(start.input_shape, place.path)


@pytest.mark.parametrize(("service", "action"), JOBS, ids=IDS)
def test_states_are_those_of_the_model(service: Service, action: str) -> None:
    """Where the job and its state stand in the answer, and which states the service has."""
    job = row(service, action)
    told = led_to(operation(service, job.look.action).output_shape, job.place)
    state = led_to(told, job.status)
    if state.enum:
        assert job.good | job.bad <= set(state.enum)
    assert not job.good & job.bad
    assert job.good or job.gone


@pytest.mark.parametrize(("service", "action"), JOBS, ids=IDS)
def test_a_repeatable_start_carries_a_token(service: Service, action: str) -> None:
    """Only a start whose service knows it again may be made again."""
    job = row(service, action)
    shape = started(service, action)[0].input_shape
    marked = any(member.metadata.get("idempotencyToken") for member in shape.members.values())
    assert job.repeatable == (marked or job.token in members(shape))


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_actions_that_are_sent_otherwise_fit_their_models(service: Service) -> None:
    """What an action of another name is given, and which actions of its own name the SDK has."""
    for actions in service.actions.values():
        for action in actions:
            if service.words is None or action in service.own or service.name == "states":
                continue
            sent = service.sent.get(action, Sent(action))
            called = operation(service, sent.action)
            if sent.parameters is not None:
                assert set(sent.parameters) <= set(members(called.input_shape))
                assert {capitalised(name) for name in called.input_shape.required_members} <= set(sent.parameters)


@pytest.mark.parametrize(
    ("service", "action"),
    [(service, action) for service in SERVICES.values() for action, sent in service.sent.items() if sent.by_name],
)
def test_what_is_found_by_its_name_fits_its_models(service: Service, action: str) -> None:
    """The list has names and ids, its pages have markers, and the id has a place in what is sent."""
    sent = service.sent[action]
    by_name = sent.by_name
    assert by_name is not None
    listed = operation(service, by_name.listed.action)
    assert {"Id", "Name"} <= set(led_to(listed.output_shape, (by_name.entries, 0)).members)
    assert "Marker" in listed.input_shape.members
    assert "Marker" in listed.output_shape.members
    assert set(by_name.listed.parameters) <= set(members(listed.input_shape))
    (member,) = [name for name, each in (sent.parameters or {}).items() if asked(by_name.thing) in leaves({"": each})]
    thing = led_to(operation(service, sent.action).input_shape, (member,))
    assert by_name.id in (thing.member if thing.type_name == "list" else thing).members


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_each_job_of_aws_is_there(service: Service) -> None:
    """An action with `.sync` has a row."""
    waiting = {
        action for patterns, actions in service.actions.items() if Pattern.RUN_A_JOB in patterns for action in actions
    }
    assert waiting == set(service.jobs) or service.name == "states"


def test_jobs_belong_to_their_resources() -> None:
    """Only `.sync` waits for a job; an execution that is started here is none."""
    assert job_of("arn:aws:states:::batch:submitJob.sync") is SERVICES["batch"].jobs["submitJob"]
    assert job_of("arn:aws-cn:states:cn-north-1:1:ecs:runTask.sync") is SERVICES["ecs"].jobs["runTask"]
    assert isinstance(job_of("arn:aws:states:::eks:runJob.sync"), KubernetesJob)
    for resource in ("batch:submitJob", "ecs:runTask.waitForTaskToken", "states:startExecution.sync:2"):
        assert job_of(f"arn:aws:states:::{resource}") is None


def test_pauses_between_looks_double_up_to_half_a_minute() -> None:
    """1, 2, 4, 8, 16, 30, 30 … seconds."""
    job = Followed(TaskRequested("r", "x", b"{}"), b"{}")
    pauses = []
    for _ in range(8):
        pauses.append(job.next_look_ms / 1000)
        job = job.looked()
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_lost_answer_is_the_sdk_s_error() -> None:
    """A retrier for it, or for States.TaskFailed, starts another job."""
    failed = lost_answer(TaskRequested("r", "arn:aws:states:::glue:startJobRun.sync", b"{}"))
    assert failed.error == "Glue.SdkClientException"
