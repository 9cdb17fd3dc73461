"""Jobs that the Tasks of root executions start in services: started once, asked after until they end, stopped."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from maprun.integrations.jobs import Followed, JobCalls
from maprun.interpreter.roots import RootInterpreter
from schemas import topics
from schemas.effects import TaskFailed, TaskOutcome, TaskRequested, TaskSubmitted, TaskSucceeded
from schemas.home import ExecutionRequested, StopRequested
from schemas.tokens import TokenSecret
from services.scheduler.owner import own_home
from tests.unit.mapruns.programs import HOMES, NAMES
from tests.unit.scheduler.rig import Rig

BATCH, ECS = "arn:aws:states:::batch:submitJob.sync", "arn:aws:states:::ecs:runTask.sync"
DONE = b'{"Status":"SUCCEEDED"}'
Make = Callable[..., Rig]


class Service:
    """A service that runs jobs: `seconds` long, each started in `start_seconds`."""

    def __init__(self, make_rig: Make, resource: str = BATCH, **fields: Any) -> None:
        self.start_seconds, self.seconds = 0.05, 5.0
        self.starts: list[tuple[str, float]] = []  # key, when
        self.looks: list[float] = []
        self.stopped: list[bytes] = []
        self.rig = make_rig(
            interpreter=RootInterpreter(None, TokenSecret(b"secret")),
            run_task=self.run_task,
            jobs=JobCalls(self.look, self.stop),
        )
        task = {"Type": "Task", "Resource": resource, "Parameters": {"JobName": "n"}, "End": True, **fields}
        self.arn = NAMES.execution("m", "e")
        definition = json.dumps({"StartAt": "T", "States": {"T": task}}).encode()
        machine = NAMES.machine("m")
        self.request = ExecutionRequested(
            "start", self.arn, "e", machine, "m", "STANDARD", "", "role", definition, b"1"
        )

    async def run_task(self, request: TaskRequested, key: str) -> TaskOutcome:
        """Starts a job."""
        self.starts.append((key, self.rig.world.now))
        await self._pass(self.start_seconds)
        return TaskSubmitted(request.ref, b'{"JobId":"j"}')

    async def look(self, followed: Followed) -> TaskSucceeded | TaskFailed | None:
        """The job runs for a while."""
        self.looks.append(self.rig.world.now)
        over = self.rig.world.now - self.starts[0][1] >= self.seconds
        return TaskSucceeded(followed.request.ref, DONE) if over else None

    async def stop(self, followed: Followed) -> None:
        """Stops it."""
        self.stopped.append(followed.answer)

    async def _pass(self, seconds: float) -> None:
        await self.rig.owners[-1].port.sleep(seconds)

    def process(self) -> Any:
        """One more scheduler."""
        return self.rig.process(self.rig.group(topics.HOME, own_home, HOMES))

    def begin(self) -> None:
        """The execution begins."""
        self.rig.put(topics.HOME, 0, self.request)

    def statuses(self) -> list[str]:
        """What became of it."""
        events = [msgspec.json.decode(record.value or b"") for record in self.rig.records(topics.EXECUTION_EVENTS)]
        return [event["detail"]["status"] for event in events]

    def until(self, status: str) -> None:
        """Until it has ended so."""
        self.rig.until(lambda: status in self.statuses())


def test_an_execution_waits_for_the_job_it_started(make_rig: Make) -> None:
    """The service is asked after 1, 2, 4 seconds more, until it says that the job is over."""
    service = Service(make_rig)
    service.process()
    service.begin()
    service.until("SUCCEEDED")
    pauses = [later - sooner for sooner, later in zip(service.looks, service.looks[1:], strict=False)]
    assert len(service.starts) == 1
    assert [round(pause) for pause in pauses] == [2, 4]
    assert service.stopped == []


def test_who_takes_the_home_over_asks_after_the_job(make_rig: Make) -> None:
    """And starts none."""
    service = Service(make_rig)
    service.seconds = 30.0
    first = service.process()
    service.begin()
    service.rig.until(lambda: bool(service.looks))
    first.kill()
    service.process()
    service.until("SUCCEEDED")
    assert len(service.starts) == 1


def test_a_start_with_a_token_is_made_again_while_its_answer_is_unknown(make_rig: Make) -> None:
    """With the same key."""
    service = Service(make_rig, ECS)
    service.start_seconds = 20.0
    first = service.process()
    service.begin()
    service.rig.until(lambda: bool(service.starts))
    first.kill()
    service.start_seconds = 0.05
    service.process()
    service.until("SUCCEEDED")
    assert len({key for key, _ in service.starts}) == 1
    assert len(service.starts) == 2


def test_a_start_without_a_token_is_made_once(make_rig: Make) -> None:
    """Its answer is lost with the process that heard it: the attempt fails, in words."""
    service = Service(make_rig)
    service.start_seconds = 20.0
    first = service.process()
    service.begin()
    service.rig.until(lambda: bool(service.starts))
    first.kill()
    service.process()
    service.until("FAILED")
    assert len(service.starts) == 1
    detail = msgspec.json.decode(service.rig.records(topics.EXECUTION_EVENTS)[-1].value or b"")["detail"]
    assert detail["error"] == "Batch.SdkClientException"


def test_a_job_is_stopped_with_its_execution(make_rig: Make) -> None:
    """And asked after no more."""
    service = Service(make_rig)
    service.seconds = 1000.0
    service.process()
    service.begin()
    service.rig.until(lambda: bool(service.looks))
    service.rig.put(topics.HOME, 0, StopRequested("s", service.arn))
    service.until("ABORTED")
    looks = len(service.looks)
    service.rig.run(60)
    assert service.stopped == [b'{"JobId":"j"}']
    assert len(service.looks) == looks


def test_a_job_whose_start_is_answered_too_late_is_stopped(make_rig: Make) -> None:
    """The execution was stopped while the call was under way."""
    service = Service(make_rig)
    service.start_seconds = 5.0
    service.process()
    service.begin()
    service.rig.until(lambda: bool(service.starts))
    service.rig.put(topics.HOME, 0, StopRequested("s", service.arn))
    service.until("ABORTED")
    assert service.stopped == []
    service.rig.run(10)
    assert service.stopped == [b'{"JobId":"j"}']


def test_a_time_out_stops_the_job(make_rig: Make) -> None:
    """TimeoutSeconds counts from the attempt's start."""
    service = Service(make_rig, TimeoutSeconds=3)
    service.seconds = 1000.0
    service.process()
    service.begin()
    service.until("FAILED")
    service.rig.run(1)
    assert service.stopped == [b'{"JobId":"j"}']
