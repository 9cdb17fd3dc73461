"""What the interpreter asks of its host (effects) and what its host hands it (happenings).

`ref` names one effect within one execution for ever: it is built from the branch and iteration path, the state, the
visit number in that scope, the attempt and the redrive, so the same decision taken twice asks for the same `ref`. A
happening with a `ref` that the execution does not wait for (late, repeated) changes nothing.
"""

import msgspec

from schemas.plan import MapRunPlan
from schemas.wire import Fact


class TaskRequested(Fact, frozen=True):
    """Start one attempt of a Task. `parameters` is JSON."""

    ref: str
    resource: str  # the Resource as the definition writes it
    parameters: bytes
    timeout_seconds: int = 0  # 0 = none; the interpreter sets its own timer, this is for the call itself
    heartbeat_seconds: int = 0
    role_arn: str = ""  # Credentials.RoleArn
    attempt: int = 0
    state: str = ""
    callback: bool = False  # the call is a submission: the attempt ends by its token, or by a timer
    token: str = ""  # of an execution that it starts and waits for: the attempt's task token, which no user sees
    activity: bool = False  # a worker that asks for it works on it; no call is made
    trace: str = ""  # X-Ray's header for the call, set as it is made: no state holds it
    caller: str = ""  # likewise, the span of its execution, if that is one that is shown
    execution: str = ""  # likewise, the ARN of its execution


def called_by(request: TaskRequested, arn: str) -> TaskRequested:
    """A Task's request whose call says which execution makes it."""
    return msgspec.structs.replace(request, execution=arn)


class TimerRequested(Fact, frozen=True):
    """Tell the execution with TimerFired once `due_ms` (epoch milliseconds) has passed."""

    ref: str
    due_ms: int


class MapRunRequested(Fact, frozen=True):
    """Start a Map Run; answer with MapRunStarted and later one of MapRunSucceeded, MapRunFailed."""

    ref: str
    plan: MapRunPlan


class MapRunRedriveRequested(Fact, frozen=True):
    """Redrive the Map Run that was asked for under `ref`; answer with MapRunRedriven and later how it ended."""

    ref: str


class EffectCancelled(Fact, frozen=True):
    """The execution no longer waits for this task, timer or Map Run."""

    ref: str


Effect = TaskRequested | TimerRequested | MapRunRequested | MapRunRedriveRequested | EffectCancelled


class TaskSucceeded(Fact, frozen=True):
    """A Task attempt ended well; `output` is the JSON of its result."""

    ref: str
    output: bytes


class TaskFailed(Fact, frozen=True):
    """A Task attempt failed with AWS's error name and cause."""

    ref: str
    error: str
    cause: str


class SubmissionBegan(Fact, frozen=True):
    """The call that submits an attempt is about to be made; whoever finds this written never makes it again."""

    ref: str


class TaskSubmitted(Fact, frozen=True):
    """The call that submits an attempt came back well; `output` is the JSON of its answer. The attempt goes on."""

    ref: str
    output: bytes


class SubmissionFailed(Fact, frozen=True):
    """The call that submits an attempt failed, and the attempt with it."""

    ref: str
    error: str
    cause: str


class HeartbeatReceived(Fact, frozen=True):
    """Whoever works on an attempt is alive: HeartbeatSeconds begin anew."""

    ref: str


class ActivityTaskStarted(Fact, frozen=True):
    """A worker of the activity has the attempt; it asked under this request id, of the activity's `home`."""

    ref: str
    worker: str
    request_id: str
    home: int


class TimerFired(Fact, frozen=True):
    """A timer's time has passed."""

    ref: str


class MapRunStarted(Fact, frozen=True):
    """The Map Run asked for exists now."""

    ref: str
    map_run_arn: str


class MapRunRedriven(Fact, frozen=True):
    """The Map Run goes on: its unsuccessful children run again. `redrive_count` is its own, from 1."""

    ref: str
    map_run_arn: str
    redrive_count: int


class MapRunSucceeded(Fact, frozen=True):
    """The Map Run ended well; `output` is the JSON of the Map state's result."""

    ref: str
    output: bytes


REDRIVEN_IN_PART = "Maprun.RedrivenInPart"
"""What a Map Run fails with once those of its children that were chosen have run again, and others still stand as lost.

Caught and retried by this name alone: States.ALL would answer a redrive of five children with a whole new Map Run.
"""


class MapRunFailed(Fact, frozen=True):
    """The Map Run ended with an error."""

    ref: str
    error: str
    cause: str


class StopAsked(Fact, frozen=True):
    """The user, or a Map Run that closes, ends this execution as ABORTED."""

    error: str = ""
    cause: str = ""


def redrive_of(ref: str) -> int:
    """The redrive of its execution in which an effect was asked for: from the second life on refs begin with `<n>/`."""
    count, _, _ = ref.partition("/")
    return int(count) if count.isdecimal() else 0


Happening = (
    TaskSucceeded
    | TaskFailed
    | TimerFired
    | MapRunStarted
    | MapRunRedriven
    | MapRunSucceeded
    | MapRunFailed
    | StopAsked
    | SubmissionBegan
    | TaskSubmitted
    | SubmissionFailed
    | HeartbeatReceived
    | ActivityTaskStarted
)
TaskOutcome = TaskSucceeded | TaskFailed | TaskSubmitted | SubmissionFailed
"""What comes of the call that a Task makes."""
Callback = TaskSucceeded | TaskFailed | HeartbeatReceived
"""What SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat say of an attempt."""
AttemptNews = Callback | TaskSubmitted | SubmissionFailed | ActivityTaskStarted
"""What an attempt is told from outside: by callbacks, and by the home of its activity."""


def with_ref(news: AttemptNews, ref: str) -> AttemptNews:
    """The news for the effect that its attempt is."""
    return msgspec.structs.replace(news, ref=ref)
