"""The gate: turns records of users into commands on home, or into rejections with a reason; never blocks on one.

Starts that come faster than MAPRUN_API_THROTTLE lets them wait on their topic: none is refused for that.
"""

from collections import Counter

from maprun.bus.port import Outgoing, Port, Record
from maprun.requests.starts import Start
from maprun.runtime import clock
from maprun.runtime.settings import Settings, throttles_of
from maprun.runtime.throttles import EXPRESS_STARTS, Throttle
from schemas import topics
from schemas.arns import home_of, unqualified
from schemas.home import Origin
from services.scheduler.deps import Deps
from services.scheduler.handlers import Gate, Message, answer_request, read_request


def throttle_of(settings: Settings) -> Throttle:
    """How fast the gates of a process let starts through, together."""
    return Throttle(throttles_of(settings), clock.monotonic_seconds)


async def own_requests(port: Port, partition: int, deps: Deps) -> None:
    """Owns a partition of `execution-requests` for as long as the group gives it to this process.

    A record is committed once its command or rejection is acknowledged; read again it gives the same one.
    """
    topic = topics.EXECUTION_REQUESTS.name
    mailbox = port.mailbox()
    port.feed(topic, partition, await port.committed(topic, partition), mailbox)
    committed = 0
    while True:
        records: list[Record] = await mailbox.get(None)
        for first in range(0, len(records), deps.limits.records_per_turn_max):
            part = records[first : first + deps.limits.records_per_turn_max]
            messages = await _answers(port, part, deps)
            await port.send([Outgoing(m.topic, m.partition, m.value, m.key) for m in messages])
            accepted = sum(message.topic != topics.REJECTED_REQUESTS.name for message in messages)
            deps.metrics.requests(accepted, len(messages) - accepted)
            if part[-1].offset >= committed:
                committed = part[-1].offset + 1
                port.commit(topic, partition, committed)


async def _answers(port: Port, records: list[Record], deps: Deps) -> list[Message]:
    requests = [read_request(Origin(deps.topic_prefix + r.topic, r.partition, r.offset), r.value) for r in records]
    machines = {unqualified(request.asked.machine_arn) for request in requests if isinstance(request.asked, Start)}
    homes = {home_of(arn, deps.homes) for arn in machines}
    await deps.machines.refresh(port, homes, deps.metrics.unreadable)
    bytes_max = deps.map_run_limits.result_bytes_max
    gate = Gate(deps.machines.registry, deps.names, deps.homes, deps.lanes, bytes_max, deps.secret, deps.tracer)
    messages = [answer_request(request, gate, port.now_ms()) for request in requests]
    starts = Counter(m.topic for r, m in zip(requests, messages, strict=True) if isinstance(r.asked, Start))
    owed = [deps.throttle.owed_seconds(name, starts[topic]) for topic, name in _BUCKETS]
    if any(owed):
        await port.sleep(max(owed))
    return messages


_BUCKETS = ((topics.HOME.name, "StartExecution"), (topics.EXPRESS_REQUESTS.name, EXPRESS_STARTS))
"""Where an accepted start goes, and the bucket it is taken from."""
