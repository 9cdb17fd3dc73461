"""Commands: written on home, and answered once the own fold has passed their record."""

import msgspec

from maprun.bus.port import BusError, Mailbox, Outgoing, Port
from maprun.mapruns.fold.state import RequestAnswered
from schemas import topics
from schemas.activities import ActivityRequested, ActivityTaskAsked
from schemas.history_pages import ChildHistoryRequested, ChildHistoryShown
from schemas.home import CallbackReceived, ExecutionRequested, MapRunUpdateRequested, RedriveRequested, StopRequested
from schemas.machines import AliasRequested, MachineEmptied, MachineRequested, TagsRequested, VersionRequested
from schemas.wire import encode
from services.maprun_tracker.api.errors import Unavailable
from services.maprun_tracker.fold_waits import GivenUp, Passed
from services.maprun_tracker.state import Partition

Command = (
    MachineRequested
    | MachineEmptied
    | TagsRequested
    | VersionRequested
    | AliasRequested
    | ExecutionRequested
    | StopRequested
    | RedriveRequested
    | MapRunUpdateRequested
    | CallbackReceived
    | ActivityRequested
    | ActivityTaskAsked
)
GIVEN_UP = "What was asked for goes to another process just now; try again."


class _Recorded(msgspec.Struct, frozen=True):
    """Kafka acknowledged the record."""


class _Refused(msgspec.Struct, frozen=True):
    """Kafka did not take the record."""

    why: str


async def answer_to(port: Port, part: Partition, command: Command, seconds_max: float) -> RequestAnswered:
    """Writes a command on home and waits for the fold's word on it.

    Any record with its request id brings that: an earlier attempt's too, which the fold answers the same.
    Raises Unavailable when no word came; asked again with the same request id, the command is carried out once.
    """
    said = await _said_to(port, part, command, seconds_max)
    assert isinstance(said, RequestAnswered), "the fold's word is its answer"
    return said


async def history_shown(
    port: Port, part: Partition, request: ChildHistoryRequested, seconds_max: float
) -> ChildHistoryShown | None:
    """What the lane of a child that runs says has happened to it; None when it says nothing in time."""
    try:
        said = await _said_to(port, part, request, seconds_max)
    except Unavailable:
        return None
    return said if isinstance(said, ChildHistoryShown) and (said.pages or said.events) else None


async def _said_to(
    port: Port, part: Partition, command: Command | ChildHistoryRequested, seconds_max: float
) -> RequestAnswered | ChildHistoryShown:
    mailbox = port.mailbox()
    part.waits.begin(command.request_id, mailbox)
    try:
        # beside the wait: a record can't be taken back, and whoever gives up waiting leaves it on its way
        port.spawn(_write(port, part.number, command, mailbox))
        return await _answer(port, mailbox, seconds_max)
    finally:
        part.waits.end(command.request_id, mailbox)


async def _write(port: Port, home: int, command: Command | ChildHistoryRequested, mailbox: Mailbox) -> None:
    try:
        await port.send([Outgoing(topics.HOME.name, home, encode(command))])
    except BusError as error:
        mailbox.put(_Refused(str(error)))
    else:
        mailbox.put(_Recorded())


async def _answer(port: Port, mailbox: Mailbox, seconds_max: float) -> RequestAnswered | ChildHistoryShown:
    until = port.monotonic() + seconds_max
    recorded = False
    while (left := until - port.monotonic()) > 0:
        for said in await mailbox.get(left):
            match said:
                case RequestAnswered() | ChildHistoryShown():
                    return said
                case GivenUp():
                    raise Unavailable(GIVEN_UP)
                case _Refused():
                    raise Unavailable(f"Kafka did not take the request: {said.why}", may_come=False)
                case _Recorded():
                    recorded = True
    what = "was recorded, but not answered" if recorded else "was not acknowledged by Kafka"
    raise Unavailable(f"The request {what} in time; asking again with the same name is safe.", may_come=False)


async def passed(port: Port, part: Partition, offset: int, seconds_max: float) -> None:
    """Waits until the fold has passed an offset of home. Raises Unavailable when that takes too long."""
    if part.offset >= offset:
        return
    mailbox = port.mailbox()
    part.waits.until(offset, mailbox)
    heard = await mailbox.get(seconds_max)
    if GivenUp() in heard:
        raise Unavailable(GIVEN_UP)
    if Passed() not in heard:
        raise Unavailable(f"The tracker is behind on home {part.number}; try again.")
