"""A scheduler with nothing else around it: folds the homes and shows their machines, by the bus's port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from maprun.bus.kafka import KafkaHost
from maprun.bus.port import Outgoing, Port, Record
from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home, decode_record
from maprun.mapruns.fold.outputs import Send
from maprun.mapruns.fold.state import HomeState
from maprun.mapruns.limits import limits_of
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas import topics
from schemas.arns import Names
from schemas.wire import Fact, encode


async def decide(port: Port, settings: Settings) -> None:
    """Folds every home from its beginning."""
    names = Names(settings.region, settings.account)
    limits = limits_of(settings)
    homes = [
        Home(HomeState(home=home), RootInterpreter(), names, settings.homes, settings.lanes, limits)
        for home in range(settings.homes)
    ]
    mailbox = port.mailbox()
    for home in range(settings.homes):
        port.feed(topics.HOME.name, home, 0, mailbox)
    said = [(home.state.home, due) for home in homes if (due := home.limits_due()) is not None]
    await port.send([Outgoing(topics.HOME.name, home, encode(due)) for home, due in said])
    while True:
        out: list[Outgoing] = []
        for record in await mailbox.get(None):
            assert isinstance(record, Record)
            fold = homes[record.partition]
            for output in fold.apply(record.offset, record.timestamp_ms, decode_record(record.value or b"")):
                if isinstance(output, Send) and output.topic == topics.MACHINES.name:
                    message = output.message  # None deletes the machine's record before this one
                    assert message is None or isinstance(message, Fact)
                    value = None if message is None else encode(message)
                    out.append(Outgoing(output.topic, output.partition, value, output.key))
        if out:
            await port.send(out)


@contextlib.asynccontextmanager
async def deciding(settings: Settings) -> AsyncIterator[Port]:
    """Runs the decider beside the block; gives it a port to write home by."""
    host = KafkaHost(settings, Limits())
    await host.start()
    stop = asyncio.Event()
    running = asyncio.create_task(host.run(stop))
    host.beside("decider", lambda port: decide(port, settings))
    try:
        yield host.port()
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await host.close()
