"""What mutations do to requests: answered too early, sent again under another id, remembered by nobody."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from maprun.bus.port import BusError, Outgoing
from maprun.mapruns.fold import callbacks, machines, roots, run_records, started
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.state import RequestAnswered
from schemas import topics
from schemas.arns import home_of
from schemas.effects import ActivityTaskStarted
from schemas.home import CallbackReceived, ExecutionRequested, MapRunUpdateRequested, StopRequested
from schemas.machines import MachineRequested
from schemas.starters import StartWithdrawn
from schemas.wire import encode
from services.maprun_tracker.api.commands import Command
from services.maprun_tracker.api.errors import Unavailable
from services.maprun_tracker.state import Partition
from tests.simulation.doors import AnswerTo
from tests.simulation.port import SimPort

if TYPE_CHECKING:
    from tests.simulation.house import House

Handler = Callable[[Fold, Any], None]


def on_acknowledgement(house: "House") -> AnswerTo:
    """The right answer, as soon as Kafka has the record."""

    async def answer(port: SimPort, part: Partition, command: Command, _seconds: float) -> RequestAnswered:
        try:
            await port.send([Outgoing(topics.HOME.name, part.number, encode(command))])
        except BusError as error:
            raise Unavailable(str(error)) from error
        return house.judge.answers[command.request_id][-1]

    return answer


def under_an_id_of_its_own(command: Command, attempt: int) -> Command:
    """Each attempt is a request of its own."""
    return msgspec.structs.replace(command, request_id=f"{command.request_id}-{attempt}")


def under_a_name_of_its_own(command: Command, attempt: int) -> Command:
    """Each attempt to start an execution for a Task starts another one."""
    if not isinstance(command, ExecutionRequested) or command.starter is None or attempt == 1:
        return command
    arn, request_id = f"{command.arn}-{attempt}", f"{command.request_id}-{attempt}"
    return msgspec.structs.replace(command, request_id=request_id, arn=arn, name=f"{command.name}-{attempt}")


def give_to_every_worker(fold: Fold, record: CallbackReceived) -> None:
    """An execution gives its attempt to whoever asks, also after another worker."""
    root = fold.state.roots.get(record.arn)
    if root is not None and isinstance(record.callback, ActivityTaskStarted):
        root.workers.clear()
    callbacks.callback_received(fold, record)


def stop_what_runs(fold: Fold, record: StartWithdrawn) -> None:
    """A withdrawal that finds no execution is forgotten."""
    if home_of(record.arn, fold.homes) != fold.state.home or record.arn in fold.state.roots:
        started.start_withdrawn(fold, record)


def _forgetful(handler: Handler) -> Handler:
    """A request that comes again is a new one."""

    def handled(fold: Fold, record: Any) -> None:
        fold.state.answered.clear()
        handler(fold, record)

    return handled


FORGETFUL: tuple[tuple[type, Handler], ...] = (
    (MachineRequested, _forgetful(machines.machine_requested)),
    (StopRequested, _forgetful(roots.stop_requested)),
    (MapRunUpdateRequested, _forgetful(run_records.map_run_update_requested)),
)
