"""What the scheduler makes of the fold's outputs and of the records of its gate, as values to be sent."""

from collections.abc import Iterable, Sequence

import msgspec

from maprun.mapruns.fold.outputs import Output, RootChanged, Send
from maprun.mapruns.fold.roots import rejection_key
from maprun.requests.callbacks import CallbackRecord, callback_of, command_of, token_of
from maprun.requests.checks import Refusal
from maprun.requests.express import EXPRESS, FrameBuilder, express_start
from maprun.requests.registry import MachineRegistry
from maprun.requests.starts import (
    Start,
    derived_id,
    encode_rejection,
    execution_requested,
    machine_to_start,
    parse_record,
)
from maprun.requests.tracing import Tracer
from schemas import topics
from schemas.arns import Names, home_of
from schemas.home import Origin, OutputRefused
from schemas.requests import RequestRejected, record_id
from schemas.spans import recorded
from schemas.tokens import TokenSecret
from schemas.traces import Trace
from schemas.wire import Fact, encode


class Message(msgspec.Struct, frozen=True, gc=False):
    """One record to publish, encoded."""

    topic: str
    partition: int
    value: bytes | None
    key: bytes | None = None


BEHIND = {topics.ITEM_ASKS.name: topics.LANE_SIGNALS.name}
"""What must be acknowledged first: a lane must know a run before the reader can send it items."""


class Phases(msgspec.Struct):
    """The messages of one turn, by what must be acknowledged before what (see BEHIND)."""

    first: list[Message] = []
    then: list[Message] = []


def messages_of(sends: Iterable[Send], home: int, bytes_max: int) -> list[Message]:
    """The records that a record of `home` asks for, in order.

    One that fits no record has a dead letter on home instead: its root execution fails, for every reader alike; what
    else the record asked for on its behalf is left out. Tried again and again it would stop the home for everybody.
    """
    messages: list[Message] = []
    refused: set[str] = set()
    for send in sends:
        if send.arn in refused:
            continue
        message = _message(send)
        size = len(message.value or b"") + len(message.key or b"")
        if size > bytes_max:
            refused |= {send.arn} - {""}
            cause = (
                f"A record for '{send.topic}' has a size of {size} bytes, exceeding the maximum of {bytes_max} bytes."
            )
            letter = OutputRefused(send.arn, "States.DataLimitExceeded", cause)
            message = Message(topics.HOME.name, home, encode(letter))
        messages.append(message)
    return messages


def _message(send: Send) -> Message:
    """The record that an output asks for; rejections are JSON on their topic."""
    body = send.message
    value: bytes | None
    if isinstance(body, RequestRejected):
        value = encode_rejection(body)
    else:
        value = encode(body) if isinstance(body, Fact) else body
    return Message(send.topic, send.partition, value, send.key)


def traces_of(outputs: Iterable[Output]) -> dict[str, Trace]:
    """ARN → trace of the root executions that changed, of those whose trace is recorded."""
    changed = {output.arn: output.root.request.trace_header for output in outputs if isinstance(output, RootChanged)}
    return {arn: trace for arn, header in changed.items() if (trace := recorded(header)) is not None}


def phases_of(messages: Sequence[Message]) -> Phases:
    """What others stand behind comes first; within a topic the order of the fold."""
    present = {message.topic for message in messages}
    phases = Phases()
    for message in messages:
        later = BEHIND.get(message.topic) in present
        (phases.then if later else phases.first).append(message)
    return phases


class Request(msgspec.Struct, frozen=True):
    """A record of `execution-requests`: what it asks for, or why that can't be understood."""

    origin: Origin
    record: bytes
    asked: Start | CallbackRecord | None
    refusal: tuple[str, str] = ("", "")


def read_request(origin: Origin, record: bytes | None) -> Request:
    """Parses a record of the gate."""
    try:
        return Request(origin, record or b"", parse_record(record))
    except Refusal as refusal:
        return Request(origin, record or b"", None, (refusal.code, refusal.message))


class Gate(msgspec.Struct, frozen=True):
    """What requests are judged by."""

    machines: MachineRegistry
    names: Names
    homes: int
    lanes: int
    payload_bytes_max: int
    secret: TokenSecret
    tracer: Tracer


def answer_request(request: Request, gate: Gate, now_ms: int) -> Message:
    """The command on the execution's home, a start for a lane if its machine is EXPRESS, or the rejection.

    Ids are derived from where the record stands, so that the same record read again asks for the same execution.
    """
    if request.asked is None:
        return _rejection(request, *request.refusal)
    try:
        if isinstance(request.asked, Start):
            return _start(request.origin, request.asked, gate, now_ms)
        token = token_of(gate.secret, request.asked.task_token)
        callback = callback_of(request.asked, token, gate.payload_bytes_max)
        home, command = command_of(record_id(request.origin), token, callback, gate.homes)
    except Refusal as refusal:
        return _rejection(request, refusal.code, refusal.message)
    return Message(topics.HOME.name, home, encode(command))


def _start(origin: Origin, asked: Start, gate: Gate, now_ms: int) -> Message:
    """The record that starts an execution. Raises Refusal."""
    place = (origin.topic, origin.partition, origin.offset)

    def traced(given: str, configuration: bytes, arn: str) -> str:
        return gate.tracer.header(given, configuration, arn, now_ms)

    machine = machine_to_start(asked, gate.machines, gate.payload_bytes_max)
    if machine.spec.machine_type == EXPRESS:
        named, start = express_start(
            asked, gate.machines, gate.names, derived_id("express", *place), now_ms, traced=traced
        )
        frame = FrameBuilder("", 0, 0)
        frame.add(named, start)
        return Message(topics.EXPRESS_REQUESTS.name, home_of(start.arn, gate.lanes), encode(frame.take()))
    ids = (derived_id("request", *place), derived_id("name", *place))
    command = execution_requested(asked, gate.machines, gate.names, *ids, origin, traced)
    return Message(topics.HOME.name, home_of(command.arn, gate.homes), encode(command))


def _rejection(request: Request, code: str, text: str) -> Message:
    rejected = RequestRejected(request.origin, code, text, request.record)
    return Message(topics.REJECTED_REQUESTS.name, 0, encode_rejection(rejected), rejection_key(rejected))
