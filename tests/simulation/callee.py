"""Who works on Tasks that wait for a callback: hears of each attempt once, calls back, and remembers what was taken."""

from typing import TYPE_CHECKING, Any

import msgspec

from maprun.integrations.registry import job_of
from schemas.arns import child_of_arn, home_of
from schemas.effects import HeartbeatReceived, SubmissionFailed, TaskRequested, TaskSubmitted
from schemas.home import CallbackReceived
from schemas.tokens import TaskToken, TokenSecret

if TYPE_CHECKING:
    from tests.simulation.fakes import Call
    from tests.simulation.house import House

SECRET = TokenSecret(b"of the simulated cluster")
REFUSED_SHARE, SILENT_SHARE, DOUBLE_SHARE = 0.05, 0.1, 0.2
"""Of submissions: refused by the service; answered long after the work is done. Of callbacks: sent twice."""
HEARTBEAT_SECONDS = 1.0


class Callee:
    """Everybody whom the house submits Tasks to."""

    def __init__(self, house: "House") -> None:
        self.house = house
        self.pending = 0  # callbacks that are still to be sent
        self.submitted: set[str] = set()  # tokens
        self.ends: dict[str, list[tuple[str, Call]]] = {}  # token → (request, call) of callbacks that end the attempt
        self._requests = 0

    def submission(
        self, request: TaskRequested, call: "Call", seconds: float
    ) -> tuple[TaskSubmitted | SubmissionFailed, float]:
        """A call that submits comes in; what the service answers, and how long that takes. The work takes `seconds`."""
        random = self.house.world.random
        text = token_of(request)
        token = SECRET.read(text)
        if token is None:
            self.house.world.violated(f"{request.ref} is submitted with the token {text!r}, which nobody made")
            return SubmissionFailed(request.ref, "Flaky", "no token"), 0.0
        if text in self.submitted:
            self.house.world.violated(f"attempt {request.ref} of {token.arn} is submitted twice")
        self.submitted.add(text)
        if random.random() < REFUSED_SHARE:
            return SubmissionFailed(request.ref, "Flaky", "the queue is full"), 0.01
        self.work_on(token, text, call, seconds)
        quick = random.random() >= SILENT_SHARE
        return TaskSubmitted(request.ref, b'{"call":%d}' % call.number), 0.005 + random.random() * (
            0.1 if quick else 6.0
        )

    def work_on(self, token: TaskToken, text: str, call: "Call", seconds: float) -> None:
        """Whoever has a token works for so long, sends heartbeats, and calls back."""
        beats = int(seconds / HEARTBEAT_SECONDS)
        for n in range(1, beats + 1):
            self._soon(n * HEARTBEAT_SECONDS, token, HeartbeatReceived(token.attempt), "", call)
        if call.answer is None:
            return  # nobody ever calls back
        callback = msgspec.structs.replace(call.answer, ref=token.attempt)
        self._soon(seconds, token, callback, text, call)
        if self.house.world.random.random() < DOUBLE_SHARE:
            self._soon(seconds + self.house.world.random.random() * 3, token, callback, text, call)

    def _soon(self, seconds: float, token: TaskToken, callback: Any, ends: str, call: "Call") -> None:
        self.pending += 1
        self.house.world.after(seconds, self._call_back, token, callback, ends, call)

    def _call_back(self, token: TaskToken, callback: Any, ends: str, call: "Call") -> None:
        self.pending -= 1
        self._requests += 1
        request_id = f"callback-{self._requests}"
        if ends:
            self.ends.setdefault(ends, []).append((request_id, call))
        child = child_of_arn(token.arn)
        home = home_of(token.arn, self.house.scenario.homes) if child is None else child.home
        self.house.doors.ask(home, CallbackReceived(request_id, token.arn, token.lane, callback))

    # ------------------------------------------------------------------ the end

    def taken(self) -> list["Call"]:
        """Calls whose callback was taken; of one attempt no more than one is."""
        taken: list[Call] = []
        for token, sent in self.ends.items():
            calls = [call for request_id, call in sent if self._taken(request_id)]
            if len(calls) > 1:
                self.house.world.violated(f"two callbacks of one attempt were taken: {SECRET.read(token)}")
            taken += calls
        return taken

    def _taken(self, request_id: str) -> bool:
        answers = self.house.judge.answers.get(request_id, ())
        return any(not answer.error for answer in answers)


def token_of(request: TaskRequested) -> str:
    """The token that a submission carries."""
    token: str = msgspec.json.decode(request.parameters)["Payload"]["token"]
    return token


def what_of(request: TaskRequested) -> Any:
    """What the Task is to work on."""
    parameters = msgspec.json.decode(request.parameters)
    if request.token:
        return parameters["Input"]
    if job_of(request.resource) is not None:
        return parameters["what"]
    return parameters["Payload"]["what"] if request.callback else parameters


def calls_in(output: bytes) -> list[int]:
    """The calls that the result of a Task carries, or that of an execution which it started."""
    value = msgspec.json.decode(output)
    calls: list[int] = value.get("Output", value)["calls"]
    return calls
