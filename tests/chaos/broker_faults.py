"""What becomes of three brokers in mid-run: each fault begins, lasts a while, and is taken back."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from tests.integration.bus.broker import Broker
from tests.integration.bus.secured_brokers import SecuredBrokers

END_SECONDS_MAX = 60.0
LISTEN_SECONDS = 5.0  # after a broker listens, until it is a follower in sync again
TakeBack = Callable[[], None]


class BrokerFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault: what it is called, what happens, how long it lasts unless told, what begins it."""

    name: str
    told: str
    seconds: float
    begin: Callable[[SecuredBrokers, random.Random], TakeBack]
    quiet_seconds: float = 0.0  # after the run; then another one must do as well


def leader(brokers: SecuredBrokers) -> Broker:
    """The broker whose controller leads, as the controllers keep it on their disks; of two words the newest counts."""
    states = [_quorum(broker.data) for broker in brokers.brokers]
    _, leads = max((epoch, number) for epoch, number in states if number > 0)
    return brokers.brokers[leads - 1]


def _quorum(data: Path) -> tuple[int, int]:
    """The epoch and the leader's id, which is negative while none is known."""
    known = json.loads((data / "__cluster_metadata-0" / "quorum-state").read_text())
    return known["leaderEpoch"], known["leaderId"]


def _killed(brokers: SecuredBrokers, chance: random.Random) -> TakeBack:
    return _kill(chance.choice(brokers.brokers))


def _leader_killed(brokers: SecuredBrokers, _: random.Random) -> TakeBack:
    return _kill(leader(brokers))


def _kill(broker: Broker) -> TakeBack:
    broker.kill()
    return broker.launch


def _stopped(brokers: SecuredBrokers, chance: random.Random) -> TakeBack:
    """A broker that stands still and goes on as if nothing were."""
    pid = chance.choice(brokers.brokers).pid
    os.kill(pid, signal.SIGSTOP)
    return partial(os.kill, pid, signal.SIGCONT)


def _rolling(brokers: SecuredBrokers, _: random.Random) -> TakeBack:
    """Each is asked to end and started again; the next one when it listens."""
    for broker in brokers.brokers:
        broker.end(END_SECONDS_MAX)
        broker.start()
        time.sleep(LISTEN_SECONDS)
    return lambda: None


def _throttled(quota: str, brokers: SecuredBrokers, _: random.Random) -> TakeBack:
    names = ",".join(part.partition("=")[0] for part in quota.split(","))
    _configure(brokers, "clients", "--add-config", quota)
    return partial(_configure, brokers, "clients", "--delete-config", names)


def _forgetful(brokers: SecuredBrokers, _: random.Random) -> TakeBack:
    _configure(brokers, "brokers", "--add-config", "producer.id.expiration.ms=3000")
    return lambda: None


def _configure(brokers: SecuredBrokers, kind: str, *change: str) -> None:
    """Changes a setting of all clients or all brokers by Kafka's own command."""
    entity = ("--bootstrap-server", brokers.addresses, "--entity-type", kind, "--entity-default", "--alter", *change)
    command = ("kafka.admin.ConfigCommand", "--command-config", str(brokers.client_settings()), *entity)
    done = subprocess.run([*brokers.brokers[0].java(), *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


FAULTS = {
    fault.name: fault
    for fault in (
        BrokerFault(name="kill", told="`kill -9` of one broker, started again", seconds=20, begin=_killed),
        BrokerFault(
            name="leader", told="`kill -9` of the controllers' leader, started again", seconds=20, begin=_leader_killed
        ),
        BrokerFault(name="stop", told="SIGSTOP of one broker, SIGCONT", seconds=20, begin=_stopped),
        BrokerFault(name="rolling", told="each broker asked to end and started again", seconds=0, begin=_rolling),
        BrokerFault(
            name="quota",
            told="a quota of 200 kB a second for each client id",
            seconds=60,
            begin=partial(_throttled, "producer_byte_rate=200000,consumer_byte_rate=200000"),
        ),
        BrokerFault(
            name="small-quota",
            told="a quota of 20 kB a second and 1 % of a thread for each client id",
            seconds=60,
            begin=partial(_throttled, "producer_byte_rate=20000,consumer_byte_rate=20000,request_percentage=1"),
        ),
        BrokerFault(
            name="forgetful",
            told="`producer.id.expiration.ms=3000`, and 12 s of quiet before another run",
            seconds=0,
            begin=_forgetful,
            quiet_seconds=12,
        ),
    )
}
