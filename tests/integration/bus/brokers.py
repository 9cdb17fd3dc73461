"""Three brokers that are one Kafka: each topic has three copies, of which two must have a record."""

from pathlib import Path

from tests.integration.bus.broker import Broker

BROKERS = 3


class Brokers:
    """The brokers, each of which may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.brokers = [Broker(folder / f"broker-{number}") for number in range(1, BROKERS + 1)]
        for number, broker in enumerate(self.brokers, 1):
            broker.settings = self.settings(number)

    def settings(self, number: int) -> str:
        """Of one broker, beside those of the local stack's only one."""
        voters = ",".join(f"{n}@127.0.0.1:{broker.port + 1}" for n, broker in enumerate(self.brokers, 1))
        return f"""
node.id={number}
controller.quorum.voters={voters}
offsets.topic.replication.factor={BROKERS}
transaction.state.log.replication.factor={BROKERS}
default.replication.factor={BROKERS}
min.insync.replicas=2
"""

    def start(self) -> None:
        """Starts all and waits until each takes connections, which none does before most are there."""
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait()

    def close(self) -> None:
        """Ends all."""
        for broker in self.brokers:
            broker.kill()

    @property
    def addresses(self) -> str:
        """As MAPRUN_KAFKA takes them."""
        return ",".join(broker.address for broker in self.brokers)
