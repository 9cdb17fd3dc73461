"""What the handlers of the fold work with: the state, its ports, and the outputs of the record being folded."""

from maprun.mapruns.fold.outputs import Output, Send
from maprun.mapruns.fold.state import Ended, HomeState, Interpreter, RequestAnswered, Root, RootStep
from maprun.mapruns.limits import MapRunLimits
from maprun.mapruns.slices import Spent
from schemas import topics
from schemas.arns import Names
from schemas.effects import Happening
from schemas.lanes import Cause
from schemas.wire import Fact


class Fold:
    """One record's folding.

    `arn` is the root execution that the record is about, empty if it says none; `past` is how it ended before, if it
    did and is remembered. `at_work` is a root execution whose step has more to do, with that step.
    """

    __slots__ = (
        "arn",
        "at_work",
        "homes",
        "inbox",
        "interpreter",
        "lanes",
        "limits",
        "names",
        "outputs",
        "past",
        "spent",
        "state",
    )

    def __init__(
        self,
        state: HomeState,
        interpreter: Interpreter,
        names: Names,
        homes: int,
        lanes: int,
        limits: MapRunLimits,
        spent: Spent,
    ) -> None:
        self.state = state
        self.interpreter = interpreter
        self.names = names
        self.homes = homes
        self.lanes = lanes
        self.limits = limits
        self.spent = spent
        self.arn = ""
        self.past: Ended | None = None
        self.at_work: tuple[str, Root, RootStep] | None = None
        self.outputs: list[Output] = []
        self.inbox: list[tuple[str, Happening | str]] = []

    @property
    def cause(self) -> Cause:
        """The cause of the next output: (home, offset, n)."""
        return Cause(self.state.home, self.state.offset, len(self.outputs))

    def send(
        self, topic: topics.Topic, partition: int, message: Fact | bytes | None, key: bytes | None = None, arn: str = ""
    ) -> None:
        """One message to publish for the root execution `arn`, that of the record unless given.

        None deletes what stands under the key.
        """
        self.outputs.append(Send(topic.name, partition, message, key, arn or self.arn))

    def deliver(self, arn: str, happening: Happening) -> None:
        """Something for a root execution, to be told once the present handler is through."""
        self.inbox.append((arn, happening))

    def run_closed(self, arn: str, run: str) -> None:
        """A Map Run of this root execution is over; heard after what was told before."""
        self.inbox.append((arn, run))

    def forget_happenings(self) -> None:
        """Leaves out what root executions were to be told; that Map Runs are over stays true, and is counted."""
        self.at_work = None
        self.inbox = [(arn, happening) for arn, happening in self.inbox if isinstance(happening, str)]

    def answer(self, request_id: str, body: bytes = b"{}", error: str = "", message: str = "") -> RequestAnswered:
        """The word on a request, to whoever waits for it."""
        answer = RequestAnswered(request_id, error, message, body, self.state.now_ms)
        self.outputs.append(answer)
        return answer
